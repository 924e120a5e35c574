"""A real machine behind a BMC: QEMU and a Linux, whose power, boots and console are seen through oobd by stock ssh.

One machine and one daemon for all; each test goes on with what those before it left."""

import hashlib
import json
import os
import re
import socket

import pytest

import lab as bmc_lab
from harness import BehindBmc, until

BOOT = 90.0  # seconds: how long a boot may take under emulation on a loaded machine
PULL = 240.0  # and the two hundred commands of a pull, each a process there


class DeafBmc(bmc_lab.Bmc):
    """An address where packets are taken and nothing answers."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address, self.port = self._socket.getsockname()

    def close(self):
        self._socket.close()


@pytest.fixture(scope="module")
def machine(shared_lab, bmcs):
    return bmcs(bmc_lab.RealMachine, shared_lab.path("relay1"))


@pytest.fixture(scope="module")
def rack(shared_lab, machine):
    """relay1 is the machine. Its power is also that of safe1 and uplink1, which are guarded; the BMC of deaf1 is silent."""
    nowhere = '{ unix = "nowhere.sock" }'
    guarded = [BehindBmc(shared_lab, name, machine, nowhere, keys)
               for name, keys in (("safe1", "protected = true\n"), ("uplink1", 'carries = "oob"\n'))]
    secret = shared_lab.path("relay1.login")
    with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write("labpw\n")
    login = f'model = "linux"\nlogin = {{ user = "root", password_file = "{secret}" }}\nfetch = ["/root/big.conf"]\n'
    daemon = shared_lab.daemon({"relay1": BehindBmc(shared_lab, "relay1", machine, keys=login), "safe1": guarded[0],
                                "uplink1": guarded[1],
                                "deaf1": BehindBmc(shared_lab, "deaf1", shared_lab.keep(DeafBmc()), nowhere)})
    daemon.wait_up("relay1")
    return daemon


def power(daemon, *words, device="relay1", user="alice"):
    """The objects that `power … --json` prints, when it went well."""
    done = daemon.ssh("power", device, *words, "--json", user=user, timeout=BOOT)
    assert done.status == 0, done
    return [json.loads(line) for line in done.out.splitlines()]


def boots(daemon):
    return daemon.transcript("relay1").count(b"] Linux version ")


def booted(daemon):
    return len(re.findall(rb"relay1 is up after [\d.]+ s\r\n.*?relay1 login: ", daemon.transcript("relay1"), re.S))


def wait_booted(daemon, times):
    until(f"boot {times} is over", lambda: booted(daemon) >= times, BOOT)


def same_bytes(daemon, machine):
    """The transcript is what the machine's serial port said, to the byte."""
    until("all of it came", lambda: len(daemon.transcript("relay1")) >= len(machine.serial))
    got, said = daemon.transcript("relay1"), machine.serial
    at = next((at for at, (one, other) in enumerate(zip(got, said)) if one != other), min(len(got), len(said)))
    assert got == said, (len(got), len(said), at, got[at - 60:at + 60], said[at - 60:at + 60])


def test_power_on_shows_the_boot_to_the_byte(rack, machine):
    assert power(rack) == [{"device": "relay1", "power": "off"}]
    assert rack.ssh("power", "relay1", "status", user="carol").out == "relay1  off\n"
    watcher = rack.begin("watch", "relay1", "--raw")
    until("somebody watches", lambda: rack.devices_now()["relay1"]["watchers"])
    [answer] = power(rack, "on")
    assert answer["power"] == "on" and answer["result"] == "done", answer
    assert machine.asked == ["power 1"]
    wait_booted(rack, 1)
    same_bytes(rack, machine)
    log = rack.transcript("relay1").decode()
    marks = ["Linux version", "Command line:", "Run /init as init process", "relay1 is up after", "relay1 login: "]
    assert sorted(marks, key=log.index) == marks and boots(rack) == 1
    watcher.sees(rack.transcript("relay1"))
    assert watcher.out.endswith(rack.transcript("relay1"))
    assert power(rack) == [{"device": "relay1", "power": "on"}]
    until("the list knows", lambda: rack.devices_now()["relay1"]["power"] == "on")
    deeds = [(entry["ev"], entry["device"], entry["action"]) for entry in rack.journal()
             if entry["ev"] in ("power.request", "power.result")]
    assert deeds == [("power.request", "relay1", "on"), ("power.result", "relay1", "on")], deeds
    until("that is in the journal", lambda: any(entry["device"] == "relay1" for entry in rack.journal("power.change")))
    stamped = rack.ssh("log", "relay1", "--stamp").out
    assert re.search(r"\bpower\b.*alice: on", stamped), stamped[:2000]


