"""200 BMCs behind one daemon: asked at once, and restarted at once."""

import json
import os
import time

import pytest

import lab as bmc_lab
from harness import BehindBmc, until

COUNT = 200
COMES_BACK = 90.0


@pytest.fixture(scope="module")
def fleet(shared_lab):
    program = os.environ.get("TEST_BMC")
    if not program:
        pytest.skip("TEST_BMC does not name the program")
    return shared_lab.keep(bmc_lab.TestBmcs(shared_lab.dir, COUNT, program))


@pytest.fixture(scope="module")
def rack(shared_lab, fleet):
    daemon = shared_lab.daemon({f"node{n:03}": BehindBmc(shared_lab, f"node{n:03}", bmc) for n, bmc in enumerate(fleet)})
    until("all are up", lambda: states(daemon) == {"up"}, COMES_BACK)
    return daemon


def states(daemon):
    return {one["state"] for one in daemon.devices_now().values()}


def test_all_are_asked_at_once(rack):
    begin = time.monotonic()
    done = rack.ssh("power", "'*'", "--json")
    took = time.monotonic() - begin
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert done.status == 0 and len(answers) == COUNT, done.err
    assert {answer["power"] for answer in answers} == {"on"}
    assert took < 10.0, took  # one after another would take no less than 200 times the way there and back


def test_all_come_back_when_all_are_restarted(rack, fleet):
    fleet.order("reset=2000")
    until("it is noticed", lambda: "up" not in states(rack), COMES_BACK)
    until("all are up again", lambda: states(rack) == {"up"}, COMES_BACK)
    fleet.order("say=here again\\r\\n")
    until("all are heard again", lambda: all(b"here again\r\n" in rack.transcript(f"node{n:03}") for n in range(COUNT)))
    assert rack.ssh("power", "'*'", "--json").status == 0
