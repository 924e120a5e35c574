#!/usr/bin/env python3
"""A real machine with a BMC on loopback: QEMU booting a Linux (see `image`), its power and its serial port behind
OpenIPMI's ipmi_sim. `oobd demo` and the tests start it.

    machine.py FOLDER [--image FOLDER] [--address A] [--port N] [--on]

Prints one line of JSON when the BMC answers: its address and port, user and password; or else {"missing": WHY}. Below
FOLDER it keeps all that the machine's serial port said (`serial`) and what was asked of the chassis (`log`). Ends, with
all it started, on SIGTERM, SIGINT, or when its standard input ends: so that it never outlives whoever started it.
"""

import argparse
import ctypes
import json
import os
import random
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
IMAGE = HERE.parent.parent / "build/vm"
SERIAL_PORT = 9003  # TCP, where ipmi_sim finds the serial port of the machine
USER, PASSWORD = "ADMIN", "lab-secret"
OPERATOR, OPERATOR_PASSWORD = "oper", "lab-operator"
LIBC = ctypes.CDLL(None, use_errno=True)


def dies_with_parent():
    """For preexec_fn: the child gets SIGKILL when the thread that started it ends, however that ends."""
    LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def spawn(argv, log, **more):
    with open(log, "ab") as to:
        return subprocess.Popen([str(word) for word in argv], **{"stdout": to, "stderr": to, **more},
                                start_new_session=True, preexec_fn=dies_with_parent)


# --- the simulated BMC ------------------------------------------------------------------------------------------------

# number: (name, sensor type and its number, unit, factor, its exponent of ten, raw reading, upper limits from
# non-critical to non-recoverable, raw)
SENSORS = {
    1: ("CPU Temp", "Temperature", 1, "degrees_C", 1, 0, 0x2D, (0x50, 0x58, 0x60)),
    2: ("Board Temp", "Temperature", 1, "degrees_C", 1, 0, 0x1F, (0x4B, 0x50, 0x55)),
    3: ("FAN1", "Fan", 4, "RPM", 100, 0, 0x0E, (0xFD, 0xFE, 0xFF)),
    4: ("12V", "Voltage", 2, "Volts", 63, -3, 0xC0, (0xD0, 0xD4, 0xD8)),
    5: ("VBAT", "Voltage", 2, "Volts", 16, -3, 0xBC, (0xE0, 0xE4, 0xE6)),
}
# Event log as it begins: the bytes of table 32-1 from record type on (IPMI 2.0).
EVENTS = ("2 0 0 0 0 0x20 0 4 0x01 1 0x01 0x59 0x62 0x58", "2 0 0 0 0 0x20 0 4 0x12 0x82 0x6f 0x01 0xff 0xff")


def sensor_records():
    """For sdrcomp."""
    owner = "entity_id system_board\nentity_instance 1\n"
    text = ("sdr type 18\ndevice_slave_address 0x20\ndevice_channel_number 0\nchassis true\nipmb_event_gen false\n"
            "ipmb_event_recv false\nfru_inventory false\nsel true\nsdr true\nsensor true\n" + owner +
            'id_string "LAB-BMC"\nendsdr\n'
            "sdr type 3\nsensor_owner_id 0x20\nsensor_owner_lun 0\nchannel_number 0\nsensor_number 0\n" + owner +
            'sensor_type Watchdog_2\nevent_reading_type_code 0x6f\nid_string "Watchdog"\nendsdr\n')
    for number, (name, kind, _, unit, factor, exponent, _, _) in SENSORS.items():
        text += ("sdr type 1\nsensor_owner_id 0x20\nsensor_owner_lun 0\nchannel_number 0\n"
                 f"sensor_number {number}\n{owner}sensor_type {kind}\ninit_scanning true\ninit_sensor_type true\n"
                 "default_sensor_scan_on true\nsensor_threshold_access readable\nunc_thrsh_readable true\n"
                 "uc_thrsh_readable true\nunr_thrsh_readable true\nevent_reading_type_code 1\n"
                 "analog_data_format unsigned\nrate_unit none\n"
                 f"modifier_unit none\npercentage false\nbase_unit {unit}\nmodifier_unit_code unspecified\n"
                 f"linearization linear\nm {factor}\ntolerance 0\nb 0\naccuracy 1\naccuracy_exp 0\n"
                 f"sensor_direction input\nr_exp {exponent}\nb_exp 0\nsensor_maximum 255\nsensor_minimum 0\n"
                 f'id_string "{name}"\nendsdr\n')
    return text


