"""A device's configuration over the management network: Debian's sshd as the device, its host key pinned."""

import getpass
import os
import subprocess
import sys

import pytest

from harness import until
from machines import RECIPE

PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oobd", "ssh_peer.py")


class Sshd:
    """sshd on a port of its own; whoever has the key `user` is let in as whoever runs the tests."""

    def __init__(self, lab):
        if not os.path.exists("/usr/sbin/sshd") or (os.geteuid() == 0 and not os.path.isdir("/run/sshd")):
            pytest.skip("no sshd, or no /run/sshd for it")
        self.folder = lab.path("sshd")
        os.makedirs(self.folder)
        self.key, host = lab.key("device"), lab.key("host")
        with open(os.path.join(self.folder, "sshd_config"), "w") as file:
            file.write(f"HostKey {host}\nAuthorizedKeysFile {self.key}.pub\nStrictModes no\nUsePAM no\n"
                       "PidFile none\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nPrintMotd no\n")
        self.process = subprocess.Popen([sys.executable, "-B", PEER, "sshd", self.folder], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())
        self.host_key = " ".join(lab.public("host").split()[:2])

    def keys(self, host_key):
        return (f'model = "box"\nssh = {{ host = "127.0.0.1:{self.port}", host_key = "{host_key}", '
                f'user = "{getpass.getuser()}", key_file = "{self.key}" }}\n')

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Silent:
    """A device whose console says nothing, so that only the network is left."""

    def __init__(self, line, keys):
        self.line, self.keys = line, keys


@pytest.fixture
def sshd(lab):
    return lab.keep(Sshd(lab))


def daemon_with(lab, sshd, host_key):
    os.makedirs(lab.path("recipes"))
    with open(lab.path("recipes/box.recipe"), "w") as file:
        file.write(RECIPE)
    gear = lab.gear("edge1")
    daemon = lab.daemon({"edge1": Silent(gear.line, sshd.keys(host_key))},
                        server=f'[snapshot]\nrecipes = "{lab.path("recipes")}"\n')
    daemon.wait_up("edge1")
    return daemon, gear


def test_a_configuration_comes_by_ssh_and_the_console_is_left_alone(lab, sshd):
    daemon, gear = daemon_with(lab, sshd, sshd.host_key)
    done = daemon.ssh("snapshot", "edge1", "--method", "ssh", timeout=120)
    assert done.status == 0, done
    with open("/etc/hostname", "rb") as file:
        there = file.read()
    shown = daemon.ssh("show", "edge1", "etc/hostname", "--bytes")
    assert shown.status == 0 and shown.raw == there, shown
    assert bytes(gear.heard) == b"", "something was typed on the console"
    until("the SSH client has gone", lambda: len(daemon.children()) == 1)


def test_another_host_is_told_and_nothing_is_sent(lab, sshd):
    other = " ".join(lab.public("other").split()[:2])
    daemon, gear = daemon_with(lab, sshd, other)
    done = daemon.ssh("snapshot", "edge1", "--method", "ssh", timeout=120)
    assert done.status == 69 and "the host key is ssh-ed25519 SHA256:" in done.err, done
    assert "not the one in the configuration" in done.err and f"127.0.0.1:{sshd.port}" in done.err, done
    assert daemon.ssh("snapshots", "edge1").out == ""
    assert bytes(gear.heard) == b""
