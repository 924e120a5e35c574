"""Every way in of the contract with stock OpenSSH, and every other way refused at once."""

import concurrent.futures
import os
import re
import socket
import subprocess
import time

import paramiko
import pytest

import clients
from harness import until

AT_ONCE = 15.0  # seconds; far below the 30 s of grace that a client without an answer would wait


# --- the prompt ------------------------------------------------------------------------------------------------------


def test_ssh_without_a_command_shows_the_list_and_a_prompt(lab):
    daemon, _ = lab.one()
    screen = daemon.screen("oob")
    screen.expect(r"edge1\b")
    screen.expect(r"\bup\b")
    screen.expect("oobd> ")
    screen.type("version\r")
    screen.expect(r"oobd \d")
    screen.type("exit\r")
    screen.ends(0)


def test_ctrl_d_leaves_the_prompt(lab):
    daemon, _ = lab.one()
    screen = daemon.screen("oob")
    screen.expect("oobd> ")
    screen.type("\x04")
    screen.ends(0)


def test_the_prompt_has_history(lab):
    daemon, _ = lab.one()
    screen = daemon.screen("oob")
    screen.expect("oobd> ")
    screen.type("version\r")
    screen.expect(r"oobd \d")
    screen.expect("oobd> ")
    screen.type("who\r")
    screen.expect("alice")
    screen.expect("oobd> ")
    screen.type("\x1b[A\x1b[A")
    screen.expect("version")
    screen.type("\r")
    screen.expect(r"oobd \d")


def test_tab_completes_commands_and_the_devices_one_may_see(lab):
    gears = [lab.gear(name) for name in ("edge1", "hidden1")]
    daemon = lab.daemon({"edge1": gears[0], "hidden1": gears[1]}, users={"alice": ["edges"]},
                        roles={"edges": (["edge*"], ["watch", "write"])})
    screen = daemon.screen("oob")
    screen.expect("oobd> ")
    screen.type("vers\t")
    screen.expect("version")
    screen.type("\x03")
    screen.expect("oobd> ")
    screen.type("watch ed\t")
    screen.expect("watch edge1")
    screen.type("\x03")
    screen.expect("oobd> ")
    screen.type("watch hid\t")
    screen.expect("watch hid")
    screen.type("\r")
    screen.expect("no such device")
    assert "hidden1" not in screen.text


def test_the_prompt_goes_on_after_a_mistake_and_after_a_console(lab):
    daemon, gear = lab.one()
    screen = daemon.screen("oob")
    screen.expect("oobd> ")
    screen.type("frobnicate\r")
    screen.expect("frobnicate")
    screen.expect("oobd> ")
    screen.type("attach edge1\r")
    screen.expect("you may type")
    screen.type("hello\r")
    gear.hears("hello\r")
    screen.type("\x05c.")
    screen.expect("oobd> ")
    screen.type("exit\r")
    screen.ends(0)


def test_without_a_terminal_commands_are_read_from_stdin_one_a_line(lab):
    daemon, _ = lab.one()
    done = daemon.ssh("oob", input="version\nlist --json\n")
    assert done.status == 0, done
    lines = done.out.splitlines()
    assert lines[0].startswith("oobd ") and '"device":"edge1"' in lines[1].replace(" ", ""), done
    assert "> " not in done.out
    done = daemon.ssh("oob", input="list edge1\nlist nowhere\nversion")
    assert "no such device: nowhere" in done.err and "oobd " in done.out, done


# --- straight to a console ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("-t", "oob", "edge1"), ("-t", "oob", "attach", "edge1"), ("alice:edge1@oob",),
                                   ("alice+edge1@oob",)], ids=" ".join)
def test_the_console_is_one_ssh_away(lab, words):
    daemon, gear = lab.one()
    screen = daemon.screen(*words)
    screen.expect("edge1.*you may type")
    screen.type("show version\r")
    gear.hears("show version\r")
    gear.says("edge1 says version 7\r\n")
    screen.expect("edge1 says version 7")
    screen.leave()


@pytest.mark.parametrize("words", [("attach", "nowhere"), ("alice:nowhere@oob",), ("alice+nowhere@oob",)],
                         ids=" ".join)
def test_a_device_that_does_not_exist_is_66(lab, words):
    daemon, _ = lab.one()
    screen = daemon.screen("-t", *words)
    screen.expect("no such device: nowhere")
    screen.ends(66)


def test_a_word_that_is_neither_command_nor_device_is_bad_usage(lab):
    daemon, _ = lab.one()
    done = daemon.ssh("frobnicate")
    assert done.status == 64 and "frobnicate" in done.err and done.out == "", done


