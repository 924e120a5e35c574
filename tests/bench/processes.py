"""Programs under measurement: started, waited for, their CPU time and memory read, and ended with all they started."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition, limit=30.0):
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {limit:g} s")
        time.sleep(0.02)


def _stat(pid):
    """The fields of /proc/PID/stat after the program's name, or None when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def tree(root):
    """`root` and all below it."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = _stat(entry)
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def name_of(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def cpu_of(pid):
    """CPU seconds of a process with all its threads (to the nanosecond) and its reaped children (to the tick)."""
    fields = _stat(pid)
    if fields is None:
        return 0.0
    try:
        own = time.clock_gettime((~pid << 3) | 2)  # its CPUCLOCK_SCHED, as clock_getcpuclockid(3) makes it
    except OSError:
        return 0.0
    return own + (int(fields[13]) + int(fields[14])) / TICK


def memory_of(pid, field):
    """A field of smaps_rollup, such as Rss or Pss_Anon, in KiB."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


class Program:
    def __init__(self, argv, log, stdin=subprocess.DEVNULL, stdout=None, **more):
        self.log = Path(log)
        self.name = Path(argv[0]).name
        with open(log, "wb") as to:
            self.process = subprocess.Popen(argv, stdin=stdin, stdout=stdout or to, stderr=to,
                                            start_new_session=True, **more)
        self.pid = self.process.pid

    def said(self):
        return self.log.read_text(errors="replace")

    def pids(self):
        return tree(self.pid)

    def cpu(self):
        return sum(cpu_of(pid) for pid in self.pids())

    def memory(self, field="Rss"):
        return sum(memory_of(pid, field) for pid in self.pids())

    def wait_until(self, what, condition, limit=60.0):
        def ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {self.said()[-2000:]}")
            return condition()
        wait_for(f"{self.name}: {what}", ready, limit)

    def ttys(self):
        """How many pty ends its processes hold open."""
        count = 0
        for pid in self.pids():
            try:
                for entry in os.scandir(f"/proc/{pid}/fd"):
                    count += os.readlink(entry.path).startswith("/dev/pts/")
            except (FileNotFoundError, ProcessLookupError):
                pass
        return count

    def stop(self):
        pids = self.pids()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in pids[1:]:
            # Only what is still of its session: the number may have gone to somebody else.
            fields = _stat(pid)
            if fields and int(fields[3]) == self.pid:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
