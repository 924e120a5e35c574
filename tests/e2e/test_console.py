"""People on a console: who types, who watches, what each is told, and what the gear hears."""

import hashlib
import os
import random

import pytest

from harness import until


def at_prompt(daemon):
    screen = daemon.screen("oob")
    screen.expect("oobd> ")
    return screen


# --- one person ----------------------------------------------------------------------------------------------------------


def test_the_gear_hears_exactly_what_is_typed(lab):
    daemon, gear = lab.one()
    screen = daemon.attached()
    keys = bytes(n for n in range(256) if n != 5) + b"\x05x" + "Grüße\r".encode()
    screen.type(keys)
    gear.hears("Grüße\r")
    assert gear.heard == keys
    screen.leave()


def test_attach_greets_with_one_line_then_the_screen_then_what_is_live(lab):
    daemon, gear = lab.one()
    gear.says("".join(f"row {n:03d}\r\n" for n in range(100)) + "login: ")
    until("it is written", lambda: daemon.transcript("edge1").endswith(b"login: "))
    screen = daemon.screen("-t", "edge1", rows=20)
    greeting = screen.expect(r"\[oobd: edge1[^\r\n]*\]\r?\n").group(0)
    assert "you may type" in greeting and "nobody else" in greeting and "^Ec" in greeting, greeting
    screen.expect("login: ")
    rows = [int(line[4:]) for line in screen.before.split("\r\n") if line.startswith("row ")]
    assert rows == list(range(100 - len(rows), 100)) and 15 <= len(rows) <= 20, rows
    gear.says("live\r\n")
    screen.expect("live\r\n")
    bob = daemon.screen("-t", "edge1", user="bob")
    greeting = bob.expect(r"\[oobd: edge1[^\r\n]*\]").group(0)
    assert "watching" in greeting and "alice (typing)" in greeting, greeting
    bob.expect("live\r\n")


def test_gear_that_answers_is_seen_at_once(lab):
    daemon, gear = lab.one()
    gear.echo = True
    screen = daemon.attached()
    for word in ("enable", "show interfaces", "exit"):
        screen.type(word + "\r")
        screen.expect(word)


def test_a_megabyte_pasted_into_a_slow_line_arrives_whole(lab):
    gear = lab.gear(rate=400_000)
    daemon = lab.daemon({"edge1": gear})
    daemon.wait_up("edge1")
    screen = daemon.attached()
    paste = bytes(random.Random(7).choices(b"abcdefghijklmnopqrstuvwxyz 0123456789\r", k=1 << 20))
    screen.type(paste)
    until("all of it arrived", lambda: len(gear.heard) >= len(paste), 120)
    assert hashlib.sha256(gear.heard).digest() == hashlib.sha256(paste).digest()
    screen.leave()


def test_a_megabyte_by_stdin_arrives_whole(lab):
    gear = lab.gear(rate=400_000)
    daemon = lab.daemon({"edge1": gear})
    daemon.wait_up("edge1")
    bytes_of_all_kinds = random.Random(8).randbytes(1 << 20)
    done = daemon.ssh("send", "edge1", "-", "--no-enter", input=bytes_of_all_kinds, timeout=120)
    assert done.status == 0, done
    until("all of it arrived", lambda: len(gear.heard) >= 1 << 20)
    assert gear.heard == bytes_of_all_kinds


# --- several people --------------------------------------------------------------------------------------------------------


def test_the_second_person_watches_and_may_force(lab):
    daemon, gear = lab.one()
    alice = daemon.attached()
    bob = daemon.attached(user="bob", says="watching")
    alice.expect("bob")
    bob.type("nothing of this\r")
    bob.expect("watching")
    bob.type("\x05cf")
    bob.expect("you may type")
    alice.expect("bob forced the keyboard")
    alice.type("nor of this\r")
    bob.type("but this\r")
    gear.hears("but this\r")
    assert gear.heard == b"but this\r"
    assert daemon.devices_now()["edge1"]["writer"] == "bob"


def test_somebody_who_joins_types_beside_the_first(lab):
    daemon, gear = lab.one()
    alice = daemon.attached()
    bob = daemon.attached("attach", "edge1", "--join", user="bob")
    alice.expect("bob joined")
    alice.type("one\r")
    gear.hears("one\r")
    bob.type("two\r")
    gear.hears("two\r")
    bob.type("\x05c.")
    bob.ends(0)
    alice.expect("bob left")