def test_on_when_it_is_on_says_so_and_does_nothing(rack, machine):
    before = machine.asked
    [answer] = power(rack, "on")
    assert answer["power"] == "on" and "already" in answer.get("remark", ""), answer
    assert boots(rack) == 1 and machine.asked.count("power 0") == before.count("power 0")


def test_one_logs_in_on_the_console(rack, machine):
    screen = rack.attached("relay1", device="relay1")
    screen.type("root\r")
    screen.expect("Password: ")
    screen.type("labpw\r")
    screen.expect("~ # ")
    screen.type("echo $((6 * 7)) from $(hostname)\r")
    screen.expect(r"\n42 from relay1\r")
    screen.leave()
    same_bytes(rack, machine)


def test_a_break_is_heard_as_sysrq(rack, machine):
    assert rack.ssh("break", "relay1").status == 0
    assert rack.ssh("send", "relay1", "h", "--no-enter").status == 0
    until("the kernel's help", lambda: b"sysrq: HELP" in rack.transcript("relay1"))
    same_bytes(rack, machine)


def test_identify_lights_the_light(rack, machine):
    assert rack.ssh("identify", "relay1", "on").status == 0
    assert rack.ssh("identify", "relay1", "off").status == 0
    lights = [words.split()[1:] for words in machine.asked if words.startswith("identify")]
    assert len(lights) == 2 and lights[1][0] == "0" and lights[0] != lights[1], lights


def test_a_cycle_boots_again(rack, machine):
    times = boots(rack)
    [answer] = power(rack, "cycle")
    assert answer["power"] == "on", answer
    wait_booted(rack, times + 1)
    assert machine.asked[-2:] == ["power 0", "power 1"] and boots(rack) == times + 1
    same_bytes(rack, machine)


def test_a_command_runs_over_sol_and_leaves_the_login_behind(rack):
    made = rack.ssh("run", "relay1", "--timeout", "60s", "--",
                    "seq 1 9000 > /root/big.conf; sha256sum < /root/big.conf; exit 3", timeout=PULL)
    numbers = "".join(f"{number}\n" for number in range(1, 9001)).encode()
    assert made.status == 3 and made.out == hashlib.sha256(numbers).hexdigest() + "  -\n", made
    assert rack.transcript("relay1").rstrip().endswith(b"relay1 login:")


def test_its_configuration_is_pulled_over_sol(rack):
    pulled = rack.ssh("snapshot", "relay1", "--json", timeout=PULL)
    assert pulled.status == 0, pulled
    [result] = [entry for entry in map(json.loads, pulled.out.splitlines()) if "result" in entry]
    assert (result["result"], result["grade"], result["method"]) == ("stored", "device", "posix-block"), result
    shown = rack.ssh("show", "relay1", "root/big.conf")
    assert shown.out == "".join(f"{number}\n" for number in range(1, 9001)), shown.out[:200]
    assert "root:" in rack.ssh("show", "relay1", "etc/passwd").out
    assert rack.transcript("relay1").rstrip().endswith(b"relay1 login:")
    again = rack.ssh("snapshot", "relay1", timeout=PULL)
    assert again.status == 0 and "unchanged" in again.out, again


