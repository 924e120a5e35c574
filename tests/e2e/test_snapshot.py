"""Configurations over the console: stock ssh, the daemon, and real shells behind login prompts."""

import glob
import hashlib
import json
import os
import re
import shlex
import signal
import stat
import subprocess

import pytest

from harness import until
from machines import RECIPE, Machine


class Rack:
    """A daemon with machines; the files below their `conf` folders are in their snapshots."""

    def __init__(self, lab, *names):
        self.lab = lab
        os.makedirs(lab.path("recipes"))
        recipe = re.sub(r"^files .*\n", "", RECIPE, flags=re.MULTILINE)
        with open(lab.path("recipes/box.recipe"), "w") as file:
            file.write(recipe + 'cmd version.txt "echo 1"\nsecret * /secret (\\S+)/\n')
        with open(lab.path("password"), "w") as file:
            file.write(Machine.PASSWORD + "\n")
        os.chmod(lab.path("password"), 0o600)
        self.machines = {}
        for name in names:
            machine = lab.keep(Machine(lab.path(name), lab.path("home-" + name), "/bin/dash"))
            os.makedirs(os.path.join(machine.home, "conf"))
            machine.keys = (f'model = "box"\nlogin = {{ user = "{Machine.USER}", '
                            f'password_file = "{lab.path("password")}" }}\nfetch = ["{machine.home}/conf/*"]\n')
            self.machines[name] = machine
        self.daemon = lab.daemon(self.machines, server=f'[snapshot]\nrecipes = "{lab.path("recipes")}"\n')
        self.daemon.wait_up(*names)

    def name(self, device, file):
        """Of a file in its snapshots."""
        return os.path.join(self.machines[device].home, "conf", file).lstrip("/")

    def write(self, device, file, data):
        with open("/" + self.name(device, file), "wb") as out:
            out.write(data.encode() if isinstance(data, str) else data)

    def snapshot(self, *words, **how):
        return self.daemon.ssh("snapshot", *words, timeout=120, **how)

    def results(self, *words):
        """By device, what --json tells; and the exit status."""
        done = self.snapshot(*words, "--json")
        objects = [json.loads(line) for line in done.out.splitlines()]
        return {one["device"]: one for one in objects if "result" in one}, done

    def is_as_found(self, *names):
        for name in names or self.machines:
            machine = self.machines[name]
            until(f"nobody is logged in to {name}", machine.at_login)
            assert machine.echoes()
            assert os.listdir(machine.home) == ["conf"], os.listdir(machine.home)


@pytest.fixture
def rack(lab):
    return Rack(lab, "edge1")


def test_a_configuration_is_stored_byte_for_byte_and_then_only_its_changes(rack):
    every = bytes(range(256)) * 40 + b"no end of line"
    rack.write("edge1", "blob", every)
    rack.write("edge1", "config", "".join(f"line {n}\n" for n in range(500)))
    done = rack.snapshot("edge1")
    assert done.status == 0, done
    assert re.fullmatch(r"edge1  stored [0-9a-f]{8}  .* new, .*version\.txt new  .* kB, device, [0-9.]+ s.*\n", done.out)
    rack.is_as_found()
    shown = rack.daemon.ssh("show", "edge1", rack.name("edge1", "blob"))
    assert shown.status == 0 and shown.raw == every

    done = rack.snapshot("edge1")
    assert done.status == 0 and re.match(r"edge1  unchanged since [0-9a-f]{8} \(20\d\d-", done.out), done

    rack.write("edge1", "config", "".join(f"line {n}\n" for n in range(500)) + "secret hunter2\n")
    done = rack.snapshot("edge1")
    assert done.status == 0 and "/conf/config +1 -0  " in done.out, done
    difference = rack.daemon.ssh("diff", "edge1")
    assert difference.status == 0 and "\n+secret " in difference.out, difference
    assert "hunter2" not in difference.out
    assert "\n+secret hunter2\n" in rack.daemon.ssh("diff", "edge1", "--bytes").out

    history = [json.loads(line) for line in rack.daemon.ssh("snapshots", "edge1", "--json").out.splitlines()]
    assert len(history) == 2 and history[0]["user"] == "alice" and history[0]["grade"] == "device", history
    old = rack.daemon.ssh("show", "edge1", rack.name("edge1", "config"), "--at", history[1]["revision"][:10])
    assert old.status == 0 and old.out.endswith("line 499\n")
    for words in (("show", "edge1", "nothing"), ("show", "edge1", "--at", "0123456789"), ("diff", "edge1", "01234567")):
        assert rack.daemon.ssh(*words).status == 66, words
    rack.daemon.journalled("snapshot.stored", 2)
    events = [entry["ev"] for entry in rack.daemon.journal() if entry["ev"].startswith("snapshot.")]
    assert events == ["snapshot.pull", "snapshot.stored", "snapshot.pull", "snapshot.unchanged", "snapshot.pull",
                      "snapshot.stored"]
    stored = rack.daemon.journal("snapshot.stored")[0]
    assert hashlib.sha256(every).hexdigest() in stored["files"], stored
    assert rack.daemon.devices_now()["edge1"]["snapshot"]


