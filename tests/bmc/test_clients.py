"""Our own test BMC seen by two old hands, ipmitool and FreeIPMI: that it speaks IPMI as others understand it, and that
its faults are faults to them too. Every BMC has a loopback address of its own and port 623, FreeIPMI's only one."""

import itertools
import json
import os
import pty
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import pytest

PROGRAM = os.environ["TEST_BMC"]
PROXY = os.environ["UDP_PROXY"]
PATIENCE = 60.0  # seconds: how long any client may take on a loaded machine
NUMBERS = itertools.count(1)
SUITES = (17, 3)


def may_bind():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.80.0.1", 623))
        except PermissionError:
            return False
        except OSError:
            pass
        return True


freeipmi = pytest.mark.skipif(not (may_bind() and shutil.which("ipmipower") and shutil.which("ipmiconsole")),
                              reason="FreeIPMI is not installed, or port 623 may not be bound")
ipmitool = pytest.mark.skipif(not shutil.which("ipmitool"), reason="ipmitool is not installed")


class Program:
    """A program that says "listening on A:P" and takes orders on stdin."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.first = self.process.stdout.readline()
        assert self.first.startswith("listening on "), self.first
        self.port = int(self.first.rsplit(":", 1)[1])

    def order(self, line):
        self.process.stdin.write(line + "\n")
        said = self.process.stdout.readline()
        assert said.startswith("ok"), said
        return said[2:].strip()

    def seen(self):
        return json.loads(self.order("seen"))

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        assert status == 0


class Bmc(Program):
    def __init__(self, folder, *more):
        number = os.getpid() * 7 + next(NUMBERS)
        self.address = f"127.80.{number // 250 % 250}.{number % 250 + 1}"
        self.folder = folder
        with open(folder / "password", "w") as file:
            file.write("correct horse\n")
        super().__init__(PROGRAM, "--address", self.address, "--port", "623" if may_bind() else "0", "--control", "-",
                         "--user", "night", "--password-file", str(folder / "password"), *more)

    def tool(self, suite, *words, password="correct horse", more=(), status=0, address=None, port=None):
        """ipmitool's output; `status` None: any. It asks once, unless `more` says so: what is asked again after a
        second, because the machine is busy, is done twice."""
        command = ["ipmitool", "-I", "lanplus", "-H", address or self.address, "-p", str(port or self.port), "-U",
                   "night", "-P", password, "-C", str(suite), "-N", "20", *more, *words]
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, timeout=PATIENCE)
        assert status is None or run.returncode == status, run.stdout
        return run.stdout

    def free(self, program, suite, *words, password="correct horse", status=0):
        command = [program, "-D", "LAN_2_0", "-h", self.address, "-u", "night", "-p", password, "-I", str(suite), *words]
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, timeout=PATIENCE, env=os.environ | {"HOME": str(self.folder)})
        assert status is None or run.returncode == status, run.stdout
        return run.stdout


@pytest.fixture
def start(tmp_path):
    running = []

    def started(*more):
        running.append(Bmc(tmp_path, *more))
        return running[-1]

    yield started
    for bmc in running:
        bmc.end()


class Terminal:
    """A program on a pty."""

    def __init__(self, *command, home):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["HOME"] = str(home)
            os.execvp(command[0], command)
        self.heard = b""
        self.lock = threading.Lock()

    def types(self, text):
        os.write(self.fd, text)

    def hears(self, expected):
        end = time.monotonic() + PATIENCE
        while expected not in self.heard:
            assert time.monotonic() < end, f"never heard {expected!r}, only {self.heard!r}"
            if not select.select([self.fd], [], [], 0.2)[0]:
                continue
            try:
                self.heard += os.read(self.fd, 4096)
            except OSError:
                raise AssertionError(f"ended without {expected!r}: {self.heard!r}") from None

    def ends(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    if not os.read(self.fd, 4096):
                        break
                except OSError:
                    break
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@ipmitool
@pytest.mark.parametrize("suite", SUITES)
def test_ipmitool_turns_power_off_and_on_by_either_suite(start, suite):
    bmc = start()
    assert bmc.tool(suite, "power", "status") == "Chassis Power is on\n"
    bmc.tool(suite, "power", "off")
    assert bmc.tool(suite, "power", "status") == "Chassis Power is off\n"
    bmc.tool(suite, "power", "on")
    bmc.tool(suite, "power", "cycle")
    bmc.tool(suite, "power", "soft", status=None)
    power = bmc.seen()["power"]
    assert (power["off"], power["on"], power["cycle"]) == (1, 1, 1)


@ipmitool
@pytest.mark.parametrize("suite", SUITES)
def test_ipmitool_reads_who_it_is_its_log_and_its_sensors(start, suite):
    bmc = start()
    assert "Firmware Revision         : 1.73" in bmc.tool(suite, "mc", "info")
    log = bmc.tool(suite, "sel", "list")
    assert "Temperature #0x01 | Upper Non-critical going high | Asserted" in log and len(log.splitlines()) == 3
    sensors = bmc.tool(suite, "sdr", "list")
    for words in ("CPU Temp         | 45 degrees C", "FAN1             | 3500 RPM", "12V              | 12.10 Volts"):
        assert words in sensors
    bmc.order("sensor=1,92")
    assert "92 degrees C      | cr" in bmc.tool(suite, "sdr", "list")
    bmc.tool(suite, "sel", "clear")
    assert "no entries" in bmc.tool(suite, "sel", "list", status=None)


@ipmitool
def test_ipmitool_sets_the_boot_device_and_the_light(start):
    bmc = start()
    bmc.tool(17, "chassis", "bootdev", "pxe")
    assert "Boot Device Selector : Force PXE" in bmc.tool(17, "chassis", "bootparam", "get", "5")
    bmc.tool(17, "chassis", "identify", "5")
    assert bmc.seen()["identify_seconds"] == 5


@ipmitool
@pytest.mark.parametrize("suite", SUITES)
def test_ipmitool_types_on_the_console_and_sends_a_break(start, suite):
    bmc = start()
    terminal = Terminal("ipmitool", "-I", "lanplus", "-H", bmc.address, "-p", str(bmc.port), "-U", "night", "-P",
                        "correct horse", "-C", str(suite), "sol", "activate", home=bmc.folder)
    terminal.hears(b"SOL Session operational")
    terminal.types(b"who goes there? " * 10)
    terminal.hears(b"who goes there? " * 10)
    bmc.order("say=the host speaks\\r\\n")
    terminal.hears(b"the host speaks\r\n")
    terminal.types(b"\r~B")
    terminal.hears(b"send break")
    end = time.monotonic() + PATIENCE
    while bmc.seen()["sol"]["breaks"] == 0:  # said before it is sent
        assert time.monotonic() < end, "the break never came"
        time.sleep(0.01)
    terminal.types(b"\r~.")
    terminal.ends()
    sol = bmc.seen()["sol"]
    assert (sol["activations"], sol["deactivations"], sol["breaks"]) == (1, 1, 1)


@ipmitool
@pytest.mark.parametrize("fault", ["sol.lose_ack=2", "sol.lose_output=3", "sol.grown_duplicate=2", "sol.overrun=1",
                                   "sol.break_seen=1", "send_twice=always"])
def test_ipmitool_loses_nothing_on_a_console_that_stumbles(start, fault):
    bmc = start()
    terminal = Terminal("ipmitool", "-I", "lanplus", "-H", bmc.address, "-p", str(bmc.port), "-U", "night", "-P",
                        "correct horse", "-C", "17", "sol", "activate", home=bmc.folder)
    terminal.hears(b"SOL Session operational")
    bmc.order(fault)
    terminal.types(b"".join(b"%03d who goes there? " % number for number in range(20)))
    terminal.hears(b"019 who goes there? ")
    bmc.order("calm")
    echoed = terminal.heard.split(b"help]\r\n")[1].replace(b"\r\n", b"")
    for number in range(20):
        assert echoed.count(b"%03d who goes there? " % number) == 1
    terminal.types(b"\r~.")
    terminal.ends()


@ipmitool
@pytest.mark.parametrize("suite", SUITES)
def test_a_wrong_password_or_kg_opens_nothing(start, tmp_path, suite):
    (tmp_path / "kg").write_text("key of the BMC")
    bmc = start("--kg-file", str(tmp_path / "kg"))
    bmc.tool(suite, "power", "status", password="wrong horse", more=("-k", "key of the BMC", "-R", "1"), status=1)
    bmc.tool(suite, "power", "status", more=("-k", "another key", "-R", "1"), status=1)
    assert bmc.seen()["commands"].get("00/01", 0) == 0
    assert bmc.tool(suite, "power", "status", more=("-k", "key of the BMC")) == "Chassis Power is on\n"


@freeipmi
@pytest.mark.parametrize("suite", SUITES)
def test_freeipmi_turns_power_off_and_on(start, suite):
    bmc = start()
    once = ("--session-timeout=50000", "--retransmission-timeout=25000")  # what is asked again may be done twice
    assert "on" in bmc.free("ipmipower", suite, "--stat")
    for action in ("--off", "--on", "--cycle", "--soft"):
        assert bmc.free("ipmipower", suite, action, *once).endswith(": ok\n")
        if action == "--cycle":
            bmc.order("power=on")  # what soft needs, without waiting for the cycle
    power = bmc.seen()["power"]
    assert (power["off"], power["on"], power["cycle"], power["soft"]) == (1, 1, 1, 1)
    assert "password invalid" in bmc.free("ipmipower", suite, "--stat", password="wrong horse", status=None)


@freeipmi
@pytest.mark.parametrize("suite", SUITES)
def test_freeipmi_reads_its_log_and_its_sensors(start, suite):
    bmc = start()
    sensors = bmc.free("ipmi-sensors", suite, "--output-sensor-state")
    for words in ("45.00      | C", "3500.00    | RPM", "12.10      | V", "'Presence detected'"):
        assert words in sensors
    log = bmc.free("ipmi-sel", suite)
    assert "Upper Non-critical - going high ; Sensor Reading = 82.00 C ; Threshold = 80.00 C" in log


@freeipmi
def test_ipmiconsole_types_on_the_console_and_sends_a_break(start):
    bmc = start()
    terminal = Terminal("ipmiconsole", "-h", bmc.address, "-u", "night", "-p", "correct horse", "-I", "17",
                        home=bmc.folder)
    terminal.hears(b"[SOL established]")
    terminal.types(b"who goes there? " * 10)
    terminal.hears(b"who goes there? " * 10)
    terminal.types(b"&B")
    terminal.hears(b"[generate break]")
    end = time.monotonic() + PATIENCE
    while bmc.seen()["sol"]["breaks"] == 0:  # said before it is sent
        assert time.monotonic() < end, "the break never came"
        time.sleep(0.01)
    terminal.types(b"&.")
    terminal.ends()
    assert bmc.seen()["sol"]["breaks"] == 1


@ipmitool
@pytest.mark.parametrize("fault", ["wrong_rakp2_code=always", "wrong_rakp4_code=always", "open_session.refuse=always",
                                   "rakp3.refuse=always", "rakp3.ignore=always", "table_full=true",
                                   "wrong_auth_code=always"])
def test_a_broken_handshake_is_none_for_ipmitool_either(start, fault):
    bmc = start()
    bmc.order(fault)
    bmc.tool(17, "power", "status", more=("-N", "1", "-R", "1"), status=1)
    bmc.order("calm")
    assert bmc.tool(17, "power", "status") == "Chassis Power is on\n"


@ipmitool
def test_lost_busy_and_late_answers_come_right_in_the_end(start):
    bmc = start()
    bmc.order("ignore=0,1,1")  # Get Chassis Status once not heard
    assert bmc.tool(17, "power", "status", more=("-N", "1")) == "Chassis Power is on\n"
    bmc.order("lose_answer=0,2,1")
    bmc.tool(17, "power", "off", more=("-N", "1"), status=None)
    assert bmc.tool(17, "power", "status") == "Chassis Power is off\n"
    bmc.order("lie=0,2,1")
    bmc.tool(17, "power", "on")
    assert bmc.tool(17, "power", "status") == "Chassis Power is off\n"


@freeipmi
def test_freeipmi_gets_through_though_only_every_third_packet_is_heard(start):
    bmc = start()
    bmc.order("answer_every=3")
    said = bmc.free("ipmi-chassis", 17, "--get-status", "--session-timeout=30000",
                    "--retransmission-timeout=100")
    assert "System Power                        : on" in said


@ipmitool
def test_sequence_numbers_wrap_past_zero(start):
    bmc = start()
    bmc.order("first_sequence=0xfffffffd")
    assert len(bmc.tool(17, "sdr", "list").splitlines()) == 6
    assert bmc.seen()["replays"] == 0


@ipmitool
def test_suite_0_and_nobody_are_let_in_only_on_order(start):
    bmc = start()
    bmc.tool(0, "power", "status", more=("-N", "1", "-R", "1"), status=1)
    bmc.order("accept_suite_0=true")
    bmc.order("accept_any_password=true")
    assert bmc.tool(0, "power", "status", password="wrong horse") == "Chassis Power is on\n"


def pongs(wire, count, least=0):
    """Sends ASF presence pings (13.2.3), each with a tag of its own, and returns the tags of the pongs in order. Waits
    for the first `least` however long they take, and a second for each that may come after those."""
    tags = []
    before = wire.seen()["to_bmc"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", wire.port))
        for tag in range(count):
            client.send(bytes.fromhex("0600ff06000011be80") + bytes([tag]) + b"\0\0")
        end = time.monotonic() + PATIENCE
        while wire.seen()["to_bmc"] < before + count:
            assert time.monotonic() < end, "the wire does not take them"
            time.sleep(0.01)
        try:
            while True:
                client.settimeout(PATIENCE if len(tags) < least else 1)
                answer = client.recv(100)
                if len(answer) == 28 and answer.startswith(bytes.fromhex("0600ff06000011be40")):
                    tags.append(answer[9])
        except socket.timeout:
            return tags


@ipmitool
def test_a_bad_wire_does_to_datagrams_what_it_is_told_to(start):
    bmc = start()
    wire = Program(PROXY, "127.0.0.1", "0", bmc.address, str(bmc.port), "7")
    try:
        everything = list(range(100))
        assert pongs(wire, 100, 100) == everything
        wire.order("to_client.duplicate=1")
        assert pongs(wire, 100, 200) == sorted(everything * 2)
        wire.order("to_client.duplicate=0")
        wire.order("to_bmc.lose=0.5")
        assert 25 < len(pongs(wire, 100, 26)) < 75
        wire.order("to_bmc.lose=0")
        wire.order("reorder=0.3")
        tags = pongs(wire, 100, 100)
        assert tags != everything and sorted(tags) == everything
        wire.order("reorder=0")
        wire.order("to_bmc.truncate=1")
        assert pongs(wire, 100) == []
        wire.order("to_bmc.truncate=0")
        wire.order("corrupt=1")
        assert pongs(wire, 100) != everything
        seen = wire.seen()
        assert (seen["duplicated"], seen["truncated"]) == (100, 100) and 100 <= seen["corrupted"] <= 200
        wire.order("corrupt=0")
        wire.order("delay=50")
        assert "Chassis Power is on" in bmc.tool(17, "power", "status", address="127.0.0.1", port=wire.port)
        wire.order("unplugged=on")
        assert pongs(wire, 10) == []
    finally:
        wire.end()


def test_many_run_in_one_program_and_end_with_it():
    with tempfile.TemporaryDirectory() as folder:
        control = os.path.join(folder, "control")
        process = subprocess.Popen([PROGRAM, "--address", "127.80.251.1", "--count", "300", "--control", control],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        lines = [process.stdout.readline() for _ in range(300)]
        assert lines[0].startswith("listening on 127.80.251.1:") and "127.80.252.44:" in lines[-1]
        with socket.socket(socket.AF_UNIX) as orders:
            orders.connect(control)
            with orders.makefile("rw") as file:
                for line, answer in (("299 deaf=true", "ok"), ("300 deaf=true", "error: there is no such BMC"),
                                     ("nonsense=1", 'error: "nonsense=1": there is no such fault')):
                    file.write(line + "\n")
                    file.flush()
                    assert file.readline() == answer + "\n"
        with open(f"/proc/{process.pid}/status") as status:
            resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        assert resident < 40_000  # KiB, for 300
        process.terminate()
        assert process.wait(PATIENCE) == 0
        process.stdin.close()
        process.stdout.close()
