"""The audit trail by stock ssh: what was recorded and done is listed, played, searched, held, hidden and proved."""

import json
import os

import pytest

import clients

from harness import until

SECRET = "hunter2 was echoed"


@pytest.fixture(scope="module")
def trail(shared_lab):
    """A daemon with a visit to edge1 by alice and one to edge2 by bob, both over. dave audits edge1 alone and
    administers nothing, eve may only watch."""
    gears = {name: shared_lab.gear(name) for name in ("edge1", "edge2")}
    everything = ["watch", "write", "audit", "admin"]
    daemon = shared_lab.daemon(gears, users={"alice": ["all"], "bob": ["all"], "dave": ["one"], "eve": ["sees"]},
                               roles={"all": (["*"], everything), "one": (["edge1"], ["watch", "audit"]),
                                      "sees": (["*"], ["watch"])})
    daemon.wait_up("edge1", "edge2")
    for user, device, words in (("alice", "edge1", [b"login: bob\r\n", SECRET.encode() + b"\r\n",
                                                    b"\x1b[31mready\x1b[0m> \xff\r\n"]),
                                ("bob", "edge2", [b"reboot of edge2\r\n"])):
        screen = daemon.attached(user=user, device=device)
        for said in words:
            gears[device].says(said)
            screen.expect(said.split()[-1].decode("ascii", "ignore") or "ready")
        screen.leave()
    daemon.masters = {}
    for user in daemon.users:
        master = shared_lab.path("master_" + user)
        daemon.begin("-M", "-S", master, "-N", "oob", user=user)
        until("the way in is open", lambda: os.path.exists(master))
        daemon.masters[user] = master
    until("both are over", lambda: [each["live"] for each in sessions(daemon)] == [False, False])
    daemon.ids = {each["device"]: each["id"] for each in sessions(daemon)}
    return daemon


def ask(daemon, *words, user="alice"):
    """A command over the connection that this user has already: one each would be most of the time."""
    argv = ["ssh", "-F", "/dev/null", "-S", daemon.masters[user], "oob", *words]
    return clients.run(argv, daemon.lab.environment)


def sessions(daemon, user="alice"):
    done = ask(daemon, "sessions", "--json", user=user)
    assert done.status == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_an_auditor_of_one_device_is_given_that_one_alone(trail):
    mine, other = trail.ids["edge1"], trail.ids["edge2"]
    assert [each["device"] for each in sessions(trail)] == ["edge1", "edge2"]
    assert [each["device"] for each in sessions(trail, "dave")] == ["edge1"]
    listed = ask(trail, "sessions", user="dave").out
    assert listed.startswith("ID ") and mine in listed and other not in listed
    hidden, missing = ask(trail, "text", other, user="dave"), ask(trail, "text", "20200101-000000-1", user="dave")
    assert (hidden.status, missing.status) == (66, 66)
    assert hidden.err.replace(other, "ID") == missing.err.replace("20200101-000000-1", "ID")
    assert ask(trail, "text", mine, user="dave").status == 0
    found = ask(trail, "audit", "grep", "'login|reboot'", user="dave").out
    assert "login: bob" in found and "reboot" not in found
    shown = ask(trail, "journal", "--event", "attach", user="dave")
    assert "edge1" in shown.out and "edge2" not in shown.out
    assert "devices you may audit" in shown.err


def test_exit_statuses_tell_a_wrong_word_a_lack_and_a_refusal(trail):
    mine = trail.ids["edge1"]
    for words, status in ((("replay", mine, "--speed", "fast"), 64), (("audit", "grep", "'('"), 64),
                          (("export", mine, "--raw", "--text"), 64), (("replay", "20200101-000000-1"), 66)):
        assert ask(trail, *words).status == status, words
    for words in (("sessions",), ("replay", mine), ("journal",), ("checkpoint",)):
        done = ask(trail, *words, user="eve")
        assert (done.status, done.out) == (77, ""), words


def test_replay_without_a_terminal_gives_all_at_once(trail):
    done = ask(trail, "replay", trail.ids["edge1"])
    assert done.status == 0 and b"login: bob\r\n" in done.raw and b"\x1b[31mready" in done.raw


def playing(trail):
    """A replay that has begun, so slow that whatever is typed comes before the first of it is due."""
    def plays():
        return len([each for each in trail.journal("audit.read") if each["what"] == "replay"])
    before = plays()
    screen = trail.screen("-t", "-S", trail.masters["alice"], "replay", trail.ids["edge1"], "--speed", "0.01")
    until("it plays", lambda: plays() > before)
    return screen


def test_replay_on_a_terminal_obeys_its_keys(trail):
    screen = playing(trail)
    screen.type(".")  # 10 s on: the end of it
    screen.expect("login: bob")
    screen.expect("ready")
    screen.expect(f"the end of {trail.ids['edge1']}")
    screen.ends(0)
    screen = playing(trail)
    screen.type(" q")
    screen.expect(rf"{trail.ids['edge1']} at \d:\d\d")
    screen.ends(0)


