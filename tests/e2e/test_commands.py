"""The commands as a script meets them: results on stdout, remarks on stderr, and an exact exit status."""

import json
import os
import re
import time

import pytest

import clients
from harness import until

RFC3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"


def objects(done):
    """--json: one object a line."""
    assert done.status == 0, done
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.fixture
def rack(lab):
    """Four devices of which dave sees only the edges, and types only on the first."""
    gears = {name: lab.gear(name) for name in ("edge1", "edge2", "core1")}
    daemon = lab.daemon({**gears, "dead1": '{ unix = "nowhere.sock" }'},
                        users={"alice": ["all"], "bob": ["all"], "dave": ["edges", "first"]},
                        roles={"all": (["*"], ["watch", "write", "admin", "audit"]), "edges": (["edge?"], ["watch"]),
                               "first": (["edge1"], ["write"])})
    daemon.wait_up("edge1", "edge2", "core1")
    daemon.wait_up("dead1", state="down")
    daemon.gears = gears
    return daemon


def watched(daemon, device):
    until(f"somebody watches {device}", lambda: daemon.devices_now()[device]["watchers"])


# --- list ------------------------------------------------------------------------------------------------------------------


def test_list_says_what_there_is(rack):
    rack.gears["edge1"].says("hello\r\n")
    until("the bytes are counted", lambda: rack.devices_now()["edge1"]["bytes"] == 7)
    rows = objects(rack.ssh("list", "--json"))
    assert [row["device"] for row in rows] == ["core1", "dead1", "edge1", "edge2"]
    for row in rows:
        assert {"device", "line", "state", "power", "writer", "watchers", "last_output", "bytes"} <= set(row), row
    edge1 = rows[2]
    assert edge1["state"] == "up" and re.fullmatch(RFC3339, edge1["last_output"]), edge1
    assert rows[1]["state"] == "down"
    text = rack.ssh("list")
    assert text.status == 0 and all(name in text.out for name in ("core1", "dead1", "edge1", "edge2")), text


def test_list_takes_a_glob_and_shows_only_what_one_may_see(rack):
    assert [row["device"] for row in objects(rack.ssh("list", "edge*", "--json"))] == ["edge1", "edge2"]
    assert [row["device"] for row in objects(rack.ssh("list", "'*1'", "--json", user="dave"))] == ["edge1"]
    mine = rack.ssh("list", user="dave")
    assert "edge2" in mine.out and "core1" not in mine.out


def test_missing_and_invisible_devices_are_told_in_the_same_words(rack):
    for command in ("watch {}", "attach {}", "log {}", "send {} x", "expect {} x", "break {}", "note {} x", "list {}"):
        missing = rack.ssh(*command.format("core2").split(), user="dave")
        invisible = rack.ssh(*command.format("core1").split(), user="dave")
        assert missing.status == invisible.status == 66, (missing, invisible)
        assert missing.err.replace("core2", "core1") == invisible.err, (missing, invisible)
        assert missing.out == invisible.out == ""


# --- watch and log -----------------------------------------------------------------------------------------------------------


def test_watch_streams_for_pipes(rack):
    text, raw = rack.begin("watch", "edge1"), rack.begin("watch", "edge1", "--raw")
    until("both watch", lambda: len(as_list(rack.devices_now()["edge1"]["watchers"])) == 2)
    rack.gears["edge1"].says(b"\x1b[31mred\x1b[0m and\x00 \xff plain\r\nnext\r\n")
    raw.sees(b"next\r\n")
    assert raw.out == b"\x1b[31mred\x1b[0m and\x00 \xff plain\r\nnext\r\n"
    text.sees("plain")
    text.sees("next")


def as_list(watchers):
    """Names, or how many there are."""
    return watchers if isinstance(watchers, list) else range(watchers)