def test_a_glob_pulls_several_side_by_side_and_tells_scripts_of_each(lab):
    rack = Rack(lab, "edge1", "edge2", "edge3")
    for name in rack.machines:
        rack.write(name, "config", f"I am {name}\n")
    rack.machines["edge2"].unplug()
    until("edge2 is down", lambda: rack.daemon.devices_now()["edge2"]["state"] == "down")
    results, done = rack.results("'edge*'")
    assert done.status == 69, done
    assert [results[name]["result"] for name in sorted(results)] == ["stored", "failed", "stored"], results
    one = results["edge1"]
    assert one["grade"] == "device" and one["seconds"] > 0 and one["bytes_on_wire"] > 100 and one["recording"], one
    files = {file["name"]: file for file in one["files"]}
    mine = files[rack.name("edge1", "config")]
    assert mine["size"] == 11 and mine["change"] == "added"
    assert mine["sha256"] == hashlib.sha256(b"I am edge1\n").hexdigest()
    rack.is_as_found("edge1", "edge3")
    status = json.loads(rack.daemon.ssh("status", "--json").out)
    troubles = {each["device"]: each["trouble"] for each in status["snapshots"]}
    assert troubles["edge1"] == "" and troubles["edge2"], troubles
    rack.machines["edge2"].plug()


def test_what_shrank_is_in_quarantine_until_it_is_accepted(rack):
    rack.write("edge1", "config", os.urandom(3000).hex())
    assert rack.snapshot("edge1").status == 0
    rack.write("edge1", "config", "short\n")
    done = rack.snapshot("edge1")
    assert done.status == 1 and "QUARANTINED" in done.out and "--accept" in done.out, done
    assert rack.daemon.ssh("show", "edge1", rack.name("edge1", "config")).out != "short\n"
    assert "QUARANTINED" in rack.daemon.ssh("snapshots", "edge1").out
    accepted = rack.snapshot("edge1", "--accept")
    assert accepted.status == 0 and "stored" in accepted.out, accepted
    assert rack.daemon.ssh("show", "edge1", rack.name("edge1", "config")).out == "short\n"


def test_a_forged_history_is_found(rack):
    """Another commit on main, with sums in meta.json that fit: by whoever can write the state folder."""
    rack.write("edge1", "config", "true\n")
    assert rack.snapshot("edge1").status == 0
    daemon, name = rack.daemon, rack.name("edge1", "config")
    daemon.journalled("snapshot.stored")
    before = daemon.ctl("verify")
    assert before.status == 0 and "snapshots of 1 device, 1 revision" in before.out, before

    bare, work = os.path.join(daemon.state, "snapshots.git"), rack.lab.path("work")

    def git(*words):
        return subprocess.run(["git", "-c", "user.name=m", "-c", "user.email=m@x", *words], check=True, text=True,
                              capture_output=True, env=rack.lab.environment).stdout.strip()

    git("clone", "-q", bare, work)
    with open(os.path.join(work, "edge1", name), "w") as file:
        file.write("forged\n")
    with open(os.path.join(work, "edge1", "meta.json"), "r+") as file:
        meta = file.read().replace(hashlib.sha256(b"true\n").hexdigest(), hashlib.sha256(b"forged\n").hexdigest())
        file.seek(0)
        file.truncate()
        file.write(meta.replace('"size": 5}', '"size": 7}'))
    git("-C", work, "commit", "-qam", "forged")
    git("-C", work, "push", "-q", "origin", "HEAD:main")

    for found in (daemon.ctl("verify"), daemon.oobd("verify", daemon.state)):
        assert found.status == 1 and "ALTERED: snapshots.git/edge1 (record " in found.out, found
        assert f"{name} is not what was stored as" in found.out and "is none that was stored" in found.out, found
    assert daemon.ssh("show", "edge1", name).out == "forged\n", "what a clone has is shown"
    told = until("it is in the journal", lambda: daemon.journal("snapshot.changed"))
    assert git("--git-dir", bare, "rev-parse", "main~1") in told[0]["text"], told
    again = rack.snapshot("edge1")
    assert again.status == 0 and "edge1  stored " in again.out and len(daemon.journal("snapshot.changed")) == 1, again
    after = daemon.ctl("verify")
    assert after.status == 1 and "snapshots.git/edge1" not in after.out and "none that was stored" in after.out, after


