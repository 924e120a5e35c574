"""A private tor network (tor(1), TestingTorNetwork) of Debian's tor for the tests of the onion service: three
authorities and nine relays, services and clients beside them, all in one namespace that has nothing but its own
loopback, so ports are fixed and nobody outside is spoken to. Needs root.

The processes live in a PID namespace: with its first one they all end, and that one ends with whoever runs the tests."""

import ctypes
import os
import re
import shutil
import signal
import subprocess

from gear import until

AUTHORITIES, RELAYS = 3, 9  # fewer than a dozen starve: circuits of an onion service have up to eight hops
PATIENCE = 150.0            # until a service can be reached, on a loaded machine
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)

COMMON = """\
TestingTorNetwork 1
DataDirectory {folder}
PidFile {folder}/pid
Nickname {name}
Log notice file {folder}/log
SafeLogging 0
ShutdownWaitLength 0
VanguardsLiteEnabled 0
PathsNeededToBuildCircuits 0.67
"""
RELAY = """\
Address 127.0.0.1
ORPort 127.0.0.1:{orport}
AssumeReachable 1
ExitRelay 0
SocksPort 0
ContactInfo nobody@example.org
"""
AUTHORITY = """\
DirPort 127.0.0.1:{dirport}
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
V3AuthVotingInterval 10
V3AuthVoteDelay 2
V3AuthDistDelay 2
TestingV3AuthInitialVotingInterval 5
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
TestingMinExitFlagThreshold 0
TestingDirAuthVoteGuard *
TestingDirAuthVoteHSDir *
"""


class Missing(Exception):
    """Why there can't be such a network here."""


def end_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class TorNet:
    """`folder` is short and goes with the test."""

    def __init__(self, folder):
        if os.geteuid() != 0:
            raise Missing("needs root")
        tools = ("tor", "tor-gencert", "unshare", "nsenter", "ip", "socat")
        missing = [tool for tool in tools if not shutil.which(tool)]
        if missing:
            raise Missing(f"there is no {', '.join(missing)}")
        self.folder = folder
        self._tors = []
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
             "ip link set lo up && echo up && exec sleep infinity"],
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=end_with_parent)
        if self._holder.stdout.readline() != b"up\n":
            trouble = self._holder.stderr.read().decode()
            self.close()
            raise Missing(f"no namespaces here: {trouble.strip()}")
        with open(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children") as file:
            self._init = file.read().split()[0]
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def inside(self, *words):
        """The command line of words in the namespace."""
        return ["nsenter", f"--net=/proc/{self._init}/ns/net", f"--pid=/proc/{self._init}/ns/pid", "--", *words]

    def _begin(self):
        names = [f"auth{number}" for number in range(AUTHORITIES)]
        keys = [self._make_keys(name, 7000 + number) for number, name in enumerate(names)]
        self.common = COMMON + "".join(
            f"DirAuthority {name} orport={5000 + number} no-v2 v3ident={ident} 127.0.0.1:{7000 + number} {print_}\n"
            for number, (name, (ident, print_)) in enumerate(zip(names, keys)))
        for number, name in enumerate(names):
            self.tor(name, (RELAY + AUTHORITY).format(orport=5000 + number, dirport=7000 + number))
        for number in range(RELAYS):
            self.tor(f"relay{number}", RELAY.format(orport=5100 + number))
        # Who comes earlier knows the authorities alone, and asks again only much later.
        until("the authorities know all relays", lambda: self._relays_known() == AUTHORITIES + RELAYS, PATIENCE)

    def _relays_known(self):
        known = []
        for number in range(AUTHORITIES):
            try:
                with open(f"{self.folder}/auth{number}/cached-microdesc-consensus") as file:
                    known.append(len(re.findall(r"^r ", file.read(), re.MULTILINE)))
            except FileNotFoundError:
                return 0
        return min(known)

    def path(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(path, mode=0o700, exist_ok=True)
        return path

    def _make_keys(self, name, dirport):
        """The identity of an authority, and its fingerprint as a relay."""
        folder = self.path(name)
        os.makedirs(f"{folder}/keys", mode=0o700)
        made = subprocess.run(
            ["tor-gencert", "--create-identity-key", "--passphrase-fd", "0", "-m", "12", "-a", f"127.0.0.1:{dirport}",
             "-i", f"{folder}/keys/authority_identity_key", "-s", f"{folder}/keys/authority_signing_key",
             "-c", f"{folder}/keys/authority_certificate"], input=b"\n", capture_output=True)
        assert made.returncode == 0, made.stderr
        with open(f"{folder}/keys/authority_certificate") as file:
            ident = re.search(r"^fingerprint ([0-9A-F]+)$", file.read(), re.MULTILINE)[1]
        listed = subprocess.run(["tor", "--list-fingerprint", "--ignore-missing-torrc", "-f", "/nonexistent",
                                 "--DataDirectory", folder, "--Nickname", name, "--ORPort", "1", "--quiet",
                                 "--DirAuthority", f"x 127.0.0.1:1 {'F' * 40}"], capture_output=True, text=True)
        assert listed.returncode == 0, listed.stdout + listed.stderr
        return ident, "".join(listed.stdout.strip().split()[1:])

    def tor(self, name, text):
        """Starts one more tor; its folder."""
        folder = self.path(name)
        with open(f"{folder}/torrc", "w") as file:
            file.write((self.common + text).replace("{folder}", folder).replace("{name}", name))
        with open(f"{folder}/out", "wb") as out:
            self._tors.append((name, subprocess.Popen(
                self.inside("tor", "--defaults-torrc", "/nonexistent", "--ignore-missing-torrc", "-f", f"{folder}/torrc"),
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)))
        return folder

    def log(self, name):
        try:
            with open(f"{self.folder}/{name}/log") as file:
                return file.read()
        except FileNotFoundError:  # it has only just begun
            return ""

    def wait_bootstrapped(self, name):
        until(f"{name} knows the network", lambda: "Bootstrapped 100%" in self.log(name), PATIENCE)

    def reload(self, name):
        before = self.log(name).count("Received reload signal")
        subprocess.run(self.inside("sh", "-c", f'kill -HUP "$(cat {self.folder}/{name}/pid)"'), check=True)
        until(f"{name} has been reloaded", lambda: self.log(name).count("Received reload signal") > before)

    def close(self):
        if self._holder.poll() is None:
            self._holder.kill()  # its child dies with it, and with that one everybody
        self._holder.wait()
        for name, process in self._tors:
            process.wait(timeout=30)
        self._holder.stdout.close()
        self._holder.stderr.close()
