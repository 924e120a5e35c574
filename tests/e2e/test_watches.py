"""A BGP peering as the board sees it by a router's console, and lines of consoles that are alarms. test_uplinks.py has the
same with real routers; here a router answers as it is told."""

import json
import os
import time

import pytest

from harness import Daemon, until
from machines import RECIPE, Machine

UP = """BIRD 2.0.12 ready.
Access restricted
Name       Proto      Table      State  Since         Info
upstream1  BGP        ---        up     12:44:53.971  Established
  BGP state:          Established
    Routes:         3 imported, 2 exported, 1 preferred
"""
SHUT = """BIRD 2.0.12 ready.
Access restricted
Name       Proto      Table      State  Since         Info
upstream1  BGP        ---        start  12:44:56.286  Active        Received: Administrative shutdown
  BGP state:          Active
    Last error:       Received: Administrative shutdown
"""
# A look each 10 s, what seems lost is looked at once more, and a look takes some seconds on a slow machine.
PATIENCE = 60


class Board(Daemon):
    """A daemon with [watch] and [notify] tables."""
    tables = ""

    def config_text(self):
        return super().config_text() + self.tables

    def watches(self):
        return {one["watch"]: one for one in json.loads(self.ctl("status", "--json").out).get("watches", [])}


class Site:
    """edge1: a router behind a login prompt with a `birdc` of its own, which says what its peering is told to be."""

    def __init__(self, lab):
        self.answer = lab.path("answer")
        self.is_now(UP)
        with open(lab.path("birdc"), "w") as file:
            file.write(f"#!/bin/sh\n[ \"$*\" = '-r show protocols all upstream1' ] || exit 9\n. {self.answer}\n")
        os.chmod(lab.path("birdc"), 0o755)
        os.makedirs(lab.path("recipes"))
        with open(lab.path("recipes/box.recipe"), "w") as file:
            file.write(RECIPE)
        with open(lab.path("password"), "w") as file:
            file.write(Machine.PASSWORD + "\n")
        os.chmod(lab.path("password"), 0o600)
        self.machine = lab.keep(Machine(lab.path("edge1"), lab.path("home-edge1")))
        self.machine.keys = (f'model = "box"\nlogin = {{ user = "{Machine.USER}", '
                             f'password_file = "{lab.path("password")}" }}\n')
        self.board = Board(lab, {"edge1": self.machine}, server=f'[snapshot]\nrecipes = "{lab.path("recipes")}"\n')
        self.board.tables = f"""
[watch.upstream1]
device = "edge1"
daemon = "bird"
neighbour = "upstream1"
command = "{lab.path("birdc")} -r show protocols all upstream1"
every = "10s"
"""
        self.board.write_config()
        lab.keep(self.board).start()
        self.board.wait_up("edge1")

    def is_now(self, text):
        """The answer from now on, written whole; None: there is no daemon to ask."""
        with open(self.answer + ".new", "w") as file:
            if text is None:
                file.write("echo 'Unable to connect to server control socket (/run/bird/bird.ctl): No such file' >&2\nexit 1\n")
            else:
                file.write(f"cat <<'END'\n{text}END\n")
        os.replace(self.answer + ".new", self.answer)

    def is_seen(self, state):
        until(f"the peering is seen {state}", lambda: self.board.watches()["upstream1"]["state"] == state, PATIENCE)
        return self.board.watches()["upstream1"]

    def is_as_found(self):
        until("nobody is logged in", self.machine.at_login)
        assert self.machine.echoes()
        until("no look is under way", lambda: not self.board.devices_now()["edge1"]["writer"])
        assert "left_open" not in self.board.devices_now()["edge1"]


@pytest.fixture
def site(lab):
    return Site(lab)