def test_export_gives_the_file_the_bytes_and_the_text(trail):
    mine = trail.ids["edge1"]
    path = os.path.join(trail.state, "recordings", sessions(trail)[0]["path"].removeprefix("recordings/"))
    with open(path, "rb") as file:
        assert ask(trail, "export", mine).raw == file.read()
    raw = ask(trail, "export", mine, "--raw").raw
    assert raw == b"login: bob\r\n" + SECRET.encode() + b"\r\n\x1b[31mready\x1b[0m> \xff\r\n"
    text = ask(trail, "export", mine, "--text").out
    assert text == ask(trail, "text", mine).out
    assert f"login: bob\n{SECRET}\nready> \ufffd\n" in text
    early = ask(trail, "text", mine, "--at", "0").out
    assert "login" not in early and "ready" in ask(trail, "text", mine, "--at", "1:00").out


def test_what_is_found_can_be_replayed_from_there(trail):
    mine = trail.ids["edge1"]
    found = ask(trail, "audit", "grep", "^ready", "--recordings").out.splitlines()
    assert len(found) == 1
    place, device, line = found[0].split("  ")
    assert (place.split("@")[0], device, line) == (mine, "edge1", "ready> \ufffd")
    screen = trail.screen("-t", "-S", trail.masters["alice"], "alice@oob", "replay", place)
    screen.expect("ready>")  # the screen that was left there
    screen.ends(0)
    transcript = ask(trail, "audit", "grep", "^ready", "--transcripts", "--device", "edge*").out.splitlines()
    assert len(transcript) == 1 and transcript[0].startswith("edge1@") and transcript[0].endswith("  ready> \ufffd")


def test_the_journal_tells_who_did_what(trail):
    records = [json.loads(line) for line in ask(trail, "journal", "--json", "--since", "1h").out.splitlines()]
    assert [each["n"] for each in records] == list(range(len(records)))
    happened = {each["ev"] for each in records}
    assert {"login", "attach", "detach", "recording.open", "recording.close", "audit.read"} <= happened
    assert ask(trail, "journal", "--since", "2099-01-01").out == ""
    people = ask(trail, "journal", "--event", "attach", "--user", "bob").out.splitlines()
    assert len(people) == 1 and "  bob  attach  edge2" in people[0]
    follower = trail.begin("journal", "--follow", "--event", "note")
    until("somebody follows", lambda: [each for each in trail.journal("audit.read")
                                       if each.get("query", "").endswith("--follow")])
    assert ask(trail, "note", "edge1", "to be seen").status == 0
    follower.sees("to be seen")
    follower.close()


def test_a_checkpoint_is_a_signed_note_or_an_object(trail):
    note = ask(trail, "checkpoint")
    assert note.status == 0 and note.out.count("\n\n") == 1 and "\n\u2014 " in note.out
    origin, size = note.out.splitlines()[:2]
    told = json.loads(ask(trail, "checkpoint", "--json").out)
    assert told["origin"] == origin and told["size"] > int(size) and told["vkey"].startswith(origin + "+")
    assert len(trail.journalled("audit.read", 2)) >= 2


def test_what_is_held_is_held_until_it_is_given_free(trail):
    mine = trail.ids["edge1"]
    mark = os.path.join(trail.state, "recordings", "holds", mine)
    assert ask(trail, "hold", mine, "case 17", user="dave").status == 0
    assert os.path.exists(mark) and [each["held"] for each in sessions(trail)] == [True, False]
    assert ask(trail, "unhold", mine, user="dave").status == 77, "that takes admin"
    assert os.path.exists(mark)
    assert ask(trail, "unhold", mine).status == 0
    assert not os.path.exists(mark)
    assert [each["why"] for each in trail.journal("hold")] == ["case 17"] and len(trail.journal("unhold")) == 1


def test_what_is_hidden_is_gone_and_the_proof_says_so(trail):
    mine = trail.ids["edge1"]
    found = ask(trail, "audit", "grep", f"'{SECRET}'", "--recordings").out
    second = float(found.split("  ")[0].split("@")[1])
    anchor, key = os.path.join(trail.dir, "anchor"), os.path.join(trail.dir, "vkey")
    told = json.loads(ask(trail, "checkpoint", "--json").out)  # what a witness of the time before has
    for path, text in ((anchor, told["note"]), (key, told["vkey"] + "\n")):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    times = ("--from", "0", "--to", str(second + 0.001), "--why", "'it was echoed'")
    assert ask(trail, "redact", mine, *times, user="dave").status == 77, "that takes admin"
    done = ask(trail, "redact", mine, *times)
    assert done.status == 0 and "is hidden" in done.out, done.err
    assert "the transcript of edge1 may hold the same" in done.err
    for words in (("replay", mine), ("text", mine), ("export", mine), ("export", mine, "--raw"),
                  ("audit", "grep", "hunter2", "--recordings")):
        done = ask(trail, *words)
        assert done.status == 0 and "hunter2" not in done.out, words
    assert [each["why"] for each in trail.journal("redaction")] == ["it was echoed"]
    verified = ask(trail, "verify")
    assert verified.status == 0, verified.out + verified.err
    assert "redacted: " in verified.out
    trail.stop()
    offline = trail.oobd("verify", trail.state, "--anchor", anchor, "--key", key)
    assert offline.status == 0, offline.out + offline.err
    assert "redacted: " in offline.out


def test_nothing_that_was_sought_is_in_the_journal(trail):
    assert "hunter2" not in json.dumps(trail.journal())
