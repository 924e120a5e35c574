"""Both processes have given up what they do not need, and serve as before."""

import ctypes
import os
import signal
import socket

import pytest

from harness import OOBD, until


def status(pid):
    """/proc/PID/status by its words."""
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file)


def landlock():
    """Whether this kernel has it: landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)."""
    return ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


def namespace(pid, kind):
    return os.readlink(f"/proc/{pid}/ns/{kind}")


@pytest.fixture(scope="module", autouse=True)
def plain_build():
    with open(OOBD, "rb") as file:
        if b"__asan_init" in file.read():
            pytest.skip("a build with a sanitizer goes without")


def confined(daemon):
    """The front's pid, once it is behind all its limits, as it is before it serves."""
    front = daemon.front()
    until("a seccomp filter", lambda: status(front)["Seccomp"] == "2")
    now = status(front)
    assert now["NoNewPrivs"] == "1"
    assert now["CapEff"].strip("0") == now["CapPrm"].strip("0") == ""
    if os.geteuid() == 0:
        assert "0" not in now["Uid"].split() and "0" not in now["Gid"].split()
        assert now["Groups"].strip() == ""
        assert namespace(front, "net") != namespace(daemon.process.pid, "net")
    return front


def test_the_front_is_confined_and_people_work_through_it(lab):
    daemon, gear = lab.one()
    confined(daemon)
    screen = daemon.attached()
    screen.type("show version\r")
    until("the gear hears it", lambda: b"show version" in gear.heard)


def test_a_front_that_was_killed_starts_again_behind_the_cores_limits(lab):
    daemon, _ = lab.one()
    first = confined(daemon)
    os.kill(first, signal.SIGKILL)
    until("another front", lambda: [pid for pid in daemon.children() if pid != first])
    until("a login", lambda: daemon.ssh("list").status == 0)
    assert confined(daemon) != first


def listener_of(daemon):
    """A copy of the core's listening socket, as its front has one."""
    libc, pid = ctypes.CDLL(None, use_errno=True), daemon.process.pid
    process = libc.syscall(434, pid, 0)  # pidfd_open
    for number in os.listdir(f"/proc/{pid}/fd"):
        copy = libc.syscall(438, process, int(number), 0)  # pidfd_getfd
        if copy < 0:
            continue
        try:
            found = socket.socket(fileno=copy)
        except OSError:
            os.close(copy)
            continue
        if found.family == socket.AF_INET and found.getsockname()[1] == daemon.port:
            os.close(process)
            return found
        found.close()
    os.close(process)
    return None


def test_a_listener_that_a_front_has_shut_down_is_opened_again(lab):
    daemon, _ = lab.one()
    listener = listener_of(daemon)
    if not listener:
        pytest.skip("needs root, to take a copy of the listener")
    with listener:
        listener.shutdown(socket.SHUT_RD)
        first = daemon.front()
        os.kill(first, signal.SIGKILL)
        until("another front", lambda: [pid for pid in daemon.children() if pid != first])
        until("a login", lambda: daemon.ssh("list").status == 0)
    daemon.wait_said("was shut down, and is opened again")


def test_the_core_is_confined_unless_it_is_told_not_to_be(lab):
    daemon, _ = lab.one(name="confined")
    if not landlock():
        pytest.skip("this kernel has no Landlock")
    assert status(daemon.process.pid)["NoNewPrivs"] == "1"
    tasks = f"/proc/{daemon.process.pid}/task"
    for thread in os.listdir(tasks):  # each of them, or the others could be made to do it
        assert status(f"{daemon.process.pid}/task/{thread}")["NoNewPrivs"] == "1"
    free = lab.daemon({}, name="free", server="sandbox = false")
    assert status(free.process.pid)["NoNewPrivs"] == "0"
    confined(free)


def with_keys(daemon, lab, folder):
    """dora comes in by a reload, with her keys below `folder`."""
    os.makedirs(folder, exist_ok=True)
    keys = os.path.join(folder, "dora.keys")
    with open(keys, "w") as file:
        file.write(lab.public("dora"))
    daemon.write_config(daemon.config_text() + f'\n[user.dora]\nkeys = "{keys}"\nroles = ["all"]\n')
    return daemon.ctl("reload")


def test_a_reload_reads_what_lies_beside_the_configuration(lab):
    daemon, _ = lab.one()
    done = with_keys(daemon, lab, os.path.join(daemon.dir, "people"))
    assert done.status == 0, done
    assert daemon.ssh("list", user="dora").status == 0


def test_a_reload_that_names_a_file_elsewhere_changes_nothing_and_says_why(lab):
    daemon, _ = lab.one()
    if not landlock():
        pytest.skip("this kernel has no Landlock")
    done = with_keys(daemon, lab, lab.path("elsewhere"))
    assert done.status != 0 and "Permission denied" in done.err, done
    assert daemon.ssh("list").status == 0
    daemon.stop()
    daemon.start()
    assert daemon.ssh("list", user="dora").status == 0
