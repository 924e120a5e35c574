"""What is never exercised fails on the day: drills of consoles, a BMC and the board, by hand and by the clock."""

import json
import os
import re
import socket
import threading

import pytest

import lab as bmc_lab
from gear import Gear
from harness import BehindBmc, Daemon, until


class Answering(Gear):
    """A machine with a getty: to each Enter it shows its login prompt."""
    said = b"\r\nDebian GNU/Linux 12 r1 ttyS0\r\n\r\nr1 login: "

    def _take(self, data):
        super()._take(data)
        for _ in range(data.count(b"\r")):
            self.says(self.said)


class Host:
    """The machine behind a test BMC's serial port: to each Enter it shows a login prompt."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def _answer(self):
        while data := self.socket.recv(4096):
            self.socket.sendall(b"\r\nrelay1 login: " * data.count(b"\r"))

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.socket.close()


class Modelled:
    """A gear with lines of its own in its device's table."""

    def __init__(self, gear, keys):
        self.gear, self.line, self.keys = gear, gear.line, keys


class Drilled(Daemon):
    tables = ""

    def config_text(self):
        return super().config_text() + self.tables


def begin(lab, devices, tables="", **how):
    daemon = Drilled(lab, devices, **how)
    daemon.tables = tables
    daemon.write_config()
    return lab.keep(daemon).start()


def objects(done):
    return [json.loads(line) for line in done.out.splitlines()]


def results(done):
    return {one["check"]: one["result"] for one in objects(done) if "check" in one}


def line_of(done, check):
    found = re.search(rf"^(ok|FAILED|skipped) \d+ {re.escape(check)}: (.*)$", done.out, re.MULTILINE)
    assert found, f"nothing of {check} in\n{done.out}{done.err}"
    return found.groups()


