"""What sessions cost: oobd and a plain sshd, both met by the stock ssh client."""

import getpass
import json
import os
import random
import select
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import consoles
import processes
import subjects


class Sshd:
    """Plain sshd; its session is a pty with a `cat` behind it, which sends back what is typed."""

    name = "sshd"
    console = ["stty raw -echo; exec cat"]
    nothing = ["true"]

    def __init__(self, folder, key):
        self.key = key
        self.port = processes.free_port()
        self.user = getpass.getuser()
        host_key = folder / "sshd_host_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key], check=True)
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # where Debian's sshd shuts its children in
        config = folder / "sshd_config"
        # SHLVL: Debian's bash reads ~/.bashrc below sshd, unless it is not the first shell; that is not sshd's doing.
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nAuthorizedKeysFile {key}.pub\n"
            "StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nMaxStartups 1000\n"
            "SetEnv SHLVL=2\nMaxSessions 1000\nPidFile none\nPrintMotd no\nPrintLastLog no\n")
        self.program = processes.Program(["/usr/sbin/sshd", "-D", "-e", "-f", str(config)], folder / "sshd.said")
        self.program.wait_until("listens", lambda: "listening on" in self.program.said())

    def memory(self):
        """Of sshd's own processes: what it starts for its people is not its doing."""
        return sum(processes.memory_of(pid, "Pss_Anon") for pid in self.program.pids()
                   if processes.name_of(pid) == "sshd")

    def stop(self):
        self.program.stop()


class Bench:
    """oobd with N talking consoles and one that echoes, and an sshd beside it."""

    def __init__(self, tools, talking, rate=consoles.RATE, seconds=600.0):
        self.folder = Path(tempfile.mkdtemp(prefix="oobd-bench-"))
        self.started = []
        try:
            echo = processes.Program([tools / "bench_echo", self.folder / "echo"], self.folder / "echo.said")
            self.started.append(echo)
            echo.wait_until("is ready", lambda: "ready" in echo.said())
            self.generator = consoles.Generator(tools, self.folder, talking, rate, seconds)
            self.started.append(self.generator)
            self.oobd = subjects.Oobd(self.folder, [*self.generator.ttys, self.folder / "echo"], tools)
            self.started.append(self.oobd)
            self.oobd.start()
            self.oobd.user = "bench"
            self.oobd.console = ["attach", "echo"]
            self.oobd.nothing = ["version"]
            self.oobd.memory = lambda: self.oobd.program.memory("Pss_Anon")
            self.sshd = Sshd(self.folder, self.oobd.key)
            self.started.append(self.sshd)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in reversed(self.started):
            program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def ssh(server, *command, terminal=False):
    return ["ssh", "-F", "none", "-i", str(server.key), "-p", str(server.port), *(["-tt"] if terminal else []),
            "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", "-o", "KexAlgorithms=curve25519-sha256", "-o", "Ciphers=aes128-gcm@openssh.com",
            f"{server.user}@127.0.0.1", *command]


