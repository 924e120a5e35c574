"""What is offered for the key exchange and after it: nothing that is known to be weak, and all of what is offered works."""

import re
import shutil
import subprocess

import pytest

KEX = ["curve25519-sha256", "curve25519-sha256@libssh.org"]
CIPHERS = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"]
MACS = ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"]
POST_QUANTUM = ["mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com"]


def query(what):
    return subprocess.run(["ssh", "-Q", what], capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture(scope="module")
def door(shared_lab):
    daemon, _ = shared_lab.one()
    assert daemon.ssh("version").status == 0  # its source is known from here on, and so not kept out by what follows
    return daemon


def comes_in(door, *options):
    return door.ssh("version", options=options).status == 0


def offered(door):
    """The key exchange methods that the server names, by the client's own account: its proposal comes second."""
    seen = door.ssh("version", options=["LogLevel=DEBUG2"]).err
    return re.findall(r"KEX algorithms: (\S+)", seen)[1].split(",")


def test_ssh_audit_finds_nothing_weak(door):
    if not shutil.which("ssh-audit"):
        pytest.skip("needs ssh-audit")
    report = subprocess.run(["ssh-audit", "--no-colors", "-p", str(door.port), "127.0.0.1"], capture_output=True, text=True,
                            timeout=120).stdout
    assert "(kex) curve25519-sha256" in report
    # It compares versions as text, and takes 0.10 for older than 0.7.
    faults = [line for line in report.splitlines() if re.search(r"\[(warn|fail)\]", line) and "CVE-2016-0739" not in line]
    # The mark of strict key exchange (Terrapin's cure) is younger than this ssh-audit.
    assert [line for line in faults if "kex-strict-s" not in line] == []


@pytest.mark.parametrize("kex", query("kex"))
def test_key_exchange(door, kex):
    assert comes_in(door, f"KexAlgorithms={kex}") == (kex in offered(door))


def test_key_exchanges_are_the_strong_ones(door):
    names = [name for name in offered(door) if not name.startswith(("ext-info-", "kex-strict-"))]
    assert [name for name in names if name not in POST_QUANTUM] == KEX
    assert names[-2:] == KEX, "post-quantum ones come first"


@pytest.mark.parametrize("cipher", query("cipher"))
def test_cipher(door, cipher):
    assert comes_in(door, f"Ciphers={cipher}") == (cipher in CIPHERS)


@pytest.mark.parametrize("mac", query("mac"))
def test_mac(door, mac):
    assert comes_in(door, "Ciphers=aes256-ctr", f"MACs={mac}") == (mac in MACS)


def test_host_keys_are_of_ed25519_alone(door):
    for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "ssh-rsa"):
        assert comes_in(door, f"HostKeyAlgorithms={kind}") == (kind == "ssh-ed25519"), kind


def test_passwords_are_not_asked_for(door):
    said = door.ssh("version", options=["PubkeyAuthentication=no", "PreferredAuthentications=password"])
    assert said.status == 255
    assert "Permission denied (publickey)" in said.err
