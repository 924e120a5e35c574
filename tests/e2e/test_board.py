"""The daemon on its board: `oobd ctl`, its files and their modes, its journal, its end, and the other calls of `oobd`."""

import json
import os
import re
import shlex
import stat
import subprocess

import paramiko
import pytest

import clients
from harness import OOBD, PATIENCE, Daemon, processes_of, until


# --- oobd ctl ------------------------------------------------------------------------------------------------------------


def test_ctl_runs_every_command_with_its_exit_status(lab):
    daemon, gear = lab.one()
    listed = daemon.ctl("list")
    assert listed.status == 0 and "edge1" in listed.out and listed.err == "", listed
    assert daemon.ctl("version").out.startswith("oobd ")
    assert daemon.ctl("send", "edge1", "show  version").status == 0
    gear.hears("show  version\r")
    gear.forget()
    assert daemon.ctl("send", "edge1", "-", input=b"by stdin\n").status == 0
    gear.hears("by stdin")
    missing = daemon.ctl("watch", "nowhere")
    assert missing.status == 66 and missing.out == "" and "no such device: nowhere" in missing.err, missing
    assert daemon.ctl("frobnicate").status == 64
    assert daemon.ctl("expect", "edge1", "never", "--timeout", "1").status == 1
    daemon.attached()
    assert daemon.ctl("send", "edge1", "x").status == 75


def test_ctl_attaches_on_a_terminal(lab):
    daemon, gear = lab.one()
    screen = lab.keep(clients.Screen([OOBD, "ctl", "-c", daemon.config, "attach", "edge1"], lab.environment))
    screen.expect("you may type")
    screen.type("from the board\r")
    gear.hears("from the board\r")
    gear.says("answer\r\n")
    screen.expect("answer")
    screen.leave()


def test_ctl_without_a_daemon_says_so(lab):
    daemon = Daemon(lab, {})
    done = daemon.ctl("list")
    assert done.status == 69 and "oobd" in done.err and done.out == "", done


def test_ctl_ends_when_the_daemon_does(lab):
    daemon, _ = lab.one()
    watcher = lab.keep(clients.Background([OOBD, "ctl", "-c", daemon.config, "watch", "edge1"], lab.environment,
                                          lab.path("out")))
    until("ctl watches", lambda: daemon.devices_now()["edge1"]["watchers"])
    daemon.stop()
    assert watcher.wait() not in (0, None)


# --- files -----------------------------------------------------------------------------------------------------------------


def test_the_state_folder_and_the_host_keys_are_private(lab):
    daemon, gear = lab.one()
    gear.says("secret of the gear\r\n")
    until("it is written", lambda: daemon.transcript("edge1"))
    for base, folders, files in os.walk(daemon.state):
        for name in [name for name in files if not name.endswith(".pub")] + folders + ["."]:
            mode = stat.S_IMODE(os.lstat(os.path.join(base, name)).st_mode)
            assert mode & 0o077 == 0, f"{base}/{name} has mode {mode:o}"
    for name in ("host_ed25519",):
        assert stat.S_IMODE(os.stat(os.path.join(daemon.state, name)).st_mode) == 0o600
    first = open(os.path.join(daemon.state, "host_ed25519")).read()
    daemon.stop()
    daemon.start()
    assert open(os.path.join(daemon.state, "host_ed25519")).read() == first


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_loose_host_key_is_refused(lab, mode):
    daemon, _ = lab.one()
    daemon.stop()
    path = os.path.join(daemon.state, "host_ed25519")
    os.chmod(path, mode)
    done = daemon.oobd("serve", "-c", daemon.config)
    assert done.status == 78 and path in done.err, done


def test_a_broken_host_key_is_refused_and_kept(lab):
    daemon, _ = lab.one()
    daemon.stop()
    path = os.path.join(daemon.state, "host_ed25519")
    with open(path, "w") as file:
        file.write("not a key\n")
    done = daemon.oobd("serve", "-c", daemon.config)
    assert done.status == 78 and path in done.err, done
    assert open(path).read() == "not a key\n"


def test_a_second_daemon_on_the_same_state_is_refused(lab):
    daemon, gear = lab.one()
    done = daemon.oobd("serve", "-c", daemon.config)
    assert done.status != 0 and daemon.state in done.err, done
    gear.says("the first goes on\r\n")
    until("it is written", lambda: b"the first goes on" in daemon.transcript("edge1"))
    assert daemon.ssh("version").status == 0 and daemon.ctl("version").status == 0


# --- the journal -----------------------------------------------------------------------------------------------------------


