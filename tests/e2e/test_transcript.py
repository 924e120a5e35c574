"""What a console said is written down whatever dies, stalls or hangs."""

import os
import re
import subprocess
import time

import pytest

from harness import Talker, processes_of, resident, until


def written_whole(daemon, gear, device="edge1"):
    """Waits until the transcript is exactly what the gear sent."""
    until("the transcript has all that was sent", lambda: len(daemon.transcript(device)) >= len(gear.sent))
    assert daemon.transcript(device) == bytes(gear.sent)


def loaded(daemon, gear, talker_rate=200_000):
    """A viewer in the middle of a stream."""
    viewer = daemon.begin("watch", "edge1", "--raw")
    until("the viewer watches", lambda: daemon.devices_now()["edge1"]["watchers"])
    talker = Talker(gear, talker_rate)
    until("the stream is seen", lambda: viewer.size() > 100_000)
    return viewer, talker


# --- killed ----------------------------------------------------------------------------------------------------------------


def test_the_front_is_killed_and_no_console_notices(lab):
    daemon, gear = lab.one()
    viewer, talker = loaded(daemon, gear)
    old, size = daemon.front(), len(daemon.transcript("edge1"))
    os.kill(old, 9)
    until("another front is there", lambda: any(pid != old for pid in daemon.children()))
    assert daemon.ssh("version").status == 0
    assert viewer.wait() == 255
    until("the console goes on", lambda: len(daemon.transcript("edge1")) > size + 200_000)
    talker.stop()
    written_whole(daemon, gear)
    assert "down" not in daemon.ssh("log", "edge1", "--stamp", "--grep", "down").out
    assert viewer.out in bytes(gear.sent)


def test_the_front_is_killed_again_and_again(lab):
    daemon, gear = lab.one()
    took = []
    for _ in range(4):
        old = daemon.front()
        begin = time.monotonic()
        os.kill(old, 9)
        until("another front is there", lambda: daemon.children() and old not in daemon.children())
        took.append(time.monotonic() - begin)
        until("it lets people in", lambda: daemon.ssh("version").status == 0)
    assert min(took) < 3, took  # a second, and what a loaded machine adds
    gear.says("still here\r\n")
    written_whole(daemon, gear)


def test_the_core_is_killed_and_what_was_seen_is_in_the_transcript(lab):
    daemon, gear = lab.one()
    viewer, talker = loaded(daemon, gear)
    daemon.kill()
    talker.stop()
    viewer.wait()
    sent, seen, kept = bytes(gear.sent), viewer.out, daemon.transcript("edge1")
    assert sent.startswith(kept), "every byte as it came, and none twice"
    assert seen and seen in kept, f"seen {len(seen)} bytes, kept {len(kept)}"
    gear.unplug()
    gear.plug()  # what was still in the old pty's buffer is lost, as in any UART
    daemon.start()
    daemon.wait_up("edge1")
    assert daemon.transcript("edge1") == kept
    gear.says("after the restart\r\n")
    until("it goes on", lambda: daemon.transcript("edge1") == kept + b"after the restart\r\n")
    assert daemon.ssh("log", "edge1", "--lines", "1").out == "after the restart\n"
    log = daemon.ssh("log", "edge1", "--grep", "'^line 00000000 '").out
    assert len(log.splitlines()) == 1, log


def test_a_stop_under_load_loses_nothing_that_was_read(lab):
    daemon, gear = lab.one()
    _, talker = loaded(daemon, gear)
    daemon.stop()
    talker.stop()
    kept = daemon.transcript("edge1")
    assert kept and bytes(gear.sent).startswith(kept)


# --- stalled ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("watch", "edge1", "--raw"), ("-tt", "attach", "edge1", "--watch")],
                         ids=["watch", "attach"])
