"""What searching a long transcript costs: `log --since` and `audit grep` by ssh against GNU grep on the same files."""

import os
import random
import resource
import shutil
import subprocess
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import processes
import sessions
import subjects

SEGMENT = 64 << 20
RATE = 11520  # bytes a second
WORDS = ("eth0 link is up down mtd nand read write block kernel usb hub port reset device registered interface state "
         "changed forwarding timeout memory cpu thermal zone trip point fan speed rpm power supply ok").split()
RARE = "panic: out of luck at"
# What is looked for: a name, and an expression that grep -E and RE2 read alike.
ASKED = {
    "a literal, rare": RARE,
    "an alternation, rare": "out of luck|no such thing|never was said",
    "a class, rare": "luck at 0x[0-9a-f]+ by cpu[0-7]",
    "a literal, in 1 of 1,000 lines": "temperature alarm",
}


def block(size):
    """Some of what a console says."""
    chance = random.Random(5)
    lines, length = [], 0
    while length < size:
        words = " ".join(chance.choice(WORDS) for _ in range(chance.randint(4, 12)))
        tail = "temperature alarm" if chance.random() < 0.001 else f"0x{chance.getrandbits(32):08x}"
        lines.append(f"[{chance.randint(1, 99999):5d}.{chance.randint(0, 999999):06d}] {words} {tail}\r\n")
        length += len(lines[-1])
    return "".join(lines).encode()


def began(size):
    """So long ago that it has come to `size` by now."""
    return datetime.now(timezone.utc).replace(microsecond=0) - timedelta(seconds=size // RATE)


def write_transcript(folder, megabytes):
    """Segments and their indexes (docs/formats.md, "Transcripts"): a console that said 11,520 bytes a second."""
    begin = began(megabytes << 20)
    folder.mkdir(parents=True, mode=0o700)
    text = block(4 << 20)
    rare = f"[    1.000000] {RARE} 0x7f3a by cpu3\r\n".encode()
    start = 0
    while start + SEGMENT <= megabytes << 20:  # not more: retention would take some away
        name = folder / f"{start:020d}"
        with open(f"{name}.log", "wb") as log:
            while log.tell() + len(text) + len(rare) <= SEGMENT:
                log.write(text)
            log.write(rare)
            size = log.tell()
        with open(f"{name}.idx", "w") as index:
            for offset in range(start, start + size, RATE):
                when = begin + timedelta(seconds=offset // RATE)
                index.write(f"{offset:020d} {when:%Y-%m-%dT%H:%M:%S}.000000Z at\n")
        start += size
    return start


def timed(argv, to, program=None):
    """Wall and CPU seconds of a command that writes to the file `to`: the command's own, or of `program` alone. Not
    /dev/null, for GNU grep ends at the first hit then."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu, begin = (processes.cpu_of(program) if program else 0.0), time.monotonic()
    with open(to, "wb") as out:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
    wall = time.monotonic() - begin
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{argv}: {done.stderr[-500:]!r}")
    if program:
        return {"wall_s": wall, "cpu_s": processes.cpu_of(program) - cpu}
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wall_s": wall, "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def measure(tools, runs, quick, note):
    """{what is asked: {who: [figures of each run]}}, in turns, from the page cache."""
    folder = Path(tempfile.mkdtemp(prefix="oobd-bench-"))
    oobd = gear = None
    try:
        size = write_transcript(folder / "state/transcripts/tty0", 128 if quick else 1024)
        gear = processes.Program([tools / "bench_echo", folder / "tty0"], folder / "gear.said")
        gear.wait_until("is ready", lambda: "ready" in gear.said())
        os.chmod(folder / "state", 0o700)
        oobd = subjects.Oobd(folder, [folder / "tty0"], tools)
        oobd.start()
        oobd.user = "bench"
        files = [str(file) for file in oobd.logs[0].files()]
        core = oobd.program.pid  # the front is a child of it
        subprocess.run(["cat", *files], stdout=subprocess.DEVNULL, check=True)
        half = (began(size) + timedelta(seconds=size // 2 // RATE)).strftime("%Y-%m-%dT%H:%M:%SZ")
        later = files[len(files) // 2:]
        commands = {}
        for name, expression in ASKED.items():
            quoted = f"'{expression}'"
            commands[name] = {
                "audit grep": (sessions.ssh(oobd, "audit", "grep", "--transcripts", quoted), core),
                "log --since the middle --grep": (
                    sessions.ssh(oobd, "log", "tty0", "--since", half, "--grep", quoted), core),
                "grep -E": (["grep", "-aE", expression, *files], None),
                "grep -E, the later half": (["grep", "-aE", expression, *later], None),
                "grep -E, LC_ALL=C": (["env", "LC_ALL=C", "grep", "-aE", expression, *files], None),
            }
        commands["everything since the middle"] = {
            "log --since the middle": (sessions.ssh(oobd, "log", "tty0", "--since", half), core),
            "log --raw --since the middle": (sessions.ssh(oobd, "log", "tty0", "--since", half, "--raw"), core),
        }
        figures = {name: {who: [] for who in row} for name, row in commands.items()}
        for _ in range(runs):
            for name, row in commands.items():
                for who, (argv, program) in row.items():
                    figures[name][who].append(timed(argv, folder / "found", program))
                    note(f"{name}: {who}: {figures[name][who][-1]}")
        return {"mb": size / 1e6, "asked": figures}
    finally:
        for program in (oobd, gear):
            if program:
                program.stop()
        shutil.rmtree(folder, ignore_errors=True)
