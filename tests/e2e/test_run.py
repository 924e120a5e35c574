"""`run`: a command on a device behind a login prompt, with real shells: its exact output, its status, and nothing left."""

import concurrent.futures
import hashlib
import json
import os
import signal
import subprocess
import time

import pytest

from harness import until
from machines import RECIPE, Machine

SHELLS = {"dash": "/bin/dash", "bash": "/bin/bash --norc --noprofile", "ash": "/bin/busybox ash"}


class Site:
    """A daemon with one machine, edge1; or with several, whose shells are `shells`, by name."""

    def __init__(self, lab, shells=None, **how):
        os.makedirs(lab.path("recipes"))
        with open(lab.path("recipes/box.recipe"), "w") as file:
            file.write(RECIPE)
        with open(lab.path("password"), "w") as file:
            file.write(Machine.PASSWORD + "\n")
        os.chmod(lab.path("password"), 0o600)
        keys = (f'model = "box"\nlogin = {{ user = "{Machine.USER}", '
                f'password_file = "{lab.path("password")}" }}\n' + how.pop("keys", ""))
        self.machines = {name: lab.keep(Machine(lab.path(name), lab.path("home-" + name), shell))
                         for name, shell in (shells or {"edge1": "/bin/dash"}).items()}
        for machine in self.machines.values():
            machine.keys = keys
        self.machine = self.machines.get("edge1")
        self.daemon = lab.daemon(self.machines, server=f'[snapshot]\nrecipes = "{lab.path("recipes")}"\n', **how)
        self.daemon.wait_up(*self.machines)

    def run(self, *words, device="edge1", **how):
        return self.daemon.ssh("run", device, *words, **how)

    def is_as_found(self, device="edge1"):
        machine = self.machines[device]
        until("nobody is logged in", machine.at_login)
        assert machine.echoes()
        assert not [name for name in os.listdir(machine.home) if name != "here"]
        assert "left_open" not in self.daemon.devices_now()[device]


@pytest.fixture
def site(lab):
    return Site(lab)


# --- on several machines at once: most of a visit is waiting ----------------------------------------------------------


@pytest.fixture(scope="module")
def several(shared_lab):
    return Site(shared_lab, {**SHELLS, **{f"box{number}": "/bin/dash" for number in range(4)}})


def at_once(what, *cases):
    """What `what` says to each of the cases, one thread each; an error of one of them is an error here."""
    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        return list(pool.map(lambda case: what(*case), cases))


def test_output_is_exact_and_the_status_is_the_commands(several):
    def see(shell):
        done = several.run("--", "echo to stdout; echo to stderr >&2; exit 3", device=shell)
        assert (done.out, done.err, done.status) == ("to stdout\n", "to stderr\n", 3), shell
        every = bytes(range(256)) * 3
        with open(os.path.join(several.machines[shell].home, "here"), "wb") as file:
            file.write(every)
        done = several.run("--", "cat here", device=shell)
        assert done.status == 0 and done.raw == every, (shell, done)
        several.is_as_found(shell)

    at_once(see, *((shell,) for shell in SHELLS))


def test_statuses(several):
    def see(device, command, status):
        done = several.run("--", command, device=device)
        assert done.status == status, (command, done)
        assert done.out == "", (command, done)
        several.is_as_found(device)

    at_once(see, ("box0", "true", 0), ("box1", "exit 255", 255), ("box2", "no-such-program-here", 127),
            ("box3", "kill -9 $$", 137))


def as_it_was_typed(several):
    done = several.run("--", r'''printf "%s|" "a  b" 'c$HOME' --wait "\\"''', device="box0")
    assert (done.out, done.status) == ("a  b|c$HOME|--wait|\\|", 0), done


def stdin_is_empty_and_much_output_comes_whole(several):
    done = several.run("--", "cat; seq 1 60000", device="box1", timeout=120)
    assert done.status == 0, done.err
    assert hashlib.sha256(done.raw).digest() == hashlib.sha256(
        b"".join(b"%d\n" % n for n in range(1, 60001))).digest()