def test_the_journal_tells_who_did_what_and_no_secret(lab):
    daemon, gear = lab.one()
    daemon.ssh("version", user="mallory", key=lab.key("alice"))
    screen = daemon.attached()
    screen.type("hunter2\r")
    gear.hears("hunter2\r")
    bob = daemon.attached("attach", "edge1", "--force", user="bob")
    bob.leave()
    screen.leave()
    daemon.ssh("send", "edge1", "swordfish")
    gear.hears("swordfish\r")
    until("all of it is written", lambda: len(daemon.journal("detach")) >= 2)
    events = {entry["ev"] for entry in daemon.journal()}
    assert {"login", "login.refused", "attach", "detach", "writer.take", "writer.force"} <= events, events
    login = daemon.journal("login")[0]
    assert login["user"] == "alice" and login["key"].startswith("SHA256:") and login["source"].split(":")[0] == "127.0.0.1", login
    assert "mallory" in json.dumps(daemon.journal("login.refused"))
    numbers = [entry["n"] for entry in daemon.journal()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    text = json.dumps(daemon.journal()) + daemon.stderr
    for secret in ("hunter2", "swordfish", "PRIVATE KEY", lab.public("alice").split()[1]):
        assert secret not in text, secret
    daemon.stop()
    daemon.start()
    after = [entry["n"] for entry in daemon.journal()]
    assert after[:len(numbers)] == numbers and after == list(range(after[0], after[0] + len(after)))


def test_what_strangers_send_can_not_forge_a_line(lab):
    daemon, _ = lab.one()
    evil = 'x"}\n{"ev":"login","user":"root"\x1b[2J'
    daemon.ssh("version", options=["User=" + evil])
    transport = paramiko.Transport(("127.0.0.1", daemon.port))
    transport.connect()
    with pytest.raises(paramiko.SSHException):
        transport.auth_publickey(evil, paramiko.Ed25519Key.from_private_key_file(lab.key("alice")))
    transport.close()
    until("it is refused", lambda: daemon.journal("login.refused"))
    assert not daemon.journal("login") and "\x1b" not in daemon.stderr
    with subprocess.Popen(["cat"] + [os.path.join(base, name) for base, _, names in
                                     os.walk(daemon.state + "/journal") for name in names
                                     if name.endswith(".jsonl")],
                          stdout=subprocess.PIPE) as child:
        assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", child.stdout.read())


# --- its end -----------------------------------------------------------------------------------------------------------------


def test_sigterm_ends_it_cleanly_with_people_on_it(lab):
    daemon, gear = lab.one()
    screen, watcher = daemon.attached(), daemon.begin("watch", "edge1")
    until("both are there", lambda: len(daemon.devices_now()["edge1"]["watchers"]) == 2)
    gear.says("last words\r\n")
    watcher.sees("last words")
    daemon.stop()
    screen.expect("stopp")
    assert screen.child.wait(PATIENCE) != 0 and watcher.wait() != 0
    assert daemon.transcript("edge1") == b"last words\r\n"
    assert not gear.connected()


# --- other calls -----------------------------------------------------------------------------------------------------------


def test_check_says_what_is_wrong_and_where(lab):
    daemon = Daemon(lab, {"edge1": '{ unix = "one.sock" }'})
    good = daemon.oobd("check", "-c", daemon.config)
    assert good.status == 0 and good.err == "", good
    daemon.write_config(daemon.config_text().replace("roles = ", "rolls = ", 1))
    bad = daemon.oobd("check", "-c", daemon.config)
    assert bad.status == 78 and re.search(re.escape(daemon.config) + r":\d+:\d+: .*rolls.*roles", bad.out + bad.err), bad
    serve = daemon.oobd("serve", "-c", daemon.config)
    assert serve.status == 78 and re.search(r":\d+:\d+: ", serve.err), serve
    daemon.write_config()
    daemon.write_keys("bob", "frobnicate " + lab.public("bob"))
    keys = daemon.oobd("check", "-c", daemon.config)
    assert keys.status == 78 and re.search(re.escape(daemon.keys_file("bob")) + r":1:\d+: .*frobnicate",
                                           keys.out + keys.err), keys


def test_the_small_calls(lab):
    def oobd(*words):
        return clients.run([OOBD, *words], lab.environment)

    version = oobd("--version")
    assert version.status == 0 and re.match(r"oobd \d+\.\d+\.\d+", version.out), version
    usage = oobd("help")
    assert usage.status == 0 and all(word in usage.out for word in ("serve", "check", "demo", "ports", "ctl")), usage
    assert oobd("help", "serve").status == 0
    for words in (["recipe", "--help"], ["recipe", "check", "-h"], ["check", "--help"], ["ctl", "--help"]):
        shown = oobd(*words)
        assert shown.status == 0 and f"oobd {words[0]} " in shown.out, shown
    for words in ((), ("frobnicate",), ("serve", "--nonsense"), ("serve", "-c")):
        done = oobd(*words)
        assert done.status == 64 and (done.err or not words), (words, done)
    ports = oobd("ports")
    assert ports.status == 0, ports
    assert isinstance([json.loads(line) for line in oobd("ports", "--json").out.splitlines()], list)
    missing = oobd("serve", "-c", "/nowhere/oobd.toml")
    assert missing.status == 78 and "/nowhere/oobd.toml" in missing.err, missing


def test_the_demo_prints_a_line_that_works_and_leaves_nothing(lab):
    """Ctrl-C on its terminal, as a person ends it."""
    folder = lab.path("demo")
    screen = lab.keep(clients.Screen([OOBD, "demo", "--dir", folder], lab.environment, columns=500))
    line = screen.expect(r"(?m)^\s*(ssh .*?)\r?\n").group(1)
    session = screen.child.pid
    listing = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                             env=lab.environment)
    assert listing.returncode == 0, (line, listing)
    words = shlex.split(line)
    words.remove("-t") if "-t" in words else None
    listed = clients.run(words + ["list", "--json"], lab.environment)
    devices = [json.loads(one)["device"] for one in listed.out.splitlines()]
    assert listed.status == 0 and "edge1" in devices and len(devices) >= 2, listed
    pulled = clients.run(words + ["snapshot", "edge1"], lab.environment)
    assert pulled.status == 0 and pulled.out.startswith("edge1"), pulled
    shell = lab.keep(clients.Screen(words[:1] + ["-t"] + words[1:] + ["edge1"], lab.environment))
    shell.expect("you may type")
    shell.type("\recho $((6*7))\r")
    shell.expect(r"\b42\b")
    shell.leave()
    screen.type("\x03")
    screen.ends(0)
    until("nothing is left", lambda: not processes_of(session))
    until("nothing of it runs elsewhere", lambda: folder not in subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True).stdout)