def test_a_drill_reports_like_a_test_run(lab):
    good = lab.keep(Answering(lab.path("edge1")))
    silent, loose = lab.gear("edge2"), lab.gear("edge3")
    daemon = begin(lab, {"edge1": Modelled(good, 'model = "linux"\n'), "edge2": silent, "edge3": loose},
                   roles={"all": (["*"], ["watch", "write", "snapshot", "audit", "admin"]),
                          "auditor": (["*"], ["watch", "audit"])})
    daemon.wait_up("edge1", "edge2", "edge3")
    loose.unplug()
    daemon.wait_up("edge3", state="down")
    done = daemon.ssh("drill")
    assert done.status == 1, done
    how, text = line_of(done, "edge1 console")
    assert how == "ok" and re.fullmatch(r"login prompt after \d\.\d s", text), text
    how, text = line_of(done, "edge2 console")
    assert how == "FAILED" and text.startswith("no answer within 5.0 s of an Enter; is the device on"), text
    how, text = line_of(done, "edge3 console")
    assert how == "FAILED" and text.startswith("the line is down: "), text
    assert line_of(done, "edge1 snapshot") == ("skipped", "none was ever stored; [snapshot] every takes them by the clock")
    key = rf"127\.0\.0\.1:{daemon.port} shows this board's key after \d\.\d s"
    how, text = line_of(done, "login")
    # Where tests have the machine, it is overloaded at times, and says so.
    slow = how == "FAILED" and re.fullmatch(key + ", which is too long: is the board overloaded\\?", text)
    assert slow or how == "ok" and re.fullmatch(key, text), text
    assert line_of(done, "journal")[0] == "ok"
    numbers = [int(number) for number in re.findall(r"^(?:ok|FAILED|skipped) (\d+) ", done.out, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    last = done.out.splitlines()[-1]
    failed = len(re.findall(r"^FAILED", done.out, re.MULTILINE))
    passed = len(re.findall(r"^ok", done.out, re.MULTILINE))
    assert re.fullmatch(rf"{len(numbers)} checks: {passed} passed, {failed} failed, 1 skipped, in \d+\.\d s", last), last
    assert (good.heard, silent.heard) == (b"\r", b"\r\r")
    # The journal has it, before and afterwards, with the names.
    begun, = daemon.journal("drill.begin")
    until("the end is in the journal", lambda: daemon.journal("drill.failed"))
    ended, = daemon.journal("drill.failed")
    assert begun["devices"] == "edge1, edge2, edge3" and begun["user"] == ended["user"] == "alice"
    assert {"edge2 console", "edge3 console"} == set(ended["failures"].split(", ")[:2])
    assert ended["failed"] == failed and ended["passed"] == passed
    # Status and metrics know.
    status = json.loads(daemon.ctl("status", "--json").out)["drill"]
    assert status["result"] == "failed" and status["by"] == "alice" and "edge2 console" in status["failures"]
    assert re.search(r"^drill        the last FAILED \d+ s ago: ", daemon.ctl("status").out, re.MULTILINE)
    assert re.search(r"^oobd_drill_good 0$", daemon.ctl("metrics").out, re.MULTILINE)


def test_one_device_that_is_well_is_exit_status_zero_and_json_has_it(lab):
    good = lab.keep(Answering(lab.path("edge1")))
    daemon = begin(lab, {"edge1": good, "edge2": lab.gear("edge2")})
    daemon.wait_up("edge1")
    done = daemon.ssh("drill", "edge1", "--json")
    assert done.status == 0, done
    check, total = objects(done)
    assert check["check"] == "edge1 console" and check["device"] == "edge1" and check["result"] == "passed"
    assert check["text"].startswith("answers after ") and 2000 <= check["ms"] < 30000
    assert (total["result"], total["checks"], total["passed"], total["failed"]) == ("passed", 1, 1, 0)
    assert daemon.journalled("drill.passed")
    assert daemon.ssh("drill", "edge9").status == 66
    assert daemon.ssh("drill", "--jsn").status == 64
    assert daemon.ssh("help", "drill").out.startswith("drill [D…] [--json]\n")


def test_what_the_visitor_may_not_do_and_a_busy_keyboard_are_skipped(lab):
    good = lab.keep(Answering(lab.path("edge1")))
    daemon = begin(lab, {"edge1": good})
    daemon.wait_up("edge1")
    done = daemon.ssh("drill", user="carol")
    assert line_of(done, "edge1 console") == ("skipped", "carol may not write edge1")
    assert good.heard == b""
    bob = daemon.screen("-t", "oob", "edge1", user="bob")
    bob.expect("you may type")
    done = daemon.ssh("drill", "edge1")
    assert line_of(done, "edge1 console") == ("skipped", "bob types there")
    assert done.status == 1 and good.heard == b""  # nothing was tried


def test_a_bmc_is_asked_for_its_power_and_its_console(lab):
    program = os.environ.get("TEST_BMC")
    if not program:
        pytest.skip("TEST_BMC does not name the program")
    bmcs = lab.keep(bmc_lab.TestBmcs(lab.dir, 1, program, host="unix:" + lab.path("host")))
    lab.keep(Host(lab.path("host")))
    daemon = begin(lab, {"relay1": BehindBmc(lab, "relay1", bmcs[0])})
    daemon.wait_up("relay1")
    done = daemon.ssh("drill", "relay1")
    assert line_of(done, "relay1 BMC") == ("ok", "session up, Serial over LAN up, power on")
    assert line_of(done, "relay1 console")[0] == "ok", done
    assert done.status == 0
    bmcs.order("reset=600000")
    until("it is noticed", lambda: daemon.devices_now()["relay1"]["state"] != "up", 90.0)
    done = daemon.ssh("drill", "relay1", "--json")
    assert done.status == 1
    assert results(done) == {"relay1 BMC": "failed", "relay1 console": "failed"}


def test_the_schedule_drills_what_is_overdue_and_a_program_is_told(lab):
    heard = lab.path("heard")
    program = lab.path("tell")
    with open(program, "w") as file:
        file.write(f"#!/bin/sh\ncat > {heard}.new\nmv {heard}.new {heard}\n")
    os.chmod(program, 0o755)
    silent = lab.gear("edge1")
    tables = f'\n[drill]\nevery = "7d"\n[notify.oncall]\nevents = ["drill.failed"]\nprogram = ["{program}"]\n'
    daemon = begin(lab, {"edge1": silent}, tables)
    daemon.wait_up("edge1")
    first = json.loads(daemon.ctl("status", "--json").out)["drill"]
    assert first["last"] is None and first["next"]  # none yet: due, but not in the first minute
    daemon.stop()
    record = os.path.join(daemon.state, "drill")
    with open(record, "w") as file:
        file.write("oobd drill 1\n2026-01-02T03:04:05.000000Z 9 0 0 oobd\nend\n")
    os.chmod(record, 0o600)
    daemon.start()
    daemon.wait_up("edge1")
    status = json.loads(daemon.ctl("status", "--json").out)["drill"]
    assert status["result"] == "passed" and status["last"].startswith("2026-01-02T03:04:05")
    assert silent.heard == b""

    def told():
        if not os.path.exists(heard):
            return None
        with open(heard) as file:
            notice = json.load(file)
        return notice if notice["event"] == "drill.failed" else None  # the drill tries first whether notices arrive

    notice = until("the schedule has drilled, and somebody was told", told, 150.0)
    assert "edge1 console" in notice["failures"]
    assert "edge1 console" in notice["summary"]
    begun, = daemon.journal("drill.begin")
    assert (begun["user"], begun["key"]) == ("oobd", "schedule")
    assert silent.heard == b"\r\r"
    # The next is a week away, also after a restart.
    daemon.stop()
    with open(record) as file:
        assert re.match(r"oobd drill 1\n\S+ \d+ \d+ \d+ oobd\n", file.read())
    daemon.start()
    status = json.loads(daemon.ctl("status", "--json").out)["drill"]
    assert status["by"] == "oobd" and status["result"] == "failed" and "edge1 console" in status["failures"]
    assert re.search(r"; the next in [67] d$", daemon.ctl("status").out, re.MULTILINE)


def test_a_drill_that_is_left_gives_the_keyboard_back(lab):
    silent = lab.gear("edge1")
    daemon = begin(lab, {"edge1": silent})
    daemon.wait_up("edge1")
    visit = daemon.begin("drill", "edge1")
    until("it types", lambda: daemon.devices_now()["edge1"]["writer"] == "alice (drill)")
    visit.child.kill()
    until("the keyboard is free", lambda: daemon.devices_now()["edge1"]["writer"] is None)
    until("it is in the journal", lambda: daemon.journal("drill.given_up"))
    until("none is under way", lambda: json.loads(daemon.ctl("status", "--json").out)["drill"]["under_way"] is False)
