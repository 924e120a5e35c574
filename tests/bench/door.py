"""What a door under attack costs those who have a key: the same login every second, idle and while strangers come."""

import json
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import processes

SOURCES = 1000


class House:
    """An oobd with one user, her key and an account of what it costs."""

    def __init__(self, tools):
        self.tools = tools
        self.folder = Path(tempfile.mkdtemp(prefix="oobd-door-"))
        self.key = self.folder / "alice"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        (self.folder / "keys").write_text(self.key.with_suffix(".pub").read_text())
        self.port = processes.free_port()
        self.state = self.folder / "state"
        config = self.folder / "oobd.toml"
        config.write_text(f'[server]\nlisten = ["127.0.0.1:{self.port}"]\nstate = "{self.state}"\n\n'
                          '[user.alice]\nkeys = "keys"\nroles = ["all"]\n\n[role.all]\non = ["*"]\nmay = ["watch"]\n')
        self.program = processes.Program([str(tools / "oobd"), "serve", "-c", str(config)], self.folder / "said")
        self.program.wait_until("is ready", lambda: "ready on" in self.program.said())

    def login(self):
        """Seconds that it took, or None: refused."""
        begun = time.monotonic()
        done = subprocess.run(["ssh", "-F", "/dev/null", "-p", str(self.port), "-i", self.key, "-o", "IdentitiesOnly=yes",
                               "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
                               "-o", "UserKnownHostsFile=/dev/null", "alice@127.0.0.1", "version"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.monotonic() - begun if done.returncode == 0 else None

    def logins(self, goes_on):
        """One a second as long as goes_on(): times, and how many were refused."""
        times = []
        while goes_on():
            begun = time.monotonic()
            times.append(self.login())
            time.sleep(max(0, begun + 1 - time.monotonic()))
        good = [each * 1000 for each in times if each is not None]
        return {"logins": len(times), "refused": len(times) - len(good), **quantiles(good)}

    def attack(self, what, number, sources=SOURCES):
        return subprocess.Popen([str(self.tools / "bench_door_attacker"), str(self.port), what, str(number), str(sources)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def costs(self):
        pids = self.program.pids()
        return {"rss_kib": sum(resident(pid) for pid in pids),
                "descriptors": sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids),
                "journal_kib": sum(file.stat().st_size for file in self.state.glob("journal/**/*") if file.is_file()) / 1024}

    def close(self):
        self.program.stop()
        shutil.rmtree(self.folder)


def resident(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def quantiles(times):
    if len(times) < 2:
        return {"p50_ms": None, "p99_ms": None}
    return {"p50_ms": statistics.median(times), "p99_ms": statistics.quantiles(times, n=100, method="inclusive")[98]}


def for_seconds(seconds):
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def under(house, what, number, seconds):
    """Those that hold connections do so for `seconds`; the others take the time they take."""
    before = house.costs()
    attack = house.attack(what, number)
    try:
        if what in ("half-open", "drip"):
            attack.stdout.readline()
            run = house.logins(for_seconds(seconds))
        else:
            run = house.logins(lambda: attack.poll() is None)
        after = house.costs()
        out, _ = attack.communicate("", timeout=600)
    finally:
        if attack.poll() is None:
            attack.send_signal(signal.SIGKILL)
            attack.wait()
    run |= json.loads(out.splitlines()[-1])
    return run | {f"{key}_more": after[key] - before[key] for key in after}


def measure(tools, quick, note):
    share = 100 if quick else 1
    figures = {}
    for what, number in (("idle", 0), ("logins", 100_000), ("half-open", 10_000), ("drip", 200), ("connects", 1_000_000)):
        house = House(tools)  # one each: what strangers did before would keep them out
        try:
            house.login()
            if what == "idle":
                figures[what] = house.logins(for_seconds(10 if quick else 60))
            else:
                figures[what] = under(house, what, max(number // share, 100), 10 if quick else 30)
        finally:
            house.close()
        note(f"door: {what}: {figures[what]}")
    return figures