def test_a_peering_is_seen_lost_and_restored(site):
    board = site.board
    seen = site.is_seen("up")
    assert (seen["text"], seen["prefixes"]) == ("established since 12:44:53.971, 3 prefixes", 3)
    assert seen["since"] is None and not board.journal("watch.restored")
    site.is_as_found()

    site.machine.says(b"igb0: link state changed to DOWN\r\n")
    site.is_now(SHUT)
    seen = site.is_seen("lost")
    assert seen["text"] == "active, since 12:44:56.286; last error: Received: Administrative shutdown"
    [lost] = until("it is in the journal", lambda: board.journal("watch.lost"))
    assert (lost["watch"], lost["device"], lost["neighbour"]) == ("upstream1", "edge1", "upstream1")
    assert "igb0: link state changed to DOWN" in lost["tail"] and "protocols" not in lost["tail"]
    assert "up, upstream1 LOST" in board.ssh("list").out
    assert "upstream1 (edge1): LOST" in board.ssh("status").out
    assert 'oobd_watch_lost{watch="upstream1"} 1' in board.ssh("metrics").out

    site.is_now(UP)
    site.is_seen("up")
    [restored] = until("that is in the journal", lambda: board.journal("watch.restored"))
    assert restored["seconds"] >= 1
    site.is_as_found()
    assert not board.journal("console.open") and not board.journal("recording.begin")
    assert len(board.journal("watch.lost")) == 1
    assert not os.listdir(site.machine.home)


def test_a_daemon_that_is_gone_is_a_loss_and_who_types_is_left_alone(site):
    board = site.board
    site.is_seen("up")
    site.is_as_found()
    alice = board.attached()
    site.machine.forget()
    site.is_now(None)
    until("a look is left out", lambda: board.watches()["upstream1"]["trouble"].startswith("alice"), PATIENCE)
    assert not site.machine.heard
    assert board.watches()["upstream1"]["state"] == "up"
    alice.leave()
    assert "the daemon does not run: Unable to connect" in site.is_seen("lost")["text"]
    board.tables = board.tables.replace("10s", "1h")
    board.write_config()
    board.reload()
    site.is_seen("lost")
    site.is_as_found()


def test_a_panic_is_told_within_five_seconds_with_the_lines_around_it(lab):
    told = lab.path("told")
    with open(lab.path("tell"), "w") as file:
        file.write(f"#!/bin/sh\ncat > {told}.new && mv {told}.new {told}\n")
    os.chmod(lab.path("tell"), 0o755)
    gear = lab.gear("edge1")
    gear.keys = 'alarms = ["^%BGP-5-ADJCHANGE: .* Down"]\n'
    board = Board(lab, {"edge1": gear})
    board.tables = f'[notify.oncall]\nevents = ["console.alarm"]\nprogram = ["{lab.path("tell")}"]\n'
    board.write_config()
    lab.keep(board).start()
    board.wait_up("edge1")

    gear.says(b"Fatal double fault\r\n" + b"".join(b"rip = 0x%x\r\n" % i for i in range(3)))
    begin = time.monotonic()
    gear.says(b"\x1b[1mpanic: double fault\x1b[0m\r\ncpuid = 3\r\ntime = 1700000000\r\nKDB: stack backtrace:\r\n")
    until("the program is told", lambda: os.path.exists(told))
    took = time.monotonic() - begin
    print(f"told after {took:.2f} s")
    assert took < 5
    with open(told) as file:
        notice = json.load(file)
    assert notice["summary"] == "edge1: panic: double fault"
    [alarm] = board.journal("console.alarm")
    assert (alarm["device"], alarm["text"]) == ("edge1", "panic: double fault")
    assert alarm["tail"].split("\n") == ["Fatal double fault", "rip = 0x0", "rip = 0x1", "rip = 0x2", "panic: double fault",
                                         "cpuid = 3", "time = 1700000000", "KDB: stack backtrace:"]

    gear.says(b"%BGP-5-ADJCHANGE: neighbor 192.0.2.1 Down BGP Notification sent\r\n")
    until("the device's own pattern is found", lambda: len(board.journal("console.alarm")) == 2)
    gear.keys = ""
    board.write_config()
    assert board.ctl("reload").status == 0
    gear.says(b"%BGP-5-ADJCHANGE: neighbor 192.0.2.9 Down BGP Notification sent\r\nFatal trap 12: page fault\r\n")
    until("what holds for all still does", lambda: len(board.journal("console.alarm")) == 3)
    assert board.journal("console.alarm")[2]["text"] == "Fatal trap 12: page fault"


def test_what_somebody_types_for_is_no_alarm(lab):
    board, gear = lab.one()
    alice = board.attached()
    alice.type("dmesg | grep panic\r")
    gear.hears("dmesg | grep panic")
    gear.says(b"panic: last year\r\n")
    alice.expect("panic: last year")
    alice.leave()
    board.stop()
    assert not board.journal("console.alarm")
