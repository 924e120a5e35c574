"""What people saw is on the disk as asciicasts that stock players play, whatever dies meanwhile."""

import base64
import hashlib
import json
import os
import stat
import subprocess

from harness import until

PLAYER = """
import sys
from asciinema.asciicast import open_from_url
with open_from_url(sys.argv[1]) as cast:
    sys.stdout.write("".join(text for _, kind, text in cast.events() if kind == "o"))
"""


def recordings(daemon):
    """The files of all recordings, in the order of their names."""
    found = []
    for folder, _, names in os.walk(os.path.join(daemon.state, "recordings")):
        found += [os.path.join(folder, name) for name in names if name.endswith(".cast")]
    return sorted(found, key=os.path.basename)


def is_closed(path):
    return stat.S_IMODE(os.stat(path).st_mode) == 0o400


def only(daemon):
    """The one recording there is, once it is closed."""
    until("there is a closed recording", lambda: [is_closed(path) for path in recordings(daemon)] == [True])
    return recordings(daemon)[0]


def parsed(path):
    """The header, and the events as (time, code, text)."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    return json.loads(lines[0]), [json.loads(line) for line in lines[1:]]


def said_in(path):
    """What the device sent, as far as the file has it: it may have been begun this moment."""
    try:
        return device_bytes(parsed(path)[1])
    except (IndexError, ValueError):
        return b""


def device_bytes(events):
    """What the device sent, as docs/formats.md tells to find it."""
    said, exact, own = b"", None, False
    for _, code, text in events:
        if code == "b":
            exact = base64.b64decode(text, validate=True)
        elif code == "e":
            own = json.loads(text)["ev"] == "own"
        elif code == "o":
            if not own:
                said += exact if exact is not None else text.encode()
            exact, own = None, False
    return said


def marked(daemon, path):
    """How many bytes of a recording the journal's marks cover, each of which fits."""
    name, whole = os.path.basename(path)[:-len(".cast")], 0
    with open(path, "rb") as file:
        data = file.read()
    for mark in daemon.journal("recording.mark"):
        if mark["recording"] == name:
            assert hashlib.sha256(data[mark["from"]:mark["to"]]).hexdigest() == mark["sha256"]
            if mark["from"] <= whole:
                whole = max(whole, mark["to"])
    return whole


def plays(lab, path):
    """The text that Debian's asciinema plays, by its library and by its command."""
    environment = dict(lab.environment, LANG="C.UTF-8", LC_ALL="C.UTF-8")
    played = subprocess.run(["/usr/bin/python3", "-c", PLAYER, path], env=environment, capture_output=True, timeout=60)
    assert played.returncode == 0, played.stderr
    # It wants a terminal of its own, whatever its output is.
    shown = subprocess.run(["script", "-qec", f"asciinema cat {path}", "/dev/null"], env=environment,
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert shown.returncode == 0, shown.stdout
    return played.stdout.decode()


def test_a_session_is_recorded_as_it_was_and_plays(lab):
    daemon, gear = lab.one()
    gear.echo = True
    screen = daemon.attached()
    noise = b"".join(bytes([first, second]) for first in (0x41, 0x80, 0xC3, 0xE2, 0xED, 0xF0, 0xFF)
                     for second in range(256)) + "Grüße 🚀 ".encode() + b"\r\nready> "
    gear.says(noise)
    screen.expect("ready> ")
    screen.type("show version\r")
    screen.expect("show version")
    screen.resize(50, 132)
    screen.type("echo\r")
    screen.expect("echo")
    screen.leave()
    path = only(daemon)
    header, events = parsed(path)
    assert (header["version"], header["width"], header["height"]) == (2, 80, 24)
    assert header["title"] == "alice on edge1" and header["env"] == {"TERM": "xterm"}
    ours = header["oobd"]
    assert ours["format"] == 1 and ours["id"] == os.path.basename(path)[:-len(".cast")]
    assert (ours["user"], ours["device"], ours["command"]) == ("alice", "edge1", "attach")
    assert ours["key"].startswith("SHA256:") and ours["source"] == "127.0.0.1"
    times = [time for time, _, _ in events]
    assert times == sorted(times)
    assert device_bytes(events) == bytes(gear.sent)
    happened = [json.loads(text) for _, code, text in events if code == "e"]
    assert {"ev": "writer", "how": "take"} in happened
    assert sum(event["bytes"] for event in happened if event["ev"] == "typed") == len("show version\recho\r")
    assert happened[-1] == {"ev": "close", "status": 0}
    assert [text for _, code, text in events if code == "r"] == ["132x50"]
    assert not [text for _, code, text in events if code == "i"], "typing is not recorded"
    played = plays(lab, path)
    assert "you may type" in played and "show version" in played and "Grüße 🚀" in played
    opened = daemon.journal("recording.open")
    assert [entry["recording"] for entry in opened] == [ours["id"]]
    assert opened[0]["path"] == os.path.relpath(path, os.path.join(daemon.state, "recordings"))
    until("the journal is written", lambda: daemon.journal("recording.close"))
    assert daemon.journal("recording.close")[0]["size"] == os.path.getsize(path) == marked(daemon, path)
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700


def test_a_session_that_the_core_died_in_is_ended_at_the_next_start(lab):
    daemon, gear = lab.one()
    daemon.attached()
    gear.says(b"before the crash \xff\r\n")
    until("it is in the file", lambda: any(map(said_in, recordings(daemon))))
    path = recordings(daemon)[0]
    assert not is_closed(path)
    daemon.kill()
    with open(path, "ab") as file:
        file.write(b'[9.000000, "o", "torn')
    daemon.start()
    until("it is ended", lambda: is_closed(path))
    assert device_bytes(parsed(path)[1]) == bytes(gear.sent)
    assert "before the crash" in plays(lab, path)
    until("the journal is written", lambda: marked(daemon, path) == os.path.getsize(path))
    told = daemon.journalled("recording.recovered")
    assert [(entry["recording"], entry["cut"]) for entry in told] == [(os.path.basename(path)[:-5], 21)]
    assert told[0]["size"] == os.path.getsize(path) == marked(daemon, path)
    until("it counts as open no more", lambda: not os.listdir(os.path.join(daemon.state, "recordings", "open")))


def test_a_stop_closes_what_is_recorded(lab):
    daemon, gear = lab.one()
    daemon.attached()
    gear.says(b"last words\r\n")
    until("it is in the file", lambda: any(map(said_in, recordings(daemon))))
    daemon.stop()
    path = recordings(daemon)[0]
    assert is_closed(path)
    assert marked(daemon, path) == os.path.getsize(path)


def test_scripts_are_recorded_too(lab):
    daemon, gear = lab.one()
    assert daemon.ssh("send", "edge1", "hello").status == 0
    path = only(daemon)
    header, events = parsed(path)
    assert header["oobd"]["command"] == "send"
    assert "hello" not in json.dumps(events), "what was sent is counted, not kept"