def test_the_options_of_attach_do_what_their_letters_do(lab):
    daemon, gear = lab.one()
    watching = daemon.attached("attach", "edge1", "--watch", says="watching")
    assert not daemon.devices_now()["edge1"]["writer"]
    watching.type("unheard\r")
    watching.expect("you are watching")
    first = daemon.attached(user="bob")
    watching.expect("bob took the keyboard")
    second = daemon.attached("attach", "edge1", "--force")
    first.expect("alice forced the keyboard")
    second.type("heard\r")
    gear.hears("heard\r")
    assert gear.heard == b"heard\r"


def test_the_next_in_the_queue_is_offered_the_keyboard(lab):
    daemon, gear = lab.one()
    alice = daemon.attached()
    bob = daemon.attached(user="bob", says="watching")
    bob.type("\x05ca")
    bob.expect("alice is typing")
    alice.type("\x05cs")
    alice.expect("you are watching")
    bob.expect("the keyboard is free")
    bob.type("\x05ca")
    bob.expect("you may type")
    alice.expect("bob took the keyboard")
    bob.type("hi\r")
    gear.hears("hi\r")
    alice.type("\x05c.")
    alice.ends(0)
    bob.expect("alice left")


def test_who_may_only_watch_can_not_take_the_keyboard(lab):
    daemon, gear = lab.one()
    carol = daemon.attached(user="carol", says="you may watch")
    for letter in "afj":
        carol.type("\x05c" + letter)
        carol.expect("may not|not type|not permitted")
    carol.type("unheard\r")
    alice = daemon.attached()
    carol.expect("alice took the keyboard")
    alice.type("heard\r")
    gear.hears("heard\r")
    assert gear.heard == b"heard\r"


# --- the escape's letters ----------------------------------------------------------------------------------------------------


def test_every_letter_of_the_escape(lab):
    gears = {name: lab.gear(name) for name in ("edge1", "edge2")}
    daemon = lab.daemon(gears)
    daemon.wait_up("edge1", "edge2")
    gear = gears["edge1"]
    gear.says("".join(f"row {n:03d}\r\n" for n in range(100)))
    until("it is written", lambda: b"row 099" in daemon.transcript("edge1"))
    bob = daemon.attached("attach", "edge1", "--watch", user="bob", says="watching")
    screen = daemon.attached()
    screen.expect("row 099")
    for letter, count in (("r", 20), ("p", 60)):
        screen.type("\x05c" + letter)
        screen.expect("row 099\r\n")
        assert abs(screen.before.count("row ") + 1 - count) <= 1, screen.before
    screen.type("\x05cw")
    screen.expect("bob")
    screen.type("\x05cbmind the gap\r")
    bob.expect("alice: mind the gap")
    screen.type("\x05cnreplaced the fan\r")
    until("the note is in the journal", lambda: any("replaced the fan" in str(e) for e in daemon.journal()))
    screen.type("\x05c?")
    screen.expect("leave this console")
    screen.expect("beside")
    screen.expect(r"\^M.*\r\n")
    gear.forget()
    screen.type("\x05c\x05")
    gear.hears("\x05")
    assert gear.heard == b"\x05"
    screen.type("\x05cs")
    screen.expect("watching")
    screen.type("\x05ca")
    screen.expect("you may type")
    screen.type("\x05c;edge2\r")
    screen.expect(r"\[oobd: edge2.*you may type")
    screen.type("there\r")
    gears["edge2"].hears("there\r")
    bob.expect("alice left")
    screen.type("\x05c;nowhere\r")
    screen.expect("no such device: nowhere")
    screen.type("\x05co")
    screen.expect("line down")
    screen.expect("line up")
    screen.type("again\r")
    gears["edge2"].hears("again\r")
    screen.type("\x05c!")
    screen.expect(r"\[oobd: edge2 has no chassis power configured")
    screen.leave()


def test_the_escape_may_be_another_and_split(lab):
    daemon, gear = lab.one(server='escape = "^]q"')
    screen = daemon.attached()
    screen.type("\x05c.")
    gear.hears("\x05c.")
    screen.type("\x1d")
    screen.type("q")
    screen.type("w")
    screen.expect("nobody else")
    screen.type("\x1dq.")
    screen.ends(0)