def test_exec_keeps_output_remarks_and_status_apart(lab):
    daemon, _ = lab.one()
    done = daemon.ssh("version")
    assert done.status == 0 and re.fullmatch(r"oobd \d+\.\d+\.\d+.*\n", done.out) and done.err == "", done
    done = daemon.ssh("watch", "nowhere")
    assert (done.status, done.out) == (66, "") and "no such device: nowhere" in done.err, done
    done = daemon.ssh("-tt", "version")
    assert done.status == 0 and done.out.startswith("oobd ") and done.out.endswith("\r\n"), done


def test_several_sessions_share_one_connection(lab):
    daemon, gear = lab.one()
    path = lab.path("mux")
    master = daemon.begin("-M", "-S", path, "-N", "oob")
    until("the master is there", lambda: daemon.ssh("-S", path, "-O", "check", "oob").status == 0)
    watcher = daemon.begin("-S", path, "oob", "watch", "edge1")
    until("the watcher watches", lambda: daemon.devices_now()["edge1"]["watchers"])
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: daemon.ssh("-S", path, "oob", "version"), range(6)))
    assert all(answer.status == 0 and answer.out.startswith("oobd ") for answer in answers), answers
    gear.says("over one connection\r\n")
    watcher.sees("over one connection")
    assert len(daemon.journalled("login")) == 1
    daemon.ssh("-S", path, "-O", "exit", "oob")
    master.wait()


def test_the_size_of_the_window_is_followed(lab):
    daemon, gear = lab.one()
    gear.says("".join(f"row {n:03d}\r\n" for n in range(200)))
    until("it is written", lambda: b"row 199" in daemon.transcript("edge1"))
    screen = daemon.screen("oob", rows=60)
    screen.expect("oobd> ")
    screen.type("attach edge1\r")
    screen.expect("row 199")
    assert screen.text.count("row ") > 40, screen.text
    screen.type("\x05c.")
    screen.expect("oobd> ")
    screen.resize(8, 70)
    screen.expect("oobd> ")  # the prompt is drawn again
    screen.type("attach edge1\r")
    screen.expect("row 199")
    assert 1 <= screen.before.count("row ") + 1 <= 8, screen.before


def test_half_closed_both_ways(lab):
    daemon, gear = lab.one()
    done = daemon.ssh("send", "edge1", "-", input="first\nsecond\n")
    assert done.status == 0, done
    gear.hears("first")
    gear.hears("second")
    watcher = daemon.begin("watch", "edge1")
    until("the watcher watches", lambda: daemon.devices_now()["edge1"]["watchers"])
    watcher.end_input()
    gear.says("after the end of input\r\n")
    watcher.sees("after the end of input")


# --- refused -----------------------------------------------------------------------------------------------------------


def refused(done):
    assert done.status == 255 and "Permission denied (publickey)." in done.err, done
    assert done.seconds < AT_ONCE


def test_strangers_are_refused_alike_and_at_once(lab):
    daemon, _ = lab.one()
    lab.key("stranger")
    unknown = daemon.ssh("version", user="mallory", key=lab.key("alice"))
    wrong = daemon.ssh("version", key=lab.key("stranger"))
    other = daemon.ssh("version", user="carol", key=lab.key("alice"))
    for done in (unknown, wrong, other):
        refused(done)
    assert unknown.err.replace("mallory", "") == wrong.err.replace("alice", "")
    until("refusals are written down", lambda: len(daemon.journal("login.refused")) >= 3)


def test_no_password_is_ever_asked(lab):
    daemon, _ = lab.one()
    refused(daemon.ssh("version", options=["PreferredAuthentications=password,keyboard-interactive,none",
                                           "NumberOfPasswordPrompts=1"]))


@pytest.mark.parametrize("kind, bits", [("rsa", 2048), ("ecdsa", 256), ("ecdsa", 521)])
def test_rsa_with_sha2_and_ecdsa_keys_come_in(lab, kind, bits):
    daemon, _ = lab.one()
    daemon.write_keys("alice", lab.public(f"{kind}{bits}", kind=kind, bits=bits))
    assert daemon.ssh("version", key=lab.key(f"{kind}{bits}")).status == 0