def test_log_has_all_its_options(rack):
    gear = rack.gears["edge1"]
    gear.says("first alpha\r\nsecond beta\r\n")
    until("it is written", lambda: b"beta\r\n" in rack.transcript("edge1"))
    # The index tells times to a tenth of a second or so: between the two halves there is a second.
    middle = time.time() + 0.5
    until("half a second later", lambda: time.time() > middle + 0.5)
    gear.says("third alpha \x1b[1mbold\x1b[0m\r\nfourth gamma\r\n")
    until("it is written", lambda: b"gamma\r\n" in rack.transcript("edge1"))
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(middle)) + f"{middle % 1:.3f}"[1:] + "Z"

    def log(*words):
        done = rack.ssh("log", "edge1", *words)
        assert done.status == 0 and done.err == "", done
        return done.out.splitlines()

    whole = log()
    assert [line.split()[0] for line in whole] == ["first", "second", "third", "fourth"], whole
    assert not any("\r" in line for line in whole)
    assert log("--lines", "2") == whole[2:]
    assert log("--grep", "alpha") == [whole[0], whole[2]]
    assert log("--grep", "'alpha$'", "--lines", "1") == [whole[0]]
    assert log("--since", stamp) == whole[2:]
    assert log("--until", stamp) == whole[:2]
    assert log("--since", "10m") == whole
    assert log("--until", "10m") == []
    stamped = log("--stamp")
    assert any(re.match(RFC3339 + r" .*first alpha$", line) for line in stamped), stamped
    assert any(re.match(RFC3339 + r".*\bup\b", line) for line in stamped), stamped
    raw = rack.ssh("log", "edge1", "--raw")
    assert raw.raw == bytes(gear.sent), raw


def test_log_follows(rack):
    gear = rack.gears["edge1"]
    gear.says("before\r\n")
    until("it is written", lambda: b"before\r\n" in rack.transcript("edge1"))
    follower = rack.begin("log", "edge1", "--follow", "--lines", "1")
    follower.sees("before\n")
    gear.says("after\r\n")
    follower.sees("after\n")


def test_bad_options_of_log_are_bad_usage(rack):
    for words in (("--grep", "'('"), ("--since", "yesterdayish"), ("--lines", "many"), ("--nonsense",)):
        done = rack.ssh("log", "edge1", *words)
        assert done.status == 64 and done.err and done.out == "", done


# --- send, expect and break ------------------------------------------------------------------------------------------------


def test_send_types_what_it_was_given(rack):
    gear = rack.gears["edge1"]
    for words, heard in ((["send", "edge1", "show version"], b"show version\r"),
                         (["send", "edge1", "show  two   blanks"], b"show  two   blanks\r"),
                         (["send", "edge1", "no enter", "--no-enter"], b"no enter"),
                         (["send", "edge1", "--no-enter", "before"], b"before")):
        gear.forget()
        done = rack.ssh(*words)
        assert done.status == 0 and done.out == "", done
        until(f"the gear hears {heard!r}", lambda: gear.heard == heard)
    gear.forget()
    assert rack.ssh("send", "edge1", "-", "--no-enter", input=b"raw \x00\xff\n").status == 0
    until("the gear hears stdin", lambda: gear.heard == b"raw \x00\xff\n")


def test_expect_waits_for_new_output(rack):
    gear = rack.gears["edge1"]
    gear.says("old prompt> \r\n")
    until("it is written", lambda: b"old prompt" in rack.transcript("edge1"))
    late = rack.ssh("expect", "edge1", "'old prompt'", "--timeout", "1")
    assert late.status == 1 and late.out == "", late
    waiting = rack.begin("expect", "edge1", "'load: [0-9]+'", "--timeout", "60")
    watched(rack, "edge1")
    gear.says("noise\r\ncurrent load: 42 %\r\nmore\r\n")
    assert waiting.wait() == 0
    assert waiting.out.decode().splitlines() == ["current load: 42 %"], waiting.out
    until("the first has gone", lambda: not rack.devices_now()["edge1"]["watchers"])
    prompt = rack.begin("expect", "edge1", "'login: $'", "--timeout", "60")
    watched(rack, "edge1")
    gear.says("edge1 login: ")
    assert prompt.wait() == 0, "a prompt has no end of line"


def test_send_and_break_are_refused_while_somebody_types(rack):
    alice = rack.attached()
    for words in (("send", "edge1", "x"), ("break", "edge1")):
        done = rack.ssh(*words, user="bob")
        assert done.status == 75 and "alice" in done.err, done
    alice.leave()
    assert rack.ssh("send", "edge1", "y", user="bob").status == 0
    rack.gears["edge1"].hears("y\r")
    assert b"x" not in rack.gears["edge1"].heard


