"""BMCs on loopback for tests, benchmarks and whoever develops: OpenIPMI's ipmi_sim with and without a real machine behind it,
and python3-pyghmi's. What can't be had here raises Missing with the reason.

Each BMC has an address of its own below 127.77.0.0/16, free when it was taken, and the real port 623 where the caller is
root. Everything ends with close(), and when the calling thread ends, however that comes about.
"""

import json
import os
import select
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DEMO = ROOT / "etc/demo"
sys.path.insert(0, str(DEMO))

import machine  # noqa: E402

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PYTHON = "/usr/bin/python3"  # Debian's, which has python3-pyghmi
PACKAGES = {"ipmi_sim": "openipmi", "sdrcomp": "openipmi", "ipmitool": "ipmitool", "ipmipower": "freeipmi-tools",
            "ipmi-sensors": "freeipmi-tools", "ipmi-sel": "freeipmi-tools"}


class Missing(Exception):
    """Something of the lab can't be had on this machine."""


def need(*programs):
    for program in programs:
        if not shutil.which(program, path=PATH):
            raise Missing(f"{program} is not installed (package {PACKAGES.get(program, program)})")


def image():
    """The folder with what QEMU boots; builds it the first time."""
    done = subprocess.run([DEMO / "image"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Missing(done.stderr.strip() or f"{DEMO / 'image'}: {done.returncode}")
    return machine.IMAGE


class Bmc:
    """How to reach one, for oobd and for the tools it is compared with."""

    address, port, user, password = "", 623, machine.USER, machine.PASSWORD
    suite = 3  # ipmi_sim 2.0.33 has no 17

    @property
    def host(self):
        return self.address if self.port == 623 else f"{self.address}:{self.port}"

    def configuration(self, name, folder, **more):
        """A [bmc.NAME] for oobd, its password in a file of `folder`; `more`: keys, None leaves one out."""
        path = os.path.join(folder, f"password_{name}")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(self.password + "\n")
        keys = {"host": self.host, "user": self.user, "password_file": path, "cipher_suite": self.suite, **more}
        return f"\n[bmc.{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()
                                             if value is not None)

    def ipmitool_argv(self, *words):
        return ["ipmitool", "-I", "lanplus", "-C", str(self.suite), "-H", self.address, "-p", str(self.port), "-U",
                self.user, "-P", self.password, *words]

    def ipmitool(self, *words):
        """What it prints."""
        need("ipmitool")
        return run(self.ipmitool_argv(*words))

    def freeipmi(self, program, *words):
        """ipmi_sim grants other privileges than were asked for, hence the workaround (-W)."""
        need(program)
        return run([program, "-h", self.host, "-u", self.user, "-p", self.password, "-D", "LAN_2_0", "-I",
                    str(self.suite), "-l", "admin", "-W", "opensesspriv", *words])


def run(argv, timeout=60):
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout,
                          env={"PATH": PATH, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"})
    if done.returncode:
        raise RuntimeError(f"{argv[0]}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def wait_for(what, true, limit=30.0):
    end = time.monotonic() + limit
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {limit:g} s")
        time.sleep(0.02)


class RealMachine(Bmc):
    """QEMU behind ipmi_sim, off at first: etc/demo/machine.py. `serial` is all that its serial port said, to the byte."""

    def __init__(self, folder):
        need("ipmi_sim", "sdrcomp")
        self.folder = Path(folder)
        self.process = None
        self.process = machine.spawn([PYTHON, DEMO / "machine.py", folder, "--image", image()],
                                     self.folder.parent / (self.folder.name + ".log"), stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE)
        line = b""
        if select.select([self.process.stdout], [], [], 30)[0]:
            line = self.process.stdout.readline()
        if not line:
            self.close()
            raise RuntimeError(f"no machine: {(self.folder.parent / (self.folder.name + '.log')).read_text()}")
        told = json.loads(line)
        if "missing" in told:
            self.close()
            raise Missing(told["missing"])
        self.address, self.port = told["address"], told["port"]

    @property
    def serial(self):
        return (self.folder / "serial").read_bytes()

    @property
    def asked(self):
        """What was asked of the chassis: ["power 1", "boot pxe", ...]."""
        path = self.folder / "log"
        return [line.split(" ", 1)[1] for line in path.read_text().splitlines()] if path.exists() else []

    def powered(self):
        return (self.folder / "power").read_text().strip() == "1"

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.stdout.close()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()  # what it started goes with it
                self.process.wait()
            self.process = None


class Hosts:
    """The machines behind light BMCs: one thread has all their serial ports. Each echoes what it hears, unless that is
    switched off, and counts the breaks."""

    def __init__(self, addresses_and_listeners):
        self.echo = True
        self.heard = {address: b"" for address, _ in addresses_and_listeners}
        self.breaks = dict.fromkeys(self.heard, 0)
        self._ports, self._telnet = {}, {}
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._over, self._woken = os.pipe()
        self._selector.register(self._over, selectors.EVENT_READ, None)
        for address, listener in addresses_and_listeners:
            self._selector.register(listener, selectors.EVENT_READ, (address, True))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                address, listens = key.data
                if listens:
                    port, _ = key.fileobj.accept()
                    with self._lock:
                        self._ports[address], self._telnet[address] = port, machine.Telnet()
                    self._selector.register(port, selectors.EVENT_READ, (address, False))
                else:
                    self._read(address, key.fileobj)

    def _read(self, address, port):
        try:
            data = port.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(port)
            with self._lock:
                if self._ports.get(address) is port:
                    del self._ports[address]
            port.close()
            return
        plain, breaks = self._telnet[address].plain(data)
        self.heard[address] += plain
        self.breaks[address] += breaks
        if self.echo and plain:
            self.say(address, plain)

    def connected(self, address):
        return address in self._ports

    def say(self, address, data):
        with self._lock:
            port = self._ports.get(address)
            if port:
                try:
                    port.sendall(data.replace(b"\xff", b"\xff\xff"))
                except OSError:
                    pass  # that BMC has just ended

    def close(self):
        os.write(self._woken, b"x")
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            if not isinstance(key.fileobj, int):
                key.fileobj.close()
        self._selector.close()
        os.close(self._over)
        os.close(self._woken)


class LightBmc(Bmc):
    """An ipmi_sim with nothing but an echo behind it: always off, with sensors and an event log."""

    def __init__(self, simulator, hosts):
        self.simulator, self.hosts = simulator, hosts
        self.address, self.port = simulator.address, simulator.port

    def start(self):
        self.simulator.start()

    def wait(self):
        wait_for(f"ipmi_sim at {self.host}", lambda: self.hosts.connected(self.address) and
                 machine.answers(self.address, self.port))

    def kill(self):
        """As a BMC that is reset: without a word."""
        self.simulator.stop(signal.SIGKILL)

    def says(self, data):
        self.hosts.say(self.address, data.encode() if isinstance(data, str) else data)

    @property
    def heard(self):
        return self.hosts.heard[self.address]

    @property
    def breaks(self):
        return self.hosts.breaks[self.address]


class LightBmcs:
    """`count` of them, at addresses that follow one another, as FreeIPMI's host ranges want them."""

    def __init__(self, folder, count):
        need("ipmi_sim", "sdrcomp")
        reserved = machine.reserve_range(count)
        self.hosts = Hosts(reserved)  # before the simulators, see machine.Simulator
        self.bmcs = []
        try:
            for number, (address, _) in enumerate(reserved):
                simulator = machine.Simulator(Path(folder) / f"bmc{number}", address, machine.bmc_port(), "", number)
                self.bmcs.append(LightBmc(simulator, self.hosts))
                self.bmcs[-1].start()
            for bmc in self.bmcs:
                bmc.wait()
        except BaseException:
            self.close()
            raise

    def __iter__(self):
        return iter(self.bmcs)

    def __getitem__(self, at):
        return self.bmcs[at]

    @property
    def range(self):
        """For FreeIPMI's -h."""
        first, last = self.bmcs[0].address, self.bmcs[-1].address
        return f"{first.rpartition('.')[0]}.[{first.rpartition('.')[2]}-{last.rpartition('.')[2]}]"

    def close(self):
        for bmc in self.bmcs:
            if bmc.simulator.process:
                os.killpg(bmc.simulator.process.pid, signal.SIGTERM)
        for bmc in self.bmcs:
            bmc.simulator.stop()
        self.hosts.close()


class PyghmiBmc(Bmc):
    password = "secretpy"

    def __init__(self, folder, suites=(17, 3)):
        if subprocess.run([PYTHON, "-c", "import pyghmi"], stderr=subprocess.DEVNULL).returncode:
            raise Missing("python3-pyghmi is not installed")
        self.suite = suites[0]
        self.address, self._reserved = machine.reserve()
        self.port = machine.bmc_port()
        log = Path(folder) / "pyghmi.log"
        self.process = machine.spawn([PYTHON, "-B", Path(__file__).parent / "pyghmi_bmc.py", self.address, self.port,
                                      ",".join(map(str, suites))], log, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            self.close()
            raise RuntimeError(f"no BMC by pyghmi: {log.read_text()}")

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.kill()
            self.process.wait()
            self.process = None
            self._reserved.close()


class TestBmc(Bmc):
    user, password, suite = "oob", "secret", 17

    def __init__(self, address, port):
        self.address, self.port = address, port


class TestBmcs:
    """`count` BMCs of the project's own, in one process: the program test_bmc (tests/bmc)."""

    def __init__(self, folder, count, program, host="echo"):
        self._reserved = machine.reserve_range(count)
        self._log = Path(folder) / "test_bmc.log"
        control = Path(folder) / "test_bmc.control"
        first, port = self._reserved[0][0], machine.bmc_port()
        self.bmcs = [TestBmc(address, port) for address, _ in self._reserved]
        self.process = machine.spawn([program, "--address", first, "--port", port, "--count", count, "--host", host,
                                      "--control", control], self._log, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(count):
            if not self.process.stdout.readline().startswith(b"listening on "):
                self.close()
                raise RuntimeError(f"{program}: {self._log.read_text()}")
        self._control = socket.socket(socket.AF_UNIX)
        self._control.connect(str(control))

    def __iter__(self):
        return iter(self.bmcs)

    def __getitem__(self, at):
        return self.bmcs[at]

    range = LightBmcs.range

    def order(self, line):
        """See tests/bmc/bmc.h; to all, or to one when it begins with a number."""
        self._control.sendall(line.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            answer += self._control.recv(65536)
        if not answer.startswith(b"ok"):
            raise RuntimeError(f"test_bmc: {line}: {answer.decode()}")
        return answer[2:].strip().decode()

    def close(self):
        if self.process:
            if hasattr(self, "_control"):
                self._control.close()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.kill()
            self.process.wait()
            self.process = None
            for _, listener in self._reserved:
                listener.close()
