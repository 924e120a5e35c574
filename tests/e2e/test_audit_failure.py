"""A start at which the journal can't be opened: with "degrade" people get in and are told, what has to be written down is not
done, and it mends itself; with "refuse" nothing starts."""

import os
import shutil
import socket
import subprocess

import lab as bmc_lab
from gear import until
from harness import OOBD, BehindBmc

JUNK = b"x" * (5 << 20)  # more than a crash tears


class DeafBmc(bmc_lab.Bmc):
    """An address where packets are taken and nothing answers."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address, self.port = self._socket.getsockname()

    def close(self):
        self._socket.close()


def begin(lab, server=""):
    """A daemon that ran once, with a journal, and has stopped."""
    gear = lab.gear()
    device = BehindBmc(lab, "edge1", lab.keep(DeafBmc()), line=gear.line)
    daemon = lab.daemon({"edge1": device}, server=server)
    daemon.wait_up("edge1")
    daemon.stop()
    return daemon, gear


def newest(daemon):
    folder = os.path.join(daemon.state, "journal")
    return os.path.join(folder, max(name for name in os.listdir(folder) if name.endswith(".jsonl")))


def damage(daemon):
    with open(newest(daemon), "ab") as file:
        file.write(JUNK)


def mend(daemon):
    path = newest(daemon)
    shutil.copy(path, path + ".mended")
    os.truncate(path + ".mended", os.path.getsize(path) - len(JUNK))
    os.replace(path + ".mended", path)


def is_open_for_people_but_not_for_power(daemon, gear, why):
    """It starts; `why` is what it says is wrong with the journal."""
    daemon.start()
    daemon.wait_said("THE JOURNAL CAN'T BE OPENED, and is tried again: .*" + why)
    daemon.wait_up("edge1")
    assert why in daemon.ctl("status").out
    daemon.wait_said("THE JOURNAL CAN'T BE WRITTEN|THE DISK IS FULL")
    screen = daemon.attached(says=r"(JOURNAL CAN'T|IS FULL)[\s\S]*you may type|you may type[\s\S]*(JOURNAL CAN'T|IS FULL)")
    screen.type("typed\r")
    gear.hears("typed\r")
    gear.says("still seen\r\n")
    screen.expect("still seen")
    done = daemon.ssh("power", "edge1", "off", "--yes", "edge1")
    assert done.status == 74 and why in done.err, done
    return screen


def is_whole_again(daemon):
    until("the journal is open", lambda: "journal      ok" in daemon.ctl("status").out)
    daemon.wait_said("journal: opened at last")

    def since_start():
        events = [one["ev"] for one in daemon.journal()]
        return events[len(events) - 1 - events[::-1].index("start"):] if "start" in events else []

    until("what was noted meanwhile is written", lambda: "login" in since_start())
    entries = daemon.journal()
    assert [one["n"] for one in entries] == list(range(len(entries)))
    assert not [one for one in entries if one["ev"] == "power.request"]
    assert daemon.ssh("power", "edge1", "off", "--yes", "edge1", "--wait", "1").status not in (0, 74)
    assert [one["device"] for one in daemon.journal("power.request")] == ["edge1"]


def test_a_journal_that_is_damaged_keeps_nobody_out_and_is_opened_once_it_is_mended(lab):
    daemon, gear = begin(lab)
    damage(daemon)
    is_open_for_people_but_not_for_power(daemon, gear, "more than a crash tears")
    mend(daemon)
    is_whole_again(daemon)


def test_a_full_disk_at_a_first_start_keeps_nobody_out(lab):
    lab.small_disk("d/state", "24m")
    daemon, gear = begin(lab, '[audit]\nreserve = "1m"\n')
    shutil.rmtree(os.path.join(daemon.state, "journal"))
    ballast = os.path.join(daemon.state, "ballast")
    try:
        with open(ballast, "ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        pass  # that is what was wanted
    is_open_for_people_but_not_for_power(daemon, gear, "No space left on device")
    os.unlink(ballast)
    is_whole_again(daemon)
    daemon.wait_said("BEGINS ANEW")


def test_a_journal_on_a_read_only_disk_keeps_nobody_out(lab):
    daemon, gear = begin(lab)
    journal = os.path.join(daemon.state, "journal")
    inside = lab.small_disk("read_only", "24m")
    shutil.copytree(journal, inside, dirs_exist_ok=True)
    os.chmod(inside, 0o700)
    subprocess.run(["mount", "--bind", inside, journal], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", journal], check=True)
        is_open_for_people_but_not_for_power(daemon, gear, "Read-only file system")
        subprocess.run(["mount", "-o", "remount,bind,rw", journal], check=True)
        is_whole_again(daemon)
        daemon.stop()
    finally:
        subprocess.run(["umount", "-l", journal], check=True)


def test_where_it_is_wanted_nothing_starts_without_a_journal(lab):
    daemon, _ = begin(lab, '[audit]\non_audit_failure = "refuse"\n')
    damage(daemon)
    done = subprocess.run([OOBD, "serve", "-c", daemon.config], capture_output=True, text=True, timeout=60,
                          env=daemon.lab.environment)
    assert done.returncode == 74, done
    assert "more than a crash tears" in done.stderr and 'audit.on_audit_failure is "refuse"' in done.stderr
    mend(daemon)
    daemon.start()
    assert daemon.ssh("list").status == 0