def test_somebody_who_types_is_not_disturbed(rack):
    rack.write("edge1", "config", "x\n")
    person = rack.daemon.attached("edge1", user="bob")
    done = rack.snapshot("edge1")
    assert done.status == 75 and "bob" in done.err, done
    assert rack.daemon.journalled("snapshot.failed")
    waits = rack.daemon.begin("snapshot", "edge1", "--wait", "60")
    until("it waits", lambda: len(rack.daemon.journal("snapshot.pull")) == 2)
    person.close()
    waits.sees(b"stored ")
    rack.is_as_found()


def test_whoever_leaves_stores_nothing_and_leaves_nobody_logged_in(rack):
    rack.write("edge1", "config", os.urandom(2_000_000))
    begun = subprocess.Popen(rack.daemon.ssh_argv("snapshot", "edge1", "--json"), env=rack.lab.environment,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        line = json.loads(begun.stdout.readline())
        assert "progress" in line, line
        assert not rack.machines["edge1"].at_login()
    finally:
        begun.send_signal(signal.SIGKILL)
        begun.wait()
        begun.stdout.close()
    rack.is_as_found()
    until("its end is in the journal", lambda: rack.daemon.journal("snapshot.failed"))
    assert rack.daemon.ssh("snapshots", "edge1").status == 66
    assert not rack.daemon.journal("snapshot.stored")


def test_a_wrong_password_is_said_and_is_not_the_visitors(rack):
    with open(rack.lab.path("password"), "w") as file:
        file.write("wrong\n")
    done = rack.snapshot("edge1")
    assert done.status == 69 and "refuses the user or the password" in done.err, done


def test_a_terminal_sees_how_far_it_is(rack):
    rack.write("edge1", "config", os.urandom(300_000))
    screen = rack.daemon.screen("-t", "snapshot", "edge1")
    screen.expect("%")
    screen.expect("stored ")


def readme_script():
    with open(os.path.join(os.path.dirname(__file__), "../../README.md")) as file:
        page = file.read()
    return re.search(r"```sh\n(#!/bin/sh\n.*?)```", page, re.DOTALL).group(1)


def test_the_script_of_the_readme_mails_what_changed(lab):
    rack = Rack(lab, "edge1", "edge2")
    bin_folder = lab.path("bin")
    os.makedirs(bin_folder)
    argv = rack.daemon.ssh_argv("oob")
    assert argv[-1] == "oob"
    programs = {"ssh": f'#!/bin/sh\nexec /usr/bin/{shlex.join(argv[:-1])} "$@"\n',
                "mail": f'#!/bin/sh\n{{ echo "$@"; cat; }} > {shlex.quote(lab.path("letter"))}\n',
                "configurations": readme_script()}
    for name, text in programs.items():
        path = os.path.join(bin_folder, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, stat.S_IRWXU)
    environment = dict(lab.environment, PATH=f"{bin_folder}:{lab.environment['PATH']}")

    def letter():
        subprocess.run([os.path.join(bin_folder, "configurations")], env=environment, check=True, timeout=240,
                       stdin=subprocess.DEVNULL)
        found = glob.glob(lab.path("letter"))
        with open(found[0]) as file:
            text = file.read()
        os.unlink(found[0])
        return text

    assert len(readme_script().strip().splitlines()) == 5
    for name in rack.machines:
        rack.write(name, "config", "one\n")
    letter()
    rack.write("edge2", "config", "one\ntwo\n")
    text = letter()
    assert "edge1  unchanged since" in text and "edge2  stored" in text, text
    assert "\n+two\n" in text and text.count("\n+") == 2, text