def ctl_runs_as_well(several):
    done = several.daemon.ctl("run", "box2", "--", "echo hello; exit 7")
    assert (done.out, done.status) == ("hello\n", 7), done


def a_time_limit_ends_the_command(several):
    done = several.run("--timeout", "1", "--", "sleep 1000", device="box3")
    assert done.status == 124 and "oobd: box3: it did not end within 1 s, and was ended" in done.err, done


def test_commands_are_taken_whole_and_ended_in_time(several):
    at_once(lambda one: one(several), *((one,) for one in (
        as_it_was_typed, stdin_is_empty_and_much_output_comes_whole, ctl_runs_as_well, a_time_limit_ends_the_command)))
    for device in ("box0", "box1", "box2", "box3"):
        several.is_as_found(device)


# --- on one -----------------------------------------------------------------------------------------------------------


def test_without_a_model_it_says_what_to_do(lab):
    daemon, _ = lab.one()
    done = daemon.ssh("run", "edge1", "--", "ls")
    assert done.status == 64 and 'model = "linux"' in done.err, done


def test_a_wrong_password_is_told_and_nothing_is_left(lab):
    site = Site(lab)
    with open(lab.path("password"), "w") as file:
        file.write("wrong\n")
    done = site.run("--", "ls")
    assert done.status == 77 and "edge1" in done.err, done
    site.is_as_found()


# --- others on the console -------------------------------------------------------------------------------------------


def test_who_types_is_named_and_may_be_waited_for(site):
    bob = site.daemon.attached(user="bob")
    busy = site.run("--", "echo hello")
    assert busy.status == 75 and "bob is typing" in busy.err, busy
    in_vain = site.run("--wait", "1", "--", "echo hello")
    assert in_vain.status == 75 and "waited" in in_vain.err, in_vain
    waits = site.daemon.begin("run", "edge1", "--wait", "60", "--", "echo hello")
    until("it says that it waits", lambda: "bob is typing" in waits.err)
    bob.type("\x05c.")
    assert waits.wait() == 0
    assert waits.out == b"hello\n"
    site.is_as_found()


def test_it_is_seen_by_who_watches(site):
    carol = site.daemon.attached(user="carol", says="nobody else here")
    runs = site.daemon.begin("run", "edge1", "--", "until [ -e go ]; do sleep 0.1; done")
    carol.expect(r"alice's command types checksummed blocks; \^Ec f takes the keyboard")
    assert site.daemon.devices_now()["edge1"]["writer"] == "alice (run)"
    with open(os.path.join(site.machine.home, "go"), "w"):
        pass
    assert runs.wait() == 0


def test_a_person_who_takes_the_keyboard_has_a_tty_that_echoes(site):
    runs = site.daemon.begin("run", "edge1", "--timeout", "60", "--", "touch here; sleep 50")
    until("it runs", lambda: os.path.exists(os.path.join(site.machine.home, "here")))
    bob = site.daemon.attached("attach", "edge1", "--force", user="bob")
    assert runs.wait() == 75
    assert "bob took the keyboard" in runs.err
    until("the tty is as it was", site.machine.echoes)
    bob.type("echo to''gether\r")
    bob.expect("echo to''gether")
    bob.expect("together")
    until("nothing is left", lambda: os.listdir(site.machine.home) == ["here"])


@pytest.mark.parametrize("how", ["interrupted", "hung up"])
def test_who_goes_away_leaves_nobody_logged_in(site, how):
    if how == "interrupted":
        screen = site.daemon.screen("-t", "oob", "run", "edge1", "--", "touch here; sleep 50")
    else:
        runs = site.daemon.begin("run", "edge1", "--", "touch here; sleep 50")
    until("it runs", lambda: os.path.exists(os.path.join(site.machine.home, "here")))
    if how == "interrupted":
        screen.type("\x03")
        screen.ends(130)
    else:
        runs.child.kill()
    until("its end is written down", lambda: site.daemon.journal("run.result"), patience=60)
    site.is_as_found()


