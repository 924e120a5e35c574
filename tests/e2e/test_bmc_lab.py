"""The lab of BMCs itself (tests/lab, etc/demo): that it leaves nothing running, and hears a break wherever packets are cut."""

import json
import os
import re
import signal
import subprocess

import pytest

import lab as bmc_lab
from harness import until

LAB = os.path.dirname(os.path.abspath(bmc_lab.__file__))


def running(word):
    """The processes whose command line or folder has `word`."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                said = file.read() + os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            continue
        if word in said and int(pid) != os.getpid():
            found.append(int(pid))
    return found


@pytest.mark.parametrize("cut", range(1, 12))
def test_telnet_is_understood_wherever_it_is_cut(cut):
    said = b"a\xff\xf3b\xff\xffc\xff\xfb\x01d\xff\xf3"
    telnet, plain, breaks = bmc_lab.machine.Telnet(), b"", 0
    for piece in (said[:cut], said[cut:]):
        text, count = telnet.plain(piece)
        plain, breaks = plain + text, breaks + count
    assert (plain, breaks, telnet.rest) == (b"ab\xffcd", 2, b"")


def test_a_machine_that_is_killed_takes_all_with_it(lab, bmcs):
    machine = bmcs(bmc_lab.RealMachine, lab.path("killed"))
    machine.ipmitool("power", "on")
    until("QEMU, ipmi_sim and machine.py run", lambda: len(running(lab.path("killed"))) >= 3)
    machine.process.kill()
    until("nothing is left", lambda: not running(lab.path("killed")))
    machine.close()


def test_a_machine_tells_what_it_lacks(lab):
    done = subprocess.run([bmc_lab.PYTHON, bmc_lab.DEMO / "machine.py", lab.path("none"), "--image", lab.path("nothing")],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 1 and "missing" in json.loads(done.stdout), done


def test_the_lab_for_developers_ends_without_a_trace():
    with subprocess.Popen([os.path.join(LAB, "run"), "--light", "2", "--no-machine"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, start_new_session=True) as child:
        said = ""
        for line in child.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        if "no lab here" in said:
            pytest.skip(said)
        try:
            folder = os.path.dirname(re.search(r"^For oobd: (\S+)$", said, re.M).group(1))
            with open(os.path.join(folder, "bmcs.toml")) as file:
                assert file.read().count("[bmc.light") == 2
            assert len(running(folder)) >= 2, said
            command = re.search(r"^light1 .*\n +(ipmitool .*)$", said, re.M).group(1)
            assert bmc_lab.run(command.split()) == "Chassis Power is off\n"
        finally:
            child.send_signal(signal.SIGINT)
            assert child.wait(30) == 0
    assert not os.path.exists(folder) and not running(folder)
