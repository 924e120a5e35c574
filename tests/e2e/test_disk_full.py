"""What becomes of a board whose disk fills: people are told, the oldest goes first and is written down, the door stays open
(or not, as is wanted), and all is well again by itself."""

import hashlib
import os
import re

from gear import until

MEBI = 1 << 20
AUDIT = """
[audit]
reserve           = "1m"
recordings_floor  = "1m"
transcripts_floor = "64k"
"""


class Disk:
    """A small disk with the state folder of a daemon to be, and something else on it that grows."""

    def __init__(self, lab):
        self.state = lab.small_disk("d/state", "24m")
        self.ballast = os.path.join(self.state, "ballast")

    def percent(self):
        found = os.statvfs(self.state)
        used = found.f_blocks - found.f_bfree
        return 100 * used / (used + found.f_bavail)

    def fill(self, percent):
        """So full, by something that is not oobd's."""
        found = os.statvfs(self.state)
        wanted = int((found.f_blocks - found.f_bfree + found.f_bavail) * percent / 100) - (found.f_blocks - found.f_bfree)
        with open(self.ballast, "ab") as file:
            file.write(bytes(max(0, wanted) * found.f_frsize))

    def fill_up(self):
        try:
            with open(self.ballast, "ab", buffering=0) as file:
                while True:
                    file.write(bytes(64 * 1024))
        except OSError:
            pass  # that is what was wanted

    def clear(self):
        os.unlink(self.ballast)

    def recording(self, number, age_days, size=MEBI):
        """One that was closed some days ago: its id, its path, the sum of its bytes, and how many they are."""
        name = f"20260101-1000{number:02d}-{number}"
        folder = os.path.join(self.state, "recordings/2026/01/01")
        os.makedirs(folder, 0o700, exist_ok=True)
        path = os.path.join(folder, name + ".cast")
        with open(path, "wb") as file:
            file.write(b'{"version":2,"width":80,"height":24,"timestamp":1767261600}\n')
            file.write(os.urandom(size // 2).hex().encode())
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        when = os.stat(path).st_mtime - age_days * 86400
        os.utime(path, (when, when))
        return name, path, digest, os.stat(path).st_size

    def hold(self, name):
        folder = os.path.join(self.state, "recordings/holds")
        os.makedirs(folder, 0o700, exist_ok=True)
        with open(os.path.join(folder, name), "w"):
            pass


def level(daemon):
    return re.search(r"^oobd_disk_level (\d)$", daemon.ctl("metrics").out, re.MULTILINE).group(1)


def until_level(daemon, wanted):
    """The daemon looks every ten seconds; a reload makes it look at once."""
    daemon.reload()
    until(f"disk level {wanted}", lambda: level(daemon) == wanted)


def test_the_oldest_goes_first_is_written_down_and_what_is_held_stays(lab):
    disk, gear = Disk(lab), lab.gear()
    kept = [disk.recording(number, 20 - number) for number in range(15)]
    disk.hold(kept[0][0])
    daemon = lab.daemon({"edge1": gear}, server=AUDIT)
    daemon.wait_up("edge1")
    gear.says("busy\r\n" * 1000)
    assert "THE DISK" not in daemon.ctl("status").out
    disk.fill(82)
    until_level(daemon, "1")
    changes = daemon.journalled("disk.level")
    assert [(one["from"], one["to"]) for one in changes] == [("fine", "warn")] and 80 <= changes[0]["percent"] <= 84
    daemon.attached(says=r"\[oobd: THE DISK IS 8\d % FULL: ")
    assert daemon.ssh("list").err == ""
    assert all(os.path.exists(path) for _, path, _, _ in kept)

    disk.fill(93)
    daemon.reload()
    until("recordings were removed", lambda: disk.percent() <= 88 and level(daemon) == "1")
    removed = daemon.journal("retention")
    # The oldest first, but not the one that is held; each as it was.
    expected = kept[1:1 + len(removed)]
    assert removed and [(one["kind"], one["recording"], one["sha256"], one["bytes"], one["why"]) for one in removed] == [
        ("recording", name, digest, size, "disk") for name, _, digest, size in expected]
    assert not any(os.path.exists(path) for _, path, _, _ in expected)
    assert all(os.path.exists(path) for _, path, _, _ in [kept[0], *kept[1 + len(removed):]])
    figures = daemon.ctl("metrics").out
    assert f'oobd_removed_files_total{{kind="recording"}} {len(removed)}\n' in figures
    assert "oobd_recordings_held 1\n" in figures

    # The newest of at least the floor stay, whatever comes.
    def filled_again():
        disk.fill(99)
        daemon.reload()
        return len(daemon.journal("retention")) >= len(kept) - 2

    until("all above the floor is gone", filled_again)
    # Each is removed after it was written down.
    until("the last of them has gone", lambda: not os.path.exists(kept[-2][1]))
    assert [os.path.exists(path) for _, path, _, _ in kept] == [True] + [False] * (len(kept) - 2) + [True]


def test_a_full_disk_lets_people_in_loudly_and_recovers_by_itself(lab):
    disk, gear = Disk(lab), lab.gear()
    daemon = lab.daemon({"edge1": gear}, server=AUDIT)
    daemon.wait_up("edge1")
    there = daemon.attached(user="bob")
    disk.fill_up()
    until_level(daemon, "4")
    there.expect(r"\[oobd: THE DISK IS FULL")
    # They come by two ways, stderr and stdout, in either order.
    screen = daemon.attached("-t", "oob", "attach", "edge1", "--force",
                             says=r"THE DISK IS FULL[\s\S]*you may type|you may type[\s\S]*THE DISK IS FULL")
    screen.type("typed\r")
    gear.hears("typed\r")
    gear.says("still seen\r\n")
    screen.expect("still seen")
    disk.clear()
    there.expect("the disk has room again")  # nobody asked it to look
    until("it is written down", lambda: daemon.journal("disk.level")[-1:] and
          (daemon.journal("disk.level")[-1]["from"], daemon.journal("disk.level")[-1]["to"]) == ("full", "fine"))
    numbers = [entry["n"] for entry in daemon.journal()]
    assert numbers == list(range(len(numbers)))


def test_where_it_is_wanted_a_full_disk_lets_nobody_in_but_root(lab):
    disk, gear = Disk(lab), lab.gear()
    daemon = lab.daemon({"edge1": gear}, server=AUDIT + 'on_audit_failure = "refuse"\n')
    daemon.wait_up("edge1")
    writer, watcher = daemon.attached(), daemon.attached("-t", "oob", "attach", "edge1", "--watch", user="bob", says="edge1")
    disk.fill_up()
    until_level(daemon, "4")
    for words in (("list",), ("send", "edge1", "x"), ("attach", "edge1")):
        done = daemon.ssh(*words)
        assert done.status == 74 and done.out == "", done
        assert "THE DISK IS FULL" in done.err and f"Cure: make room on the board below {daemon.state}" in done.err, done
    assert daemon.ctl("list").status == 0
    writer.type("rm\r")
    writer.expect("no keystroke is taken")
    gear.says("still seen\r\n")
    watcher.expect("still seen")
    assert gear.heard == b""
    disk.clear()
    watcher.expect("the disk has room again")
    assert daemon.ssh("list").status == 0
    writer.type("ls\r")
    gear.hears("ls\r")