def test_a_signature_with_sha1_is_refused(lab):
    daemon, _ = lab.one()
    daemon.write_keys("alice", lab.public("rsa", kind="rsa", bits=2048))
    key = paramiko.RSAKey.from_private_key_file(lab.key("rsa"))
    sha2 = paramiko.Transport(("127.0.0.1", daemon.port))
    sha2.connect()
    assert sha2.auth_publickey("alice", key) == []
    sha2.close()
    sha1 = paramiko.Transport(("127.0.0.1", daemon.port),
                              disabled_algorithms={"pubkeys": ["rsa-sha2-256", "rsa-sha2-512"]})
    sha1.connect()
    begin = time.monotonic()
    with pytest.raises(paramiko.SSHException):
        sha1.auth_publickey("alice", key)
    assert time.monotonic() - begin < AT_ONCE
    sha1.close()


def test_agent_x11_and_environment_are_refused_with_an_answer(lab):
    daemon, _ = lab.one()
    transport = paramiko.Transport(("127.0.0.1", daemon.port))
    transport.connect()
    transport.auth_publickey("alice", paramiko.Ed25519Key.from_private_key_file(lab.key("alice")))

    def ask(channel, request, *texts):
        """A request that wants an answer, where paramiko's own want none."""
        message = paramiko.Message()
        message.add_byte(b"\x62")  # SSH_MSG_CHANNEL_REQUEST
        message.add_int(channel.remote_chanid)
        message.add_string(request)
        message.add_boolean(True)
        for text in texts:
            message.add_string(text)
        channel._event_pending()
        channel.transport._send_user_message(message)
        channel._wait_for_event()

    asks = {"agent": lambda c: ask(c, "auth-agent-req@openssh.com"), "x11": lambda c: c.request_x11(),
            "environment": lambda c: ask(c, "env", "LC_ALL", "C"), "unknown": lambda c: ask(c, "frobnicate"),
            "subsystem": lambda c: c.invoke_subsystem("nonsense")}
    for what, try_it in asks.items():
        channel = transport.open_session(timeout=AT_ONCE)
        channel.settimeout(AT_ONCE)
        try:
            try_it(channel)
        except paramiko.SSHException:
            continue
        raise AssertionError(f"{what} was not refused")
    transport.close()


def test_openssh_goes_on_without_what_was_refused(lab):
    daemon, _ = lab.one()
    done = daemon.ssh("-A", "version")
    assert done.status == 0 and done.out.startswith("oobd "), done
    lab.environment["DISPLAY"] = "127.0.0.1:99"
    done = daemon.ssh("-Y", "version")
    assert done.status == 0 and done.out.startswith("oobd "), done
    done = daemon.ssh("version", options=["SetEnv=LC_ALL=C"])
    assert done.status == 0, done


def test_forwards_are_refused_at_once(lab):
    daemon, _ = lab.one()
    remote = daemon.ssh("-R", "0:127.0.0.1:1", "oob", "version", options=["ExitOnForwardFailure=yes"])
    assert remote.status == 255 and "remote port forwarding failed" in remote.err, remote
    stdio = daemon.ssh("-W", f"127.0.0.1:{daemon.port}", "oob")
    assert stdio.status == 255 and "forwarding failed" in stdio.err, stdio
    assert remote.seconds < AT_ONCE and stdio.seconds < AT_ONCE
    path = lab.path("forward")
    local = daemon.begin("-N", "-L", f"{path}:127.0.0.1:{daemon.port}", "oob")
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(AT_ONCE)
        until("ssh listens", lambda: one.connect_ex(path) == 0)  # the file is there before it does
        assert one.recv(64) == b""
    assert local.child.poll() is None, "the connection lives on"


def test_a_subsystem_is_refused_at_once(lab):
    daemon, _ = lab.one()
    done = daemon.ssh("-s", "oob", "nonsense", input=None)
    assert done.status == 255 and "subsystem request failed" in done.err and done.seconds < AT_ONCE, done


def test_the_host_key_is_the_one_in_the_state_folder(lab):
    daemon, _ = lab.one()  # every ssh here checks it strictly; this one knows another
    with open(daemon.dir + "/known_hosts", "w") as file:
        file.write("oob " + lab.public("alice"))
    done = daemon.ssh("version")
    assert done.status == 255 and "Host key verification failed" in done.err, done
    kept = subprocess.run(["ssh-keyscan", "-T", "25", "-t", "ed25519", "-p", str(daemon.port), "127.0.0.1"],
                          capture_output=True, text=True, env=lab.environment, timeout=60).stdout
    with open(daemon.state + "/host_ed25519") as file:
        assert "OPENSSH PRIVATE KEY" in file.read()
    assert "ssh-ed25519" in kept
    assert clients.run(["ssh-keygen", "-y", "-f", daemon.state + "/host_ed25519"], lab.environment).out.split()[1] \
        == kept.split()[2]