def test_the_power_key_of_a_console_resets_it_before_everybodys_eyes(rack, machine):
    times = booted(rack)
    bob = rack.attached("relay1", user="bob", device="relay1")
    alice = rack.screen("-t", "relay1")
    alice.expect(r"\[oobd: relay1: ")
    alice.type("\x05c!")
    alice.expect("s status, o on, f off, c cycle, r reset, t soft")
    alice.type("s")
    alice.expect("power on")
    alice.type("\x05c!")
    alice.expect("s status")
    alice.type("r")
    alice.expect("type y")
    alice.type("y")
    for screen in (alice, bob):
        screen.expect("alice: power reset")
        screen.expect("Linux version", BOOT)
        screen.expect("relay1 login: ", BOOT)
    alice.leave()
    bob.leave()
    wait_booted(rack, times + 1)
    assert machine.asked[-1].startswith("reset")
    same_bytes(rack, machine)


def test_a_daemon_that_was_killed_has_the_console_back_when_it_starts_again(rack, machine):
    before = len(rack.transcript("relay1"))
    rack.kill()
    rack.start()
    # The BMC still holds the session of the daemon that was killed.
    rack.wait_up("relay1")
    assert rack.ssh("send", "relay1", "nobody").status == 0
    until("the machine answers", lambda: b"Password: " in rack.transcript("relay1")[before:])
    assert power(rack) == [{"device": "relay1", "power": "on"}]


def test_soft_shuts_the_machine_down_and_off_stays_off(rack, machine):
    times = boots(rack)
    wait_booted(rack, times)
    [answer] = power(rack, "soft", "--wait", "60")
    assert answer["power"] == "off", answer
    assert b"power button: shutting down" in rack.transcript("relay1")
    assert machine.asked[-1].startswith("shutdown") and not machine.powered()
    [answer] = power(rack, "off")
    assert answer["power"] == "off" and "already" in answer.get("remark", ""), answer
    done = rack.ssh("power", "relay1", "cycle")
    assert done.status == 1 and "off" in done.err, done


def test_a_boot_device_is_for_one_boot(rack, machine):
    done = rack.ssh("boot", "relay1", "pxe")
    assert done.status == 0, done
    assert machine.asked[-1] == "boot pxe"
    assert "Force PXE" in machine.ipmitool("chassis", "bootparam", "get", "5")
    before = len(rack.transcript("relay1"))
    power(rack, "on")
    until("the machine was told", lambda: b" boot_device=pxe" in rack.transcript("relay1")[before:], BOOT)
    assert "Force PXE" not in machine.ipmitool("chassis", "bootparam", "get", "5")


def test_the_guarded_are_refused_without_their_name(rack, machine):
    before = machine.asked
    for device, why in (("safe1", "protected"), ("uplink1", "uplink")):
        for action in ("off", "cycle", "reset", "soft"):
            done = rack.ssh("power", device, action)
            assert done.status == 64 and why in done.err and "nothing was done" in done.err, done
        assert rack.ssh("power", device, "off", "--yes", "relay1").status == 64
    done = rack.ssh("power", "'*1'", "off", "--yes", "'*1'")
    assert done.status == 64 and "safe1" in done.err, done
    assert rack.ssh("power", "relay1", "off", user="carol").status == 77
    assert rack.ssh("boot", "relay1", "pxe", user="carol").status == 77
    assert [words for words in machine.asked if not words.startswith("boot")] == \
        [words for words in before if not words.startswith("boot")]
    times = boots(rack)
    assert rack.ssh("power", "safe1", "reset", "--yes", "safe1").status == 0
    until("it boots again", lambda: boots(rack) == times + 1, BOOT)


def test_a_deaf_bmc_holds_up_nobody(rack):
    status = rack.begin("power", "'*1'", "status", "--json")
    until("three answers", lambda: status.out.count(b'"on"') == 3, 10.0)
    assert status.child.poll() is None, (status.out, status.err)  # it still waits for the fourth
    assert status.wait(60.0) == 69, status.out
    last = json.loads(status.out.splitlines()[-1])
    assert last["device"] == "deaf1" and last["power"] == "unknown" and last["error"], last


def test_off_is_off_at_once(rack, machine):
    [answer] = power(rack, "off")
    assert answer["power"] == "off" and not machine.powered(), answer
