"""No crash writes the memory of a process that holds passwords to the disk, and nobody but root looks into it."""

import contextlib
import os
import signal
import socket
import subprocess

import pytest

from harness import OOBD, Daemon, until

# Root may look into all processes by this capability; without it root is asked the same question as others.
PLAIN = ["setpriv", "--bounding-set=-sys_ptrace"] if os.geteuid() == 0 else []


@contextlib.contextmanager
def running(lab, *arguments):
    """A process of our own, with a session of its own so that its children end with it."""
    with open(lab.path("said"), "w") as said:
        process = subprocess.Popen([*PLAIN, *arguments], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                   env=lab.environment, start_new_session=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def open_to_others(pid):
    """Whether another process of the same user may look into this one, as it may unless it forbids to be dumped."""
    done = subprocess.run([*PLAIN, "readlink", f"/proc/{pid}/exe"], capture_output=True)
    assert os.path.exists(f"/proc/{pid}"), "it has ended"
    return done.returncode == 0


def runs(process, program):
    """Whether setpriv has become the program, and no longer."""
    with open(f"/proc/{process.pid}/comm") as file:
        return file.read().strip() == os.path.basename(program)


@pytest.fixture(autouse=True)
def control(lab):
    """Without the right to see any process at all the rest would prove nothing."""
    with running(lab, "sleep", "60") as sleep:
        try:
            until("sleep runs", lambda: runs(sleep, "sleep"))
        except (AssertionError, OSError):
            pytest.skip("setpriv does not do what it must here")
        if not open_to_others(sleep.pid):
            pytest.skip("processes may not look into each other here at all")


def sealed(lab, *arguments):
    with running(lab, OOBD, *arguments) as oobd:
        until("oobd is sealed", lambda: runs(oobd, OOBD) and not open_to_others(oobd.pid))
        assert oobd.poll() is None
        with open(f"/proc/{oobd.pid}/limits") as file:
            limit = next(line for line in file if line.startswith("Max core file size"))
        assert limit.split()[4:6] == ["0", "0"]


def test_the_daemon(lab):
    sealed(lab, "serve", "-c", Daemon(lab, {"edge1": lab.gear()}).config)


def test_the_demo(lab):
    sealed(lab, "demo", "--dir", lab.path("demo"), "--port", "0")


def test_a_look_at_bmcs(lab):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:  # so that the look lasts
        silent.bind(("127.0.0.1", 0))
        with open(lab.path("password"), "w") as file:
            file.write("secret\n")
        os.chmod(lab.path("password"), 0o600)
        with open(lab.path("keys_alice"), "w") as file:
            file.write(lab.public("alice"))
        with open(lab.path("bmc.toml"), "w") as file:
            file.write(f"""[server]
listen = ["127.0.0.1:0"]
state = "{lab.path('state')}"

[user.alice]
keys = "keys_alice"
roles = ["all"]

[role.all]
on = ["*"]
may = ["watch"]

[bmc.b]
host = "127.0.0.1:{silent.getsockname()[1]}"
user = "oob"
password_file = "password"

[device.d]
line = {{ sol = "b" }}
""")
        sealed(lab, "check", "-c", lab.path("bmc.toml"), "--bmc")
