"""What logging costs: CPU seconds per MB, lag to the file, memory, and whether the logs are whole."""

import json
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import processes

RATE = 11520  # bytes a second of 115200 8N1
SAMPLED = 4


class Generator:
    """The gear: see generator.cc."""

    def __init__(self, tools, folder, consoles, rate, seconds):
        self.program = processes.Program(
            [tools / "bench_generator", folder, str(consoles), str(rate), str(seconds)], Path(folder) / "generator.said",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ttys = [Path(folder) / f"tty{i}" for i in range(consoles)]
        line = self.program.process.stdout.readline()
        if line != b"ready\n":
            self.program.stop()
            raise RuntimeError(f"the generator said {line!r}: {self.program.said()}")

    def tell(self, line):
        self.program.process.stdin.write(line.encode() + b"\n")
        self.program.process.stdin.flush()

    def sample(self, logs):
        step = max(1, len(logs) // SAMPLED)
        for i in list(range(0, len(logs), step))[:SAMPLED]:
            self.tell(f"sample {i} {logs[i].files()[-1]}")

    def go(self):
        self.tell("go")

    def result(self):
        line = self.program.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the generator ended: {self.program.said()}")
        return json.loads(line)

    def stop(self):
        self.program.stop()


def wait_until_logged(logs, begins, said, limit=10.0):
    """Until the logs hold all that was said, or have stopped growing."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if all(log.size() - begin >= size for log, begin, (size, _) in zip(logs, begins, said)):
            return
        time.sleep(0.05)


def measure(kind, tools, consoles, seconds, rate=RATE):
    """One run of one subject: a dictionary of figures."""
    folder = Path(tempfile.mkdtemp(prefix="oobd-bench-"))
    generator = subject = None
    try:
        generator = Generator(tools, folder, consoles, rate, seconds)
        subject = kind(folder, generator.ttys, tools)
        subject.start()
        time.sleep(0.5)
        begins = [log.size() for log in subject.logs]
        generator.sample(subject.logs)
        cpu, cpu_gear = subject.program.cpu(), generator.program.cpu()
        generator.go()
        time.sleep(seconds * 0.8)
        rss = subject.program.memory("Rss")
        pss = subject.program.memory("Pss")
        told = generator.result()
        wait_until_logged(subject.logs, begins, told["consoles"])
        cpu = subject.program.cpu() - cpu
        logged = sum(log.size() - begin for log, begin in zip(subject.logs, begins))
        whole = sum(log.holds(begin, *said) for log, begin, said in zip(subject.logs, begins, told["consoles"]))
        return {
            "subject": subject.name, "consoles": consoles, "said_mb": told["bytes"] / 1e6, "logged_mb": logged / 1e6,
            "seconds": told["seconds"], "cpu_s": cpu, "cpu_s_per_mb": cpu / max(logged / 1e6, 1e-9),
            "mb_per_s": logged / 1e6 / told["seconds"], "lag_p50_ms": told["lag_ms"]["p50"],
            "lag_p99_ms": told["lag_ms"]["p99"], "lag_max_ms": told["lag_ms"]["max"], "rss_kib": rss, "pss_kib": pss,
            "held_ms": told["held_ms"], "whole": whole, "generator_cpu_s": generator.program.cpu() - cpu_gear,
        }
    finally:
        if subject:
            subject.stop()
        if generator:
            generator.stop()
        shutil.rmtree(folder, ignore_errors=True)


def most_consoles():
    """What the system's ptys and this process's descriptors allow."""
    limit = int(Path("/proc/sys/kernel/pty/max").read_text()) - int(Path("/proc/sys/kernel/pty/nr").read_text())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(limit - 64, (hard - 64) // 2)