def emulation():
    """ipmi_sim's commands: one management controller with the sensors and the event log."""
    masks = "enable scanning per-state"
    text = ("mc_setbmc 0x20\nmc_add 0x20 0x20 no-device-sdrs 1 1 0x73 0xbf 0x002a7c 0x1b0d persist_sdr\n"
            "sel_enable 0x20 512 0x0a\nsensor_add 0x20 0 0 35 0x6f event-only\n"
            f"sensor_set_event_support 0x20 0 0 {masks} {'000000000001111 000000000000000 ' * 2}\n")
    for number, (_, _, kind, _, _, _, raw, limits) in SENSORS.items():
        upper = " ".join(f"{limit:#x}" for limit in reversed(limits))
        text += (f"sensor_add 0x20 0 {number} {kind} 1\n"
                 f"sensor_set_threshold 0x20 0 {number} settable 111000 {upper} 00 00 00\n"
                 f"sensor_set_event_support 0x20 0 {number} {masks} {'000111111000000 ' * 4}\n"
                 f"sensor_set_value 0x20 0 {number} {raw:#x} 0\n")
    return text + "".join(f"sel_add 0x20 {event}\n" for event in EVENTS) + "mc_enable 0x20\n"


def answers(address, port, wait=0.3):
    """Whether a BMC answers an RMCP presence ping (IPMI 2.0, 13.2.3)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(wait)
        try:
            probe.connect((address, port))
            probe.send(bytes((6, 0, 0xFF, 6, 0, 0, 0x11, 0xBE, 0x80, 0, 0, 0)))
            return len(probe.recv(64)) >= 12
        except OSError:
            return False


class Simulator:
    """One ipmi_sim. Its serial side must be listening before start(): 2.0.33 otherwise sends an empty SOL packet a
    second in every session for ever. `power`: the line that says what stands behind its chassis commands."""

    def __init__(self, folder, address, port, power, guid=0):
        self.folder, self.address, self.port = Path(folder), address, port
        self.process = None
        state = self.folder / "state/ipmi_sim/bmc"
        state.mkdir(parents=True, exist_ok=True)
        records = self.folder / "sensors.sdr"
        records.write_text(sensor_records())
        # -8: 8-bit names; in the packed ones it garbles those of less than six characters.
        subprocess.run(["sdrcomp", "-8", "-o", state / "sdr.20.main", records], check=True)
        (self.folder / "emulation").write_text(emulation())
        (self.folder / "lan.conf").write_text(
            'name "bmc"\nset_working_mc 0x20\n  startlan 1\n'
            f"    addr {address} {port}\n    priv_limit admin\n    allowed_auths_callback\n    allowed_auths_user\n"
            "    allowed_auths_operator\n    allowed_auths_admin md5\n"
            f"    guid {0xa123456789abcdefa123456700000000 + guid:032x}\n  endlan\n"
            f'  {power}\n  sol "telnet:{address}:{SERIAL_PORT}" 115200\n'
            f'  user 1 false "" "" user 10 md5\n  user 2 true "{USER}" "{PASSWORD}" admin 10 md5\n'
            f'  user 3 true "{OPERATOR}" "{OPERATOR_PASSWORD}" operator 10 md5\n')

    def start(self):
        self.process = spawn(["ipmi_sim", "-n", "-c", "lan.conf", "-f", "emulation", "-s", "state"],
                             self.folder / "ipmi_sim.log", cwd=self.folder, stdin=subprocess.DEVNULL)

    def stop(self, number=signal.SIGTERM):
        """With what it started: it is a session of its own."""
        if self.process:
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                pass
            except ProcessLookupError:
                pass
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
            self.process = None


def listen(address):
    """The listener for the machine's serial port; who has it has the address."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, SERIAL_PORT))
        listener.listen(2)
    except OSError:
        listener.close()
        raise
    return listener


def reserve_range(count):
    """So many loopback addresses one after another that nobody else here has: pairs of address and listener."""
    for _ in range(100):
        net, first, taken = random.randrange(256), random.randrange(1, 256 - count), []
        try:
            for last in range(first, first + count):
                taken.append((f"127.77.{net}.{last}", listen(f"127.77.{net}.{last}")))
            return taken
        except OSError:
            for _, listener in taken:
                listener.close()
    raise OSError("no free addresses below 127.77.0.0/16")


def reserve():
    return reserve_range(1)[0]


def bmc_port():
    """The real one where one may bind it: tools without a port option then work, too."""
    return 623 if os.geteuid() == 0 else 6230


