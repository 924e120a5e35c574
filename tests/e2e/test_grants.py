"""Rights for a while, and power by two people, with stock ssh."""

import os
import time

import pytest

import lab as bmc_lab
from harness import BehindBmc, until
from test_totp import kernel_is_synchronised

ROLES = {"all": (["*"], ["watch", "write", "power", "snapshot", "forward", "audit", "admin"]),
         "auditor": (["*"], ["watch", "audit"])}


@pytest.fixture
def desk(lab):
    daemon, _ = lab.one(users={"alice": ["all"], "carol": ["auditor"]}, roles=ROLES)
    return daemon


def test_a_grant_gives_the_keyboard_and_takes_it_back_on_time(desk):
    carol = desk.attached(user="carol", says="edge1")
    done = desk.ssh("grant", "carol", "write", "edge1", "15s")
    assert done.status == 0 and done.out.startswith("grant 1: carol may write edge1 until "), done
    carol.expect("carol may write edge1 until")
    carol.type("\x05ca")
    carol.expect("you may type")
    carol.expect("you may no longer type here")
    until("it is in the journal", lambda: desk.journal("grant.ended"))
    events = [entry["ev"] for entry in desk.journal() if entry["ev"].startswith("grant")]
    assert events == ["grant", "grant.ended"]
    assert desk.ssh("send", "edge1", "x", user="carol").status == 77


def test_grants_survive_a_restart_and_end_when_revoked_or_over(desk):
    assert desk.ssh("grant", "carol", "write", "'edge*'", "1h").status == 0
    assert desk.ctl("grant", "carol", "power", "edge1", "1s").status == 0
    desk.stop()
    stored = os.stat(os.path.join(desk.state, "grants")).st_mtime
    until("the second is over", lambda: time.time() > stored + 1)
    desk.start()
    desk.wait_up("edge1")
    until("it ended", lambda: [entry["grant"] for entry in desk.journal("grant.ended")] == [2])
    assert desk.ssh("send", "edge1", "x", user="carol").status == 0
    assert desk.ssh("revoke", "1", user="carol").status == 0
    assert desk.ssh("send", "edge1", "x", user="carol").status == 77
    assert desk.ssh("grants", "--json").out == ""
    assert desk.ssh("grant", "carol", "write", "edge1", "1h", user="carol").status == 77


def test_a_role_that_expires_takes_the_keyboard_from_who_is_typing(lab):
    daemon, gear = lab.one(users={"alice": ["until", "auditor"]},
                           roles={"until": (["*"], ["watch", "write"]), "auditor": (["*"], ["watch", "audit"])})
    alice = daemon.attached(says="you may type")
    end = int(time.time()) + 15
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))
    daemon.write_config(daemon.config_text().replace("[role.until]\n", f'[role.until]\nexpires = "{text}"\n'))
    daemon.reload()
    until("it is reloaded", lambda: daemon.journal("reload"))
    alice.type("still here\r")
    gear.hears("still here\r")
    alice.expect("you may no longer type here")
    assert time.time() >= end
    assert daemon.ssh("send", "edge1", "x").status == 77


def test_a_key_that_has_expired_stays_so_when_the_clock_falls_back(desk, lab):
    """As after a power cut: the journal was last written to later than the clock is now."""
    if kernel_is_synchronised():
        pytest.skip("the kernel says that its clock is kept right, so it is believed")
    tomorrow, after = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400)) for days in (1, 3))
    desk.write_keys("carol", f'expiry-time="{tomorrow}" ' + lab.public("carol"))
    assert desk.ssh("version", user="carol").status == 0
    desk.stop()
    folder = os.path.join(desk.state, "journal")
    for name in os.listdir(folder):
        os.utime(os.path.join(folder, name), (time.time() + 2 * 86400,) * 2)
    desk.start()
    assert desk.ssh("version", user="carol").status == 255
    assert desk.ssh("version").status == 0
    desk.write_keys("carol", f'expiry-time="{after}" ' + lab.public("carol"))
    assert desk.ssh("version", user="carol").status == 0


def test_what_needs_power_waits_for_a_second_person(shared_lab, bmcs):
    [bmc] = bmcs(bmc_lab.LightBmcs, shared_lab.dir, 1)
    daemon = shared_lab.daemon({"node0": BehindBmc(shared_lab, "node0", bmc)},
                               users={"alice": ["two"], "bob": ["two"], "carol": ["auditor"]},
                               roles={"two": (["*"], ["watch", "power"]), "auditor": (["*"], ["watch", "audit"])})
    text = daemon.config_text().replace("[role.two]\n", "[role.two]\ntwo_person = true\n")
    daemon.write_config(text)
    daemon.reload()
    until("it is reloaded", lambda: daemon.journal("reload"))
    daemon.wait_up("node0")
    alice = daemon.begin("sel", "node0", "--clear")
    until("it waits", lambda: "approve 1" in alice.err)
    assert daemon.ssh("approve", "1").status == 77
    assert daemon.ssh("approve", "1", user="carol").status == 77
    assert "sel node0 --clear" in daemon.ssh("approve", user="bob").out
    assert not daemon.journal("sel.clear.request")
    done = daemon.ssh("approve", "1", user="bob")
    assert done.status == 0 and done.out == "approved: sel node0 --clear, for alice\n", done
    assert alice.wait() == 0, alice.err
    until("it is done", lambda: daemon.journal("sel.clear.result"))
    events = [entry["ev"] for entry in daemon.journal() if entry["ev"].startswith(("approval.", "sel."))]
    assert events == ["approval.request", "approval.given", "sel.records", "sel.clear.request", "sel.clear.result"]
    gone = daemon.begin("power", "node0", "off")
    until("it waits", lambda: "approve 2" in gone.err)
    gone.close()
    until("it is withdrawn", lambda: daemon.journal("approval.withdrawn"))
    assert daemon.ssh("approve", "2", user="bob").status == 66