def test_a_dead_line_is_69(rack):
    for words in (("send", "dead1", "x"), ("break", "dead1")):
        done = rack.ssh(*words)
        assert done.status == 69 and "dead1" in done.err and done.out == "", done


# --- people --------------------------------------------------------------------------------------------------------------------


def test_who_and_kick(rack):
    bob = rack.attached(user="bob")
    rows = objects(rack.ssh("who", "--json"))
    row = next(row for row in rows if row["user"] == "bob")
    assert "127.0.0.1" in json.dumps(row) and "edge1" in json.dumps(row), row
    text = rack.ssh("who")
    assert "bob" in text.out and "alice" in text.out and "edge1" in text.out, text
    number = str(row.get("id", row.get("session")))
    denied = rack.ssh("kick", number, user="dave")
    assert denied.status == 77, denied
    done = rack.ssh("kick", number)
    assert done.status == 0, done
    bob.expect("alice|kick|end")
    until("bob's ssh ends", lambda: not bob._read(0.05) or bob.child.poll() is not None)
    assert rack.ssh("kick", number).status == 66
    assert rack.ssh("kick", "nobody").status in (64, 66)
    until("it is in the journal", lambda: rack.journal("kick"))


def test_a_note_goes_to_the_journal_and_to_the_log(rack):
    assert rack.ssh("note", "edge1", "swapped the fan").status == 0
    until("it is in the journal", lambda: "swapped the fan" in json.dumps(rack.journal()))
    until("it is in the log", lambda: "swapped the fan" in rack.ssh("log", "edge1", "--stamp").out)
    assert rack.transcript("edge1") == b""


def test_what_is_not_allowed_is_77_and_in_the_journal(rack):
    for words in (("send", "edge2", "x"), ("break", "edge2")):
        done = rack.ssh(*words, user="dave")
        assert done.status == 77 and done.err and done.out == "", done
    until("it is in the journal", lambda: len(rack.journal("denied")) >= 2)
    assert rack.ssh("send", "edge1", "x", user="dave").status == 0


# --- the rest ----------------------------------------------------------------------------------------------------------------


def test_status_and_metrics(rack):
    status = rack.ssh("status")
    assert status.status == 0 and status.out, status
    assert isinstance(objects(rack.ssh("status", "--json"))[0], dict)
    metrics = rack.ssh("metrics")
    assert metrics.status == 0, metrics
    names = set()
    for line in metrics.out.splitlines():
        if line.startswith("#"):
            assert re.match(r"# (HELP|TYPE) [a-zA-Z_:][a-zA-Z0-9_:]* ", line), line
        else:
            name = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^{}]*\})? [-+0-9.eE]+', line)
            assert name, line
            names.add(name.group(1))
    assert names and all(name.startswith("oobd_") for name in names), names


def test_help_and_version(rack):
    overview = rack.ssh("help")
    assert overview.status == 0
    for word in ("list", "attach", "watch", "log", "send", "expect", "break", "who", "kick", "note", "status",
                 "metrics", "help", "version"):
        assert re.search(rf"\b{word}\b", overview.out), word
        one = rack.ssh("-tt", "help", word) if word == "list" else None
        assert one is None or one.status == 0 and "list" in one.out
    assert "--since" in rack.ssh("help", "log").out
    assert rack.ssh("help", "frobnicate").status in (64, 66)
    assert rack.ssh("version").out == clients.run([os.environ["OOBD"], "--version"], rack.lab.environment).out


def test_bad_usage_is_64_with_a_hint(rack):
    for words in (("lsit",), ("watch",), ("watch", "edge1", "core1"), ("list", "--jsno"), ("expect", "edge1", "'('"),
                  ("expect", "edge1", "x", "--timeout", "soon"), ("break", "edge1", "--ms", "long"), ("send", "edge1"),
                  ("watch", "'edge1")):
        done = rack.ssh(*words)
        assert done.status == 64 and done.err and done.out == "", (words, done)
    assert "list" in rack.ssh("lsit").err


def test_a_command_never_asks_without_a_terminal(rack):
    done = rack.ssh("attach", "edge1", input=b"")
    assert done.status in (0, 64), done
    done = rack.ssh("version", input=None)
    assert done.status == 0
