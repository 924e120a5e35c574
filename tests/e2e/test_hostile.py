"""Strangers who keep to no rule of SSH, against the whole daemon."""

import os
import subprocess

import harness
from harness import until

SSH_TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "ssh")
MANY = "[limits]\npenalties = false\nstartups = 1000\nper_source = 1000"


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def script(daemon, key, name, *words):
    """A script of tests/ssh against this daemon."""
    done = subprocess.run(["/usr/bin/python3", "-B", os.path.join(SSH_TESTS, name), str(daemon.port), key, *words],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_strangers_in_every_state_change_nothing(lab):
    daemon, _ = lab.one(server=MANY)
    assert daemon.ssh("list").status == 0
    front = daemon.front()
    core_before, front_before = descriptors(daemon.process.pid), descriptors(front)
    memory = harness.resident(front)
    script(daemon, lab.key("mallory"), "state_fuzz.py", "strangers")
    for case in ("cve_2018_10933", "cve_2020_1730", "cve_2026_59847", "cve_2026_0966"):
        script(daemon, lab.key("mallory"), "cve.py", case)
    assert daemon.front() == front, "the front fell over and was started anew"
    until("the front has no descriptor more", lambda: descriptors(front) <= front_before)
    # A file or two that is opened when it is first needed; one for each of thousands would show.
    until("the core has no descriptor more", lambda: descriptors(daemon.process.pid) <= core_before + 3)
    assert harness.resident(front) < memory + (8 << 20)
    assert {entry["user"] for entry in daemon.journalled("login")} == {"alice"}
    done = daemon.ssh("list")
    assert done.status == 0 and "edge1" in done.out, done
