"""200 BMCs behind one daemon: asked at once, and restarted at once."""

import json
import os

import pytest

import lab as bmc_lab
from harness import BehindBmc, in_time, until

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
    def ask():
        done = rack.ssh("power", "'*'", "--json")
        answers = [json.loads(line) for line in done.out.splitlines()]
        assert done.status == 0 and len(answers) == COUNT, done.err
        assert {answer["power"] for answer in answers} == {"on"}
        return done.seconds

    in_time(ask, 10.0)  # one after another would take no less than 200 times the way there and back


def test_all_come_back_when_all_are_restarted(rack, fleet):
    rack.journalled("line.up", COUNT)
    seen = len(rack.journal())

    def noticed():  # by each in its own time: the first may be up again before the last is down
        return {entry["device"] for entry in rack.journal()[seen:] if entry["ev"] == "line.down"} == set(rack.devices)

    fleet.order("reset=2000")
    until("it is noticed", noticed, COMES_BACK, 0.1)
    until("all are up again", lambda: states(rack) == {"up"}, COMES_BACK)
    fleet.order("say=here again\\r\\n")
    until("all are heard again", lambda: all(b"here again\r\n" in rack.transcript(f"node{n:03}") for n in range(COUNT)))
    assert rack.ssh("power", "'*'", "--json").status == 0
