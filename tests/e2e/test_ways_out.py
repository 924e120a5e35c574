"""By which way the journal and notices leave a board with uplinks: whichever leads to whom they are for."""

import contextlib
import json
import socket
import ssl
import subprocess
import threading
import time

import pytest

from board_net import LAN, LTE, OOB6, OUTSIDE, OUTSIDE6, Board, Missing
from harness import Daemon, in_time, until

NEIGHBOUR, ROUTED = "203.0.113.1", "10.20.0.9"  # on the provider's leg, and behind a router there
PORTS = {"syslog": 6514, "hook": 8443}

FIXED = """
[uplink.fixed]
interface = "oob0"
probe = ["icmp:192.0.2.7"]
"""
MODEM = """
[uplink.{name}]
interface = "lte0"
probe = ["tcp:192.0.2.7:443"]
"""


class Sink:
    """A server with TLS that keeps what it is told, and by whom; it answers what is HTTP."""

    def __init__(self, where, address, port, certificate):
        self.heard, self.peers = b"", []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate + ".pem", certificate + ".key")
        self._context = context

        def make():
            server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((address, port))
            server.listen(16)
            return server
        self._server = where.inside(make)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                peer, address = self._server.accept()
                threading.Thread(target=self._talk, args=(peer, address[0]), daemon=True).start()

    def _talk(self, peer, address):
        with contextlib.suppress(OSError), self._context.wrap_socket(peer, server_side=True) as secure:
            self.peers.append(address)
            while got := secure.recv(4096):
                self.heard += got
                if got.endswith(b"}") and not got.startswith(b"<"):
                    secure.sendall(b"HTTP/1.1 204 Heard\r\nContent-Length: 0\r\n\r\n")

    def close(self):
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._server.close()


@pytest.fixture
def net():
    try:
        board = Board()
    except Missing as missing:
        pytest.skip(str(missing))
    try:
        board.settle()
        board.ifupdown()
        board.far.ip(f"address add {ROUTED}/32 dev lo")
        # What is the provider's own is to be had by his own wire alone.
        board.far.run("nft", "-f", "-", input=f"""table ip inside {{ chain in {{
            type filter hook prerouting priority filter;
            ip daddr {{ {NEIGHBOUR}, {ROUTED} }} iifname {{ "far-oob0", "far-lte0" }} drop
        }}
        }}""")
        with board.far.inside(socket.create_server, (OUTSIDE, 443), backlog=64):  # whom the modem's probe finds
            yield board
    finally:
        board.close()


def certificate(lab):
    """Of all addresses here, by a CA in ca.pem."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=lab.dir, check=True, capture_output=True)
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl("req", "-x509", *new, "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem")
    names = ",".join(f"IP:{each}" for each in ("127.0.0.1", NEIGHBOUR, ROUTED, OUTSIDE, OUTSIDE6))
    openssl("req", "-x509", *new, "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=sink", "-addext",
            f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "sink.key", "-out",
            "sink.pem")
    return lab.path("sink")


def begin(net, lab, uplinks, way_out, where, address):
    """(daemon, {"syslog": Sink, "hook": Sink}), once that interface is the way out."""
    made = certificate(lab)
    sinks = {name: lab.keep(Sink(where, address, port, made)) for name, port in PORTS.items()}
    at = f"[{address}]" if ":" in address else address
    daemon = lab.keep(Daemon(lab, {"edge1": lab.gear("edge1")}))
    daemon.write_config(daemon.config_text() + uplinks + f"""
[syslog]
server = "{at}:{PORTS['syslog']}"
ca = "{lab.path('ca.pem')}"
name = "{address}"

[notify.hook]
events = ["note"]
post = "https://{at}:{PORTS['hook']}/"
ca = "{lab.path('ca.pem')}"
""")
    serve(net, daemon, way_out)
    return daemon, sinks


def serve(net, daemon, way_out):
    """Starts it, and waits until that interface is the way out."""
    seen = len(daemon.journal())
    net.board.inside(daemon.start)
    until("the way out is known", lambda: way_out in
          [entry["interface"] for entry in daemon.journal()[seen:] if entry["ev"] == "uplink.way_out"][-1:])


def tells(daemon, sinks, text):
    """Seconds until a note has arrived at both."""
    begun = time.monotonic()
    assert daemon.ctl("note", "edge1", text).status == 0
    until("both have heard of it", lambda: all(text.encode() in sink.heard for sink in sinks.values()), 30)
    return time.monotonic() - begun


@pytest.mark.parametrize("address", ["127.0.0.1", NEIGHBOUR, ROUTED])
def test_who_is_not_outside_is_reached_though_the_way_out_does_not_lead_there(net, lab, address):
    where = net.board if address == "127.0.0.1" else net.far
    daemon, sinks = begin(net, lab, FIXED, "oob0", where, address)
    took = tells(daemon, sinks, "hello neighbour")
    print(f"{address} has heard of it after {took:.1f} s")
    assert took < 10
    assert {peer for sink in sinks.values() for peer in sink.peers} == {address if where is net.board else LAN}
    status = json.loads(daemon.ctl("status", "--json").out)
    assert status["syslog"]["connected"], status["syslog"]
    assert not daemon.journal("syslog.down")


def test_who_has_ipv6_alone_is_reached_though_the_way_out_has_ipv4_alone(net, lab):
    daemon, sinks = begin(net, lab, MODEM.format(name="a") + FIXED, "lte0", net.far, OUTSIDE6)
    texts = []

    def told():  # by connections of its own, since those that are there already show nothing
        if texts:
            daemon.stop()
            serve(net, daemon, "lte0")
        texts.append(f"hello six for the {len(texts) + 1}. time")
        return tells(daemon, sinks, texts[-1])

    in_time(told, 5)
    assert {peer for sink in sinks.values() for peer in sink.peers} == {OOB6}


def test_a_way_out_that_swallows_only_this_is_left_within_10_s(net, lab):
    net.far.run("nft", "-f", "-", input=f"""table ip swallow {{ chain in {{
        type filter hook prerouting priority filter;
        tcp dport {{ {PORTS['syslog']}, {PORTS['hook']} }} iifname "far-oob0" drop
    }}
    }}""")
    daemon, sinks = begin(net, lab, FIXED + MODEM.format(name="lte"), "oob0", net.far, OUTSIDE)
    took = tells(daemon, sinks, "hello by the other one")
    print(f"heard of after {took:.1f} s, by the modem")
    assert took < 10
    assert {peer for sink in sinks.values() for peer in sink.peers} == {LTE}
    way_out, = [uplink for uplink in json.loads(daemon.ctl("status", "--json").out)["uplinks"] if uplink["way_out"]]
    assert (way_out["uplink"], way_out["state"]) == ("fixed", "up")
