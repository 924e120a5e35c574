"""SIGHUP: what changed is changed, what did not is left alone, and a faulty file changes nothing. Then keys and
their options, which need no reload."""

import os
import re
import time

import pytest

from harness import until


def names(daemon, user="alice"):
    done = daemon.ssh("list", "--json", user=user)
    return re.findall(r'"device": ?"(\w+)"', done.out) if done.status == 0 else None


# --- devices, roles, people ----------------------------------------------------------------------------------------------


def test_devices_are_added_and_removed_while_the_others_keep_their_people(lab):
    gears = {name: lab.gear(name) for name in ("edge1", "edge2", "edge3")}
    daemon = lab.daemon({"edge1": gears["edge1"], "edge2": gears["edge2"]})
    daemon.wait_up("edge1", "edge2")
    kept, lost = daemon.attached("edge1"), daemon.attached("edge2", device="edge2")
    devices = daemon.devices_now()
    del daemon.devices["edge2"]
    daemon.devices["edge3"] = gears["edge3"]
    daemon.write_config()
    daemon.reload()
    lost.expect(r"\[oobd: edge2: .*\]")
    lost.ends(66)
    until("edge3 is there", lambda: names(daemon) == ["edge1", "edge3"])
    daemon.wait_up("edge3")
    kept.type("undisturbed\r")
    gears["edge1"].hears("undisturbed\r")
    assert "line down" not in kept.text and daemon.devices_now()["edge1"]["writer"] == devices["edge1"]["writer"]
    daemon.attached("edge3", device="edge3").type("new\r")
    gears["edge3"].hears("new\r")
    assert daemon.ssh("watch", "edge2").status == 66


def test_a_line_that_changed_is_opened_anew_and_its_people_stay(lab):
    daemon, gear = lab.one()
    other = lab.gear("other")
    screen = daemon.attached()
    daemon.devices["edge1"] = other
    daemon.write_config()
    daemon.reload()
    screen.expect("line down")
    screen.expect("line up")
    screen.type("to the other\r")
    other.hears("to the other\r")
    assert gear.heard == b""
    until("the old line is let go", lambda: not gear.connected())


def test_roles_and_users_change(lab):
    daemon, gear = lab.one()
    bob = daemon.attached(user="bob")
    bob.type("one\r")
    gear.hears("one\r")
    daemon.users["bob"] = ["auditor"]
    daemon.users["dora"] = ["all"]
    daemon.write_keys("dora", lab.public("dora"))
    daemon.write_config()
    daemon.reload()
    bob.expect("no longer type|may not type|may only watch")
    bob.type("two\r")
    until("dora may come", lambda: daemon.ssh("send", "edge1", "three", user="dora").status == 0)
    gear.hears("three\r")
    assert b"two" not in gear.heard
    assert daemon.ssh("send", "edge1", "four", user="bob").status == 77
    del daemon.users["bob"]
    daemon.write_config()
    daemon.reload()
    until("bob may not come in", lambda: daemon.ssh("version", user="bob").status == 255)
    bob.ends(255)


@pytest.mark.parametrize("fault", [("may = [", "may = [\"wathc\", ", "watch"), ("[role.all]", "[rule.all]", "role"),
                                   ("listen = ", "listen = 5 #", ""), ("[server]", "[server", "")],
                         ids=["action", "section", "type", "syntax"])
def test_a_faulty_file_changes_nothing_and_says_where(lab, fault):
    daemon, gear = lab.one()
    screen = daemon.attached()
    old, new, hint = fault
    daemon.devices["edge9"] = '{ unix = "nine.sock" }'
    daemon.write_config(daemon.config_text().replace(old, new, 1))
    daemon.reload()
    daemon.wait_said(re.escape(daemon.config) + r":\d+:\d+: .*" + hint)
    assert names(daemon) == ["edge1"]
    screen.type("still\r")
    gear.hears("still\r")
    daemon.write_config()
    daemon.reload()
    until("the mended file counts", lambda: names(daemon) == ["edge1", "edge9"])