def test_a_frozen_viewer_costs_nobody_anything_and_is_told_what_it_missed(lab, command):
    daemon, gear = lab.one()
    frozen, well = daemon.begin(*command), daemon.begin("watch", "edge1", "--raw", user="bob")
    until("both watch", lambda: len(daemon.devices_now()["edge1"]["watchers"]) == 2)
    gear.says("begin\r\n")
    frozen.sees("begin")
    well.sees("begin")
    before = {pid: resident(pid) for pid in processes_of(daemon.process.pid)}
    frozen.freeze()
    # OpenSSH's window is 2 MiB and the kernel's buffers are some more: 12 MiB are too much for all of them. The gear
    # waits for the viewer that is well, so that a loaded machine does not make that one miss anything.
    piece = b"".join(b"%015d\n" % n for n in range(2048))
    for number in range(12 << 20 >> 15):
        gear.says(piece)
        until("the well viewer keeps up", lambda: well.size() > len(gear.sent) - 100_000)
    grown = {pid: resident(pid) - size for pid, size in before.items()}
    gear.says("end\r\n")
    well.sees("end\r\n")
    assert well.out == bytes(gear.sent)
    written_whole(daemon, gear)
    assert all(size < 8 << 20 for size in grown.values()), grown
    frozen.thaw()
    until("the frozen one wakes and is told", lambda: b" bytes skipped]" in frozen.out + frozen.err.encode())
    gear.says("awake\r\n")
    frozen.sees("awake")
    assert len(frozen.out) < len(well.out)


def test_lines_that_are_dead_or_hang_delay_neither_a_login_nor_a_good_line(lab):
    gear, hole = lab.gear(), lab.black_hole()
    devices = {"edge1": gear}
    devices.update({f"dead{n:03d}": f'{{ unix = "nowhere{n}.sock" }}' for n in range(128)})
    devices.update({f"slow{n:03d}": f'{{ tcp = "{hole.address}" }}' for n in range(128)})
    begin = time.monotonic()
    daemon = lab.daemon(devices)
    done = daemon.ssh("version")
    # A dead line is waited for 10 s and more, and there are 256: what a loaded machine needs is another thing.
    assert done.status == 0 and time.monotonic() - begin < 30, (done, time.monotonic() - begin)
    daemon.wait_up("edge1")
    gear.echo = True
    screen = daemon.attached()
    screen.type("quick\r")
    screen.expect("quick")
    assert time.monotonic() - begin < 60
    states = [one["state"] for one in daemon.devices_now().values()]
    assert states.count("up") == 1 and len(states) == 257
    slow = daemon.ssh("send", "slow001", "x")
    assert slow.status == 69, slow


def test_a_full_disk_stops_no_console_and_nothing_is_done_that_can_not_be_written_down(lab):
    gear, disk = lab.gear(), lab.small_disk("d/state")
    daemon = lab.daemon({"edge1": gear})
    daemon.wait_up("edge1")
    for number in range(2 << 20 >> 15):
        gear.says(b"%079d\n" % number * 410)
    until("the disk is full", lambda: daemon.ssh("note", "edge1", "x").status == 74)
    for words in (("send", "edge1", "x"), ("break", "edge1")):
        done = daemon.ssh(*words)
        assert done.status == 74 and "No space left" in done.err and done.out == "", done
    assert "No space left" in daemon.ctl("status").out
    screen = daemon.attached()
    screen.type("typed\r")
    gear.hears("typed\r")
    assert gear.heard == b"typed\r"
    gear.says("still seen\r\n")
    screen.expect("still seen")
    subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
    until("there is room again", lambda: daemon.ssh("note", "edge1", "room").status == 0)

    def written_again():
        gear.says("written again\r\n")
        return daemon.transcript("edge1").endswith(b"written again\r\n")

    until("what is said from then on is written", written_again)
    until("the log has what was lost", lambda: re.search(r"\d+ bytes lost", daemon.ssh("log", "edge1", "--stamp").out))
    numbers = [entry["n"] for entry in daemon.journal()]
    assert numbers == list(range(len(numbers)))