@pytest.mark.parametrize("way", ["letter", "openssh", "command"])
def test_a_break_arrives_as_a_break(lab, way):
    far = lab.console_server()
    daemon = lab.daemon({"term1": far})
    daemon.wait_up("term1")
    if way == "command":
        assert daemon.ssh("break", "term1").status == 0
    else:
        screen = daemon.attached("term1", device="term1")
        screen.type("\r")
        far.hears("\r")
        screen.type("\x05cl0" if way == "letter" else "\r~B")
    until("the far end sees one break begin and end", lambda: far.broken() == 1)
    assert b"B" not in far.heard
    until("it is in the journal", lambda: daemon.journal("break"))
    until("it is in the log", lambda: "break" in daemon.ssh("log", "term1", "--stamp").out)


# --- unplugged -----------------------------------------------------------------------------------------------------------------


def test_a_line_that_comes_back_under_another_number_is_reopened_and_its_people_are_told(lab):
    daemon, gear = lab.one()
    screen = daemon.attached()
    old = gear.path
    gear.unplug()
    screen.expect(r"\[oobd: line down: .*\]")
    daemon.wait_up("edge1", state="down")
    screen.type("lost\r")
    screen.expect("lost|line down")
    gear.plug()
    assert os.readlink(gear.link) != old
    screen.expect(r"\[oobd: line up.*\]")
    screen.type("back\r")
    gear.hears("back\r")
    gear.says("and well\r\n")
    screen.expect("and well")


def test_a_path_that_returns_is_opened_at_once_whatever_the_back_off(lab):
    gear = lab.gear()
    gear.unplug()
    daemon = lab.daemon({"edge1": gear})
    daemon.wait_up("edge1", state="down")
    # Tries come after 1, 2, 4, 8 and 16 s, each up to a quarter less: after 15 s the next is 8 s away, or more.
    until("four tries were in vain", lambda: daemon_age(daemon) > 15.1)
    gear.plug()
    until("the line is up", lambda: daemon.devices_now()["edge1"]["state"] == "up", 7)


def daemon_age(daemon):
    """Seconds since the daemon's process began."""
    ticks = os.sysconf("SC_CLK_TCK")
    with open(f"/proc/{daemon.process.pid}/stat") as file:
        begin = int(file.read().rpartition(")")[2].split()[19]) / ticks
    with open("/proc/uptime") as file:
        return float(file.read().split()[0]) - begin


@pytest.mark.parametrize("kind", ["unix", "tcp", "telnet"])
def test_socket_lines_come_back_too(lab, kind):
    gear = {"unix": lambda: lab.unix_gear("vm1.sock"), "tcp": lab.tcp_gear, "telnet": lab.console_server}[kind]()
    daemon = lab.daemon({"vm1": gear})
    daemon.wait_up("vm1")
    screen = daemon.attached("vm1", device="vm1")
    gear.hang_up()
    screen.expect(r"\[oobd: line down: .*\]")
    screen.expect(r"\[oobd: line up.*\]")
    screen.type(b"hello \xff again\r")
    gear.hears(b"hello \xff again\r")


def test_a_console_server_is_told_the_speed_of_its_port(lab):
    far = lab.console_server(', baud = 9600')
    daemon = lab.daemon({"term1": far})
    daemon.wait_up("term1")
    until("the speed is asked for", lambda: (far.SET_BAUD, (9600).to_bytes(4, "big")) in far.asked)


# --- gone without a word -------------------------------------------------------------------------------------------------------


def test_who_vanishes_leaves_the_keyboard(lab):
    daemon, gear = lab.one()
    alice = daemon.attached()
    bob = daemon.attached(user="bob", says="watching")
    alice.child.kill()
    bob.expect("alice left")
    bob.expect("the keyboard is free")
    bob.type("\x05ca")
    bob.expect("you may type")
    bob.type("mine\r")
    gear.hears("mine\r")


def test_ctrl_c_at_the_prompt_ends_what_runs_there(lab):
    daemon, gear = lab.one()
    screen = at_prompt(daemon)
    screen.type("watch edge1\r")
    until("it watches", lambda: daemon.devices_now()["edge1"]["watchers"])
    gear.says("seen\r\n")
    screen.expect("seen")
    screen.type("\x03")
    screen.expect("oobd> ")
    assert not daemon.devices_now()["edge1"]["watchers"]
    screen.type("version\r")
    screen.expect(r"oobd \d")


def test_a_script_may_attach_without_a_terminal(lab):
    daemon, gear = lab.one()
    gear.echo = True
    done = daemon.ssh("attach", "edge1", input="show version\r")
    assert done.status == 0, done
    gear.hears("show version\r")