def test_an_unplugged_line_is_told(site):
    runs = site.daemon.begin("run", "edge1", "--", "touch here; sleep 50")
    until("it runs", lambda: os.path.exists(os.path.join(site.machine.home, "here")))
    site.machine.unplug()
    assert runs.wait() == 69
    assert "line down" in runs.err, runs.err
    assert site.daemon.devices_now()["edge1"]["left_open"]
    assert site.daemon.journalled("console.open")
    site.machine.plug()
    site.daemon.wait_up("edge1")
    bob = site.daemon.attached(user="bob")
    assert site.daemon.devices_now()["edge1"]["left_open"]
    bob.type("\r")
    bob.type("\x05c.")
    until("a person has seen to it", lambda: "left_open" not in site.daemon.devices_now()["edge1"])


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_daemon_that_ends_in_the_middle_hides_no_login(site, how):
    site.daemon.begin("run", "edge1", "--timeout", "60", "--", "touch here; sleep 50")
    until("it runs", lambda: os.path.exists(os.path.join(site.machine.home, "here")))
    site.daemon.kill() if how == "killed" else site.daemon.stop()
    for _ in range(2):
        site.daemon.start()
        site.daemon.wait_up("edge1")
        told = site.daemon.devices_now()["edge1"].get("left_open")
        until("what is told is so", lambda: (told is None) == site.machine.at_login())
        if how == "killed":
            assert told == "the daemon ended in the middle of alice's command"
        assert len(site.daemon.journalled("console.open", 0 if told is None else 1)) == (0 if told is None else 1)
        site.daemon.stop()


# --- what is written down ---------------------------------------------------------------------------------------------


def files_below(folder):
    for base, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(base, name), "rb") as file:
                yield os.path.join(base, name), file.read()


def test_the_journal_has_it_before_and_after_and_the_password_is_nowhere(lab):
    site = Site(lab, keys="record_input = true\n")
    done = site.run("--", "echo hello; exit 4")
    assert done.status == 4, done
    begun, = site.daemon.journal("run")
    until("the result is written", lambda: site.daemon.journal("run.result"))
    result, = site.daemon.journal("run.result")
    assert (begun["device"], begun["command"], begun["user"]) == ("edge1", "echo hello; exit 4", "alice")
    assert (result["device"], result["status"], result["bytes"]) == ("edge1", 4, 6)
    assert result["n"] > begun["n"] and result["seconds"] >= 0
    recorded = site.daemon.ssh("sessions", "--json")
    assert any(json.loads(line)["command"] == "run" for line in recorded.out.splitlines()), recorded
    site.daemon.stop()
    found = [name for name, text in files_below(site.daemon.state) if Machine.PASSWORD.encode() in text]
    assert found == []
    assert Machine.PASSWORD not in site.daemon.stderr


def test_the_password_is_in_no_process_list(site, lab):
    with open(lab.path("seen"), "wb") as out:  # a pipe would be full after a look or two
        watch = subprocess.Popen(["sh", "-c", 'while :; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "; echo; '
                                              "sleep 0.05; done"], stdout=out, start_new_session=True)
    try:
        assert site.run("--", "echo hello").status == 0
    finally:
        os.killpg(watch.pid, signal.SIGKILL)
        watch.wait()
    with open(lab.path("seen"), "rb") as file:
        seen = file.read().decode("utf-8", "replace")
    assert "oobd serve" in seen
    assert Machine.PASSWORD not in seen


def test_the_daemons_end_puts_the_tty_right(site):
    site.daemon.begin("run", "edge1", "--", "touch here; sleep 50")
    until("it runs", lambda: os.path.exists(os.path.join(site.machine.home, "here")))
    began = time.monotonic()
    site.daemon.stop()
    assert time.monotonic() - began < 20
    until("the tty is as it was", site.machine.echoes)
