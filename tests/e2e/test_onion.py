"""The onion service: tor's own network in small, stock ssh, and the keys that `oobd onion add` makes."""

import os
import re
import shutil
import tempfile

import pytest

import clients
from gear import until
from tornet import PATIENCE, Missing, TorNet

SERVICE = """\
SocksPort 0
Log [rend]info file {folder}/rend
HiddenServiceDir {folder}/hs
HiddenServicePort 22 unix:%s
HiddenServiceExportCircuitID haproxy
HiddenServiceMaxStreams 20
"""
CLIENT = "SocksPort 127.0.0.1:%d\nClientOnionAuthDir {folder}/auth\n"
ALICE, MALLORY, LATER = 9050, 9051, 9052  # the ports of their tors


class Onion:
    """The daemon, the service before it, and who comes by which tor."""

    def __init__(self, lab, net):
        self.net = net
        self.gear = lab.gear("edge1")
        socket = lab.path("onion.sock")
        self.daemon = lab.daemon({"edge1": self.gear}, listen=f'127.0.0.1:0", "unix:{socket}')
        assert f" unix:{socket}," in self.daemon.said(r"ready on .*")[0]
        self.folder = net.tor("service", SERVICE % socket) + "/hs"
        until("tor names the service", lambda: os.path.exists(f"{self.folder}/hostname"))
        with open(f"{self.folder}/hostname") as file:
            self.address = file.read().strip()
        self.lines = {name: self.onion("add", name, "-c", self.daemon.config) for name in ("alice", "bob")}
        net.reload("service")
        self.client("alice", ALICE, self.lines["alice"].out)
        self.client("mallory", MALLORY)
        net.wait_bootstrapped("alice")
        until("alice reaches the service", lambda: self.ssh(ALICE, "first", "version").status == 0, PATIENCE)
        self.logins = 1

    def onion(self, *words):
        done = self.daemon.oobd("onion", *words, "--dir", self.folder)
        assert done.status == 0, done
        return done

    def client(self, name, port, line=None):
        """A tor of somebody, with the key that was given them."""
        auth = self.net.path(f"{name}/auth")
        if line:
            with open(f"{auth}/oob.auth_private", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(line)
        self.net.tor(name, CLIENT % port)

    def uploads(self):
        """How many times the service began to tell where it is, and had told it."""
        with open(f"{os.path.dirname(self.folder)}/rend") as file:
            said = file.read()
        return said.count("initiated upload request"), said.count("Uploading hidden service descriptor: finished")

    def by(self, port, circuit, *options):
        """What speaks with the service; tor gives each name at its SOCKS port circuits of its own."""
        return self.net.inside("socat", *options, "-",
                               f"SOCKS4A:127.0.0.1:{self.address}:22,socksport={port},socksuser={circuit}")

    def says(self, port, circuit):
        """The first line of the service, or what socat complains about."""
        # -t20: so long after the end of the input it waits for an answer.
        done = clients.run(self.by(port, circuit, "-t20"), self.daemon.lab.environment, input=b"SSH-2.0-x\r\n", timeout=150)
        return done.out or done.err

    def ssh(self, port, circuit, *words, **how):
        return self.daemon.ssh(*words, options=self.way(port, circuit), timeout=150, **how)

    def logs_in(self, circuit):
        """What the journal has of a login that alice has just now."""
        done = self.ssh(ALICE, circuit, "list")
        assert done.status == 0 and "edge1" in done.out, done
        self.logins += 1
        return self.daemon.journalled("login", self.logins)[-1]

    def begin(self, port, circuit, *words, **how):
        return self.daemon.begin(*words, options=self.way(port, circuit), **how)

    def way(self, port, circuit):
        return (f"ProxyCommand={' '.join(self.by(port, circuit))}",)


@pytest.fixture(scope="module")
def onion(shared_lab):
    folder = tempfile.mkdtemp(prefix="tor-", dir="/tmp")
    try:
        try:
            net = TorNet(folder)
        except Missing as missing:
            pytest.skip(str(missing))
        try:
            yield Onion(shared_lab, net)
        finally:
            net.close()
    finally:
        shutil.rmtree(folder)


def test_the_key_is_shown_once_and_the_rest_is_tors(onion):
    host = onion.address.removesuffix(".onion")
    assert re.fullmatch(f"{host}:descriptor:x25519:[A-Z2-7]{{52}}\n", onion.lines["alice"].out)
    secret = onion.lines["alice"].out.strip().rpartition(":")[2]
    assert secret not in onion.lines["alice"].err
    assert [line.split()[0] for line in onion.onion("list").out.splitlines()] == ["alice", "bob"]
    assert secret not in onion.onion("list").out


def test_a_login_comes_by_its_circuit(onion):
    entry = onion.logs_in("one")
    assert re.fullmatch(r"onion-circuit-\d+", entry["source"]), entry
    assert entry["peer"].startswith(entry["source"] + ":"), entry
    assert entry["local"].startswith("unix:/"), entry
    assert onion.logs_in("two")["source"] != entry["source"]


def test_who_has_no_key_does_not_find_the_service(onion):
    onion.net.wait_bootstrapped("mallory")
    before = onion.daemon.journal()
    assert "SSH-2.0" not in onion.says(MALLORY, "any")
    until("mallory's tor could not read the descriptor",
          lambda: re.search("(?i)client authorization", onion.net.log("mallory")))
    assert not [entry for entry in onion.daemon.journal()[len(before):] if entry["ev"].startswith("login")]


def test_one_circuit_is_kept_out_and_another_comes_in(onion):
    def figure(name):
        return int(re.search(rf"^oobd_{name} (\d+)$", onion.daemon.ctl("metrics").out, re.MULTILINE)[1])

    assert figure("sources_penalised") == 0
    # At once, for their penalties add up to a time that a loaded machine does not need for what follows.
    strangers = [onion.begin(ALICE, "bad", "list", user="nobody") for _ in range(8)]
    for stranger in strangers:
        stranger.child.wait(PATIENCE)
        assert stranger.child.returncode == 255, stranger.out
    until("they are held against their circuit", lambda: figure("sources_penalised") == 1)
    assert onion.ssh(ALICE, "bad", "list").status == 255, "her key is right, and her circuit is not"
    until("she is counted", lambda: figure("connections_kept_out_total") > 0)
    good = onion.logs_in("good")["source"]
    refused = {entry["source"] for entry in onion.daemon.journalled("login.refused")}
    assert len(refused) == 1 and good not in refused, refused


def test_who_is_removed_finds_it_no_more(onion):
    before = onion.uploads()
    onion.onion("remove", "alice")
    onion.net.reload("service")

    def uploaded():
        begun, done = (now - then for now, then in zip(onion.uploads(), before))
        return begun > 0 and done >= begun

    until("a descriptor that is not for alice is everywhere", uploaded, PATIENCE)
    onion.client("later", LATER, onion.lines["alice"].out)
    onion.net.wait_bootstrapped("later")
    assert "SSH-2.0" not in onion.says(LATER, "any")
    until("the old key does not open it", lambda: re.search("(?i)client authorization", onion.net.log("later")))