# --- the machine ------------------------------------------------------------------------------------------------------


IAC, DONT, WILL, BREAK = 255, 254, 251, 243  # RFC 854


class Telnet:
    """What comes from ipmi_sim: plain bytes, and how often a break was sent between them."""

    def __init__(self):
        self.rest = b""

    def plain(self, data):
        data, plain, breaks, at = self.rest + data, bytearray(), 0, 0
        while at < len(data):
            if data[at] != IAC:
                plain.append(data[at])
                at += 1
                continue
            word = data[at + 1] if at + 1 < len(data) else None
            size = 3 if word is not None and WILL <= word <= DONT else 2
            if at + size > len(data):
                break
            if word == IAC:
                plain.append(IAC)
            breaks += word == BREAK
            at += size
        self.rest = data[at:]
        return bytes(plain), breaks


class Peer:
    """One end of the serial line."""

    def __init__(self, listener):
        self.listener, self.socket, self.waiting = listener, None, b""


class Machine:
    """QEMU, started and killed as the BMC says, and the serial line between the two."""

    def __init__(self, folder, image, listener):
        self.folder, self.image = Path(folder), Path(image)
        self.qemu = None
        self.telnet = Telnet()
        self.said = open(self.folder / "serial", "ab", buffering=0)
        self.selector = selectors.DefaultSelector()
        (self.folder / "serial.sock").unlink(missing_ok=True)
        inside = socket.socket(socket.AF_UNIX)
        inside.bind("serial.sock")
        inside.listen(2)
        self.bmc, self.host = Peer(listener), Peer(inside)
        for here, there in ((self.bmc, self.host), (self.host, self.bmc)):
            self.selector.register(here.listener, selectors.EVENT_READ,
                                   lambda here=here, there=there: self.connected(here, there))
        self.asked = self.folder / "asked"
        self.asked.unlink(missing_ok=True)
        os.mkfifo(self.asked, 0o600)
        self.orders = os.open(self.asked, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.rest = b""
        self.selector.register(self.orders, selectors.EVENT_READ, self.read_orders)
        self.tell("power", "0")
        self.tell("boot", "none")

    def tell(self, what, value):
        """Leaves it where `chassis` reads it."""
        temporary = self.folder / f"{what}.new"
        temporary.write_text(value + "\n")
        temporary.replace(self.folder / what)

    # --- the serial line ---

    def connected(self, here, there):
        peer, _ = here.listener.accept()
        self.disconnected(here)
        peer.setblocking(False)
        here.socket = peer
        self.watch(peer, selectors.EVENT_READ, lambda: self.relay(here, there))

    def disconnected(self, peer):
        if peer.socket:
            self.watch(peer.socket, 0, None)
            peer.socket.close()
            peer.socket, peer.waiting = None, b""

    def relay(self, here, there):
        try:
            data = here.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.disconnected(here)
            return
        if here is self.host:
            self.said.write(data)
            data = data.replace(b"\xff", b"\xff\xff")
        else:
            data, breaks = self.telnet.plain(data)
            if breaks:
                self.order("chardev-send-break", id="tty")
        if there.socket:  # else it goes nowhere, as on a real line
            there.waiting += data
            self.push(there, here)

    def push(self, there, here):
        """Writes what waits for `there`; meanwhile nothing is read from `here`."""
        try:
            there.waiting = there.waiting[there.socket.send(there.waiting):]
        except BlockingIOError:
            pass
        except OSError:
            return self.disconnected(there)
        held = bool(there.waiting)
        self.watch(there.socket, selectors.EVENT_WRITE if held else selectors.EVENT_READ,
                   (lambda: self.push(there, here)) if held else (lambda: self.relay(there, here)))
        self.watch(here.socket, 0 if held else selectors.EVENT_READ, lambda: self.relay(here, there))

    def watch(self, peer, events, call):
        if peer and peer in self.selector.get_map():
            self.selector.unregister(peer)
        if peer and events:
            self.selector.register(peer, events, call)

    # --- power ---

    def read_orders(self):
        self.rest += os.read(self.orders, 4096)
        *lines, self.rest = self.rest.split(b"\n")
        for line in lines:
            with open(self.folder / "log", "a") as log:
                log.write(f"{time.time():.3f} {line.decode()}\n")
            words = line.decode().split()
            while words:
                what, value = words[0], words[1] if len(words) > 1 else ""
                words = words[3 if what == "identify" else 2:]
                self.obey(what, value)

    def obey(self, what, value):
        if what == "power":
            self.on() if value == "1" else self.off()
        elif what == "boot":
            self.tell("boot", value)
        elif what in ("reset", "shutdown"):
            self.order("system_reset" if what == "reset" else "system_powerdown")

    def order(self, command, **arguments):
        """To QEMU's monitor, and done when this returns: what is typed after a break must come after it."""
        if not self.qemu:
            return
        try:
            self.qemu.stdin.write(json.dumps({"execute": command, "arguments": arguments, "id": 1}).encode() + b"\n")
            self.qemu.stdin.flush()
            while True:
                line = self.qemu.stdout.readline()
                if not line or json.loads(line).get("id") == 1:
                    return
        except OSError:
            pass  # it has just ended: the next look tells

    def on(self):
        if self.qemu:
            return
        boot = (self.folder / "boot").read_text().strip()
        self.tell("boot", "none")  # for one boot only
        accel = (self.image / "accel").read_text().strip()
        self.qemu = spawn(
            ["qemu-system-x86_64", "-accel", accel, "-machine", "pc", "-m", "128", "-display", "none", "-vga", "none",
             "-nic", "none", "-kernel", self.image / "kernel", "-initrd", self.image / "initrd.gz",
             "-append", f"console=ttyS0,115200 panic=5 mitigations=off boot_device={boot}",
             "-chardev", "socket,id=tty,path=serial.sock", "-serial", "chardev:tty",
             "-qmp", "stdio"],
            self.folder / "qemu.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.order("qmp_capabilities")
        self.tell("power", "1")

    def off(self):
        if self.qemu:
            self.qemu.kill()
            self.qemu.wait()
            self.look()

    def look(self):
        """Notices when the machine has switched itself off."""
        if self.qemu and self.qemu.poll() is not None:
            self.qemu.stdin.close()
            self.qemu.stdout.close()
            self.qemu = None
            self.tell("power", "0")


def missing(image):
    """What is not there that this needs, as one line; empty when all is."""
    for program, package in (("qemu-system-x86_64", "qemu-system-x86"), ("ipmi_sim", "openipmi"),
                             ("sdrcomp", "openipmi")):
        if not shutil.which(program):
            return f"{program} is not installed (package {package})"
    if not (image / "accel").exists():
        return f"nothing to boot in {image} (etc/demo/image builds it)"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--image", type=Path, default=IMAGE)
    parser.add_argument("--address", help="below 127.0.0.0/8; else a free one")
    parser.add_argument("--port", type=int, default=bmc_port(), help="of the BMC (623 for root, else 6230)")
    parser.add_argument("--on", action="store_true", help="power it on at once")
    arguments = parser.parse_args()
    why = missing(arguments.image)
    if why:
        print(json.dumps({"missing": why}))
        sys.exit(1)
    folder, image = arguments.folder.resolve(), arguments.image.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)  # the name of a socket may be too long with its folder

    over, woken = [], os.pipe()
    os.set_blocking(woken[1], False)
    signal.set_wakeup_fd(woken[1])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.append(1))
    signal.signal(signal.SIGCHLD, lambda *_: None)

    address, listener = (arguments.address, listen(arguments.address)) if arguments.address else reserve()
    machine = Machine(folder, image, listener)
    simulator = Simulator(folder, address, arguments.port, f'chassis_control "{HERE}/chassis {folder}"')
    machine.selector.register(woken[0], selectors.EVENT_READ, lambda: os.read(woken[0], 4096))
    machine.selector.register(sys.stdin, selectors.EVENT_READ,
                              lambda: os.read(sys.stdin.fileno(), 4096) or over.append(1))
    told, status, begin = False, 0, time.monotonic()
    simulator.start()
    try:
        if arguments.on:
            machine.on()
        while not over:
            for key, _ in machine.selector.select(None if told else 0.05):
                key.data()
            machine.look()
            if not told and machine.bmc.socket and answers(address, arguments.port):
                told = True
                print(json.dumps({"address": address, "port": arguments.port, "user": USER, "password": PASSWORD}),
                      flush=True)
            if simulator.process.poll() is not None or (not told and time.monotonic() > begin + 15):
                why = (folder / "ipmi_sim.log").read_text().strip().rpartition("\n")[2]
                print(json.dumps({"missing": f"ipmi_sim does not serve: {why}"}), flush=True)
                status = 1
                break
    finally:
        machine.off()
        simulator.stop()
    sys.exit(status)


if __name__ == "__main__":
    main()