class Terminal:
    """An ssh client on a remote pty, typed at and read through pipes."""

    def __init__(self, server, *command):
        self.begin = time.monotonic()
        self.process = subprocess.Popen(ssh(server, *command, terminal=True), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        self.heard = b""

    def hear(self, limit):
        """What comes within `limit` seconds, b"" when nothing does."""
        if not select.select([self.process.stdout], [], [], limit)[0]:
            return b""
        piece = os.read(self.process.stdout.fileno(), 65536)
        if not piece:
            raise RuntimeError(f"ssh ended: {self.heard[-2000:]!r}")
        self.heard += piece
        return piece

    def type(self, byte):
        os.write(self.process.stdin.fileno(), byte)

    def echo(self, byte, limit=10.0):
        """Types a byte and waits until it is back; seconds."""
        begin = time.monotonic()
        self.type(byte)
        while byte not in self.hear(limit):
            if time.monotonic() - begin > limit:
                raise RuntimeError(f"{byte!r} was not sent back: {self.heard[-2000:]!r}")
        return time.monotonic() - begin

    def settle(self):
        """Until the greeting is over."""
        self.hear(20.0)
        while self.hear(0.5):
            pass

    def close(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def keystrokes(server, count):
    """Milliseconds from a typed byte to its echo: p50, p99."""
    times = []
    with Terminal(server, *server.console) as terminal:
        terminal.settle()
        for number in range(count):
            time.sleep(random.uniform(0.015, 0.045))
            times.append(1000 * terminal.echo(b"%c" % (ord("a") + number % 26)))
    times.sort()
    return {"echo_p50_ms": statistics.median(times), "echo_p99_ms": times[min(len(times) - 1, int(len(times) * 0.99))]}


def attach_ms(server, count):
    """Milliseconds from starting ssh until the first typed byte is back: the median. No greeting holds a ^B."""
    times = []
    for _ in range(count):
        with Terminal(server, *server.console) as terminal:
            terminal.type(b"\x02")
            while b"\x02" not in terminal.hear(20.0):
                pass
            times.append(1000 * (time.monotonic() - terminal.begin))
    return statistics.median(times)


def login(server, count):
    """CPU and wall milliseconds of one login that does nothing."""
    subprocess.run(ssh(server, *server.nothing), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    cpu, begin = server.program.cpu(), time.monotonic()
    for _ in range(count):
        subprocess.run(ssh(server, *server.nothing), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    took = time.monotonic() - begin
    time.sleep(0.3)
    return {"login_cpu_ms": 1000 * (server.program.cpu() - cpu) / count, "login_ms": 1000 * took / count}


def idle_kib(server, count):
    """KiB that one attached session with nothing to do costs. Anonymous pages only: libraries are shared with the
    clients on the same machine, so that their share falls as sessions come."""
    terminals = []
    try:
        terminals.append(Terminal(server, *server.console))  # what is shared by all comes with the first
        terminals[0].type(b"\x02")
        terminals[0].hear(20.0)
        before = server.memory()
        for _ in range(count):
            terminal = Terminal(server, *server.console)
            terminals.append(terminal)
            terminal.type(b"\x02")
            terminal.hear(20.0)
        time.sleep(1.0)
        return (server.memory() - before) / count
    finally:
        for terminal in terminals:
            terminal.close()


def measure(tools, quick):
    """{server: figures}, each on the same machine at the same time of day, idle and with 48 consoles talking."""
    strokes, logins, sessions = (200, 30, 30) if quick else (1000, 100, 100)
    figures = {}
    with Bench(tools, 48) as bench:
        servers = (bench.oobd, bench.sshd)
        for server in servers:
            # Memory first: later it would come out of what the logins left in the heap.
            figures[server.name] = {"idle_session_kib": idle_kib(server, sessions), **keystrokes(server, strokes),
                                    "attach_ms": attach_ms(server, 10), **login(server, logins)}
        bench.generator.go()
        for server in servers:
            busy = keystrokes(server, strokes)
            figures[server.name].update({f"busy_{key}": value for key, value in busy.items()})
            figures[server.name]["busy_attach_ms"] = attach_ms(server, 10)
    return figures


class Viewer:
    """`watch --raw` by ssh into a file."""

    def __init__(self, server, device, file):
        self.file = Path(file)
        self.errors = self.file.with_suffix(".err")
        with open(self.file, "wb") as out, open(self.errors, "wb") as err:
            self.process = subprocess.Popen(ssh(server, "watch", device, "--raw"), stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=err, start_new_session=True)

    def whole(self, size, crc):
        return subjects.Log(self.file.parent, self.file.name).holds(0, size, crc)

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait()


def wait_for_watchers(server, device, count):
    def there():
        run = subprocess.run(ssh(server, "list", "--json", device), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        watchers = json.loads(run.stdout)["watchers"]
        return (watchers if isinstance(watchers, int) else len(watchers)) >= count
    processes.wait_for(f"{count} watchers of {device}", there)


def viewers(tools, count, seconds, rate=1_000_000, typing=False, frozen=False):
    """One console at 1 MB/s in front of many; with `typing` somebody works on another console meanwhile; with `frozen`
    there is one viewer more that is stopped until all is said."""
    people = []
    with Bench(tools, 1, rate, seconds) as bench:
        try:
            for i in range(count + frozen):
                people.append(Viewer(bench.oobd, "tty0", bench.folder / f"viewer{i}"))
                # One by one: of one address only a few may be about to log in.
                wait_for_watchers(bench.oobd, "tty0", len(people))
            if frozen:
                stopped = people.pop()
                stopped.process.send_signal(signal.SIGSTOP)
            memory = bench.oobd.program.memory("Rss")
            cpu = bench.oobd.program.cpu()
            bench.generator.go()
            figures = keystrokes(bench.oobd, int(seconds * 15)) if typing else {}
            most = memory
            while not select.select([bench.generator.program.process.stdout], [], [], 0.2)[0]:
                most = max(most, bench.oobd.program.memory("Rss"))
            told = bench.generator.result()
            consoles.wait_until_logged(bench.oobd.logs[:1], [0], told["consoles"])
            size, crc = told["consoles"][0]
            figures.update({
                "viewers": count, "said_mb": size / 1e6, "seconds": told["seconds"], "held_ms": told["held_ms"],
                "log_whole": int(bench.oobd.logs[0].holds(0, size, crc)),
                "cpu_s": bench.oobd.program.cpu() - cpu, "rss_kib": most, "rss_growth_kib": most - memory,
            })
            end = time.monotonic() + 10
            while time.monotonic() < end and not all(viewer.whole(size, crc) for viewer in people):
                time.sleep(0.5)
            figures["viewers_whole"] = sum(viewer.whole(size, crc) for viewer in people)
            if frozen:
                stopped.process.send_signal(signal.SIGCONT)
                processes.wait_for("the frozen viewer is told", lambda: b"bytes skipped]" in (
                    stopped.file.read_bytes() + stopped.errors.read_bytes()))
                people.append(stopped)
            return figures
        finally:
            for viewer in people:
                viewer.close()