def test_an_unreadable_file_changes_nothing(lab):
    daemon, _ = lab.one()
    os.rename(daemon.config, daemon.config + ".away")
    daemon.reload()
    daemon.wait_said(re.escape(daemon.config) + r".*No such file")
    assert daemon.ssh("list").status == 0
    os.rename(daemon.config + ".away", daemon.config)


# --- authorized_keys, at the next login ----------------------------------------------------------------------------------


def test_keys_come_and_go_without_a_reload(lab):
    daemon, _ = lab.one()
    second = lab.public("second")
    assert daemon.ssh("version", key=lab.key("second")).status == 255
    daemon.write_keys("alice", lab.public("alice") + second)
    assert daemon.ssh("version", key=lab.key("second")).status == 0
    assert daemon.ssh("version").status == 0
    daemon.write_keys("alice", "# nobody but the second\n\n" + second)
    assert daemon.ssh("version").status == 255
    assert daemon.ssh("version", key=lab.key("second")).status == 0
    os.unlink(daemon.keys_file("alice"))
    assert daemon.ssh("version", key=lab.key("second")).status == 255


@pytest.mark.parametrize("options, status", [
    ('from="127.0.0.0/8"', 0), ('from="192.0.2.0/24,127.0.0.1"', 0), ('from="192.0.2.0/24"', 255),
    ('from="!127.0.0.1,127.0.0.0/8"', 255),
    ('expiry-time="20991231"', 0), ('expiry-time="20200101"', 255), ('expiry-time="202001011200Z"', 255),
    ("restrict", 0), ("restrict,pty", 0), ("no-port-forwarding,no-agent-forwarding,no-x11-forwarding", 0),
    ("frobnicate", 255), ('environment="A=B"', 255), ('tunnel="0"', 255), ('from="127.0.0.1', 255)])
def test_options_of_a_key(lab, options, status):
    daemon, _ = lab.one()
    daemon.write_keys("alice", f"{options} {lab.public('alice')}")
    assert daemon.ssh("version").status == status
    assert daemon.ssh("version", user="bob").status == 0, "other people's lines are whole"


def test_a_line_with_a_fault_does_not_spoil_the_next(lab):
    daemon, _ = lab.one()
    daemon.write_keys("alice", f"frobnicate {lab.public('bob')}ssh-ed25519 notbase64\n{lab.public('alice')}")
    assert daemon.ssh("version").status == 0
    assert daemon.ssh("version", key=lab.key("bob")).status == 255


def test_command_runs_instead_of_whatever_was_asked(lab):
    daemon, gear = lab.one()
    daemon.write_keys("alice", f'command="list edge1 --json" {lab.public("alice")}')
    done = daemon.ssh("send", "edge1", "evil")
    assert done.status == 0 and '"edge1"' in done.out, done
    assert '"edge1"' in daemon.ssh("oob", input="send edge1 evil\n").out
    screen = daemon.screen("-t", "edge1")
    screen.expect('"edge1"')
    screen.ends(0)
    via_name = daemon.ssh("alice:edge1@oob", input="evil\r")
    assert '"edge1"' in via_name.out, via_name
    assert gear.heard == b""


@pytest.mark.parametrize("option", ["no-pty", "restrict"])
def test_no_pty_means_no_terminal(lab, option):
    daemon, _ = lab.one()
    daemon.write_keys("alice", f"{option} {lab.public('alice')}")
    done = daemon.ssh("-tt", "version")
    assert "PTY allocation request failed" in done.err and "\r\n" not in done.out, done
    assert daemon.ssh("version").status == 0


def test_a_loose_keys_file_is_not_believed(lab):
    daemon, _ = lab.one()
    os.chmod(daemon.keys_file("alice"), 0o666)
    assert daemon.ssh("version").status == 255
    os.chmod(daemon.keys_file("alice"), 0o600)
    assert daemon.ssh("version").status == 0


def test_expiry_counts_at_the_moment_of_the_login(lab):
    daemon, _ = lab.one()
    soon = time.time() + 3
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(soon)) + "Z"
    daemon.write_keys("alice", f'expiry-time="{stamp}" {lab.public("alice")}')
    first = daemon.ssh("version")
    assert first.status == 0 or time.time() >= int(soon), first
    until("the key has expired", lambda: time.time() > soon + 1)
    assert daemon.ssh("version").status == 255
