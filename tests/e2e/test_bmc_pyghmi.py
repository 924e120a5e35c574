"""A BMC that other people wrote (python3-pyghmi), with cipher suites 17 and 3: power, and SOL there and back."""

import json

import pytest

import lab as bmc_lab
from harness import BehindBmc, until


@pytest.mark.parametrize("suites, configured", [((17,), 17), ((3,), 3), ((17, 3), None), ((3,), None)])
def test_power_and_sol(shared_lab, bmcs, lab, suites, configured):
    bmc = bmcs(bmc_lab.PyghmiBmc, lab.dir, suites)
    device = BehindBmc(lab, "node1", bmc, cipher_suite=configured)
    daemon = lab.daemon({"node1": device})
    daemon.wait_up("node1")
    try:
        def power(*words):
            done = daemon.ssh("power", "node1", *words, "--json")
            assert done.status == 0, done
            return json.loads(done.out)["power"]

        assert power() == "on"
        assert power("off") == "off"
        assert "Chassis Power is off" in bmc.ipmitool("power", "status")
        assert power("on") == "on"
        assert daemon.ssh("boot", "node1", "pxe").status == 0

        def echoed():
            """pyghmi drops the first packet of a session."""
            daemon.ssh("send", "node1", "hello")
            return b"hello\r" in daemon.transcript("node1")

        until("it is sent back", echoed)
        text = "0123456789" * 20
        assert daemon.ssh("send", "node1", text).status == 0
        until("all of it is sent back", lambda: text.encode() in daemon.transcript("node1"))
    finally:
        bmc.close()
