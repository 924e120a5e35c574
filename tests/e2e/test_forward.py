"""A BMC's own page through `ssh -L` and `ssh -W`: the BMC of a device one may forward to, on the ports that the
configuration names, and nothing else whatsoever. Both ends of each forward are in the journal."""

import hashlib
import http.client
import http.server
import os
import socket
import sys
import threading

import pytest

from harness import resident, until

ADDRESS = "127.77.3.4"
HERE = "127.77.4.1"  # where ssh listens: nobody else takes ports there
REFUSED = "stdio forwarding failed"
PAGE = b"<h1>BMC</h1>" + bytes(range(256)) * 64


class Bmc:
    """What a BMC has of TCP: a page on one port. Its device has a gear for a console."""

    def __init__(self, lab, name, gear, address=ADDRESS):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(PAGE)))
                self.end_headers()
                self.wfile.write(PAGE)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = hashlib.sha256(body).hexdigest().encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        self.address, self.name = address, name
        self.line = f'{{ serial = "{gear.path}" }}'
        self.password = lab.path(name + ".password")
        with open(self.password, "w") as file:
            file.write("secret\n")
        os.chmod(self.password, 0o600)
        self.forward = [self.port]
        lab.keep(self)

    @property
    def keys(self):
        return f'power = {{ bmc = "{self.name}" }}\n'

    @property
    def tables(self):
        return (f'\n[bmc.{self.name}]\nhost = "{self.address}"\nuser = "oob"\npassword_file = "{self.password}"\n'
                f"forward = {self.forward}\n")

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def board(lab):
    """alice may forward on edge1 alone; edge2 has a page too, which she may only watch; hidden she can't see."""
    bmcs = {name: Bmc(lab, name, lab.gear(name), address) for name, address in
            (("edge1", ADDRESS), ("edge2", "127.77.3.5"), ("hidden", "127.77.3.6"))}
    daemon = lab.daemon(bmcs, users={"alice": ["pages"], "root": ["all"]},
                        roles={"pages": (["edge1"], ["watch", "forward"]), "all": (["*"], ["watch", "forward", "admin"]),
                               "sees": (["edge2"], ["watch"])})
    return daemon, bmcs


def get(daemon, target, **how):
    """The answer to one GET through `ssh -W`, empty when the forward was refused."""
    return daemon.ssh("-W", target, "oob", input=b"GET / HTTP/1.0\r\n\r\n", **how)


def listening(port):
    """Looked up and not tried: a call would be a forward already."""
    where = f"{int.from_bytes(socket.inet_aton(HERE), sys.byteorder):08X}:{port:04X}"
    with open("/proc/net/tcp") as file:
        return any(line.split()[1] == where and line.split()[3] == "0A" for line in file)


def free_port():
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return probe.getsockname()[1]


def through(daemon, target, **how):
    """`ssh -N -L`; the port of this side once it listens."""
    port = free_port()
    daemon.begin("-N", "-L", f"{HERE}:{port}:{target}", "oob", **how)
    until("ssh listens", lambda: listening(port))
    return port


def closed(daemon, count):
    until("the forwards are noted closed", lambda: len(daemon.journal("forward.close")) == count)
    return daemon.journal("forward.close")


def test_a_page_comes_by_name_and_by_address_and_both_ends_are_journalled(board):
    daemon, bmcs = board
    port = bmcs["edge1"].port
    request = b"GET / HTTP/1.0\r\n\r\n"
    for count, target in enumerate((f"edge1.bmc:{port}", f"{ADDRESS}:{port}", f"[::ffff:{ADDRESS}]:{port}"), 1):
        done = get(daemon, target)
        assert done.raw.endswith(PAGE) and done.status == 0, done
        end = closed(daemon, count)[-1]
        begin = daemon.journal("forward.open")[-1]
        assert begin["n"] < end["n"] and begin["session"] == end["session"]
        for entry in (begin, end):
            assert (entry["user"], entry["device"], entry["bmc"], entry["address"], entry["port"]) == (
                "alice", "edge1", "edge1", ADDRESS, port)
        assert end["bytes_in"] == len(request) and end["bytes_out"] > len(PAGE), end
        assert begin["origin"] and end["why"]


def test_much_goes_both_ways_byte_for_byte_and_several_at_once(board):
    daemon, bmcs = board
    port = through(daemon, f"edge1.bmc:{bmcs['edge1'].port}")
    body = os.urandom(1 << 20) * 8
    right, wrong = hashlib.sha256(body).hexdigest(), []

    def post():
        connection = http.client.HTTPConnection(HERE, port, timeout=60)
        connection.request("POST", "/", body)
        if connection.getresponse().read().decode() != right:
            wrong.append("POST")
        connection.close()

    threads = [threading.Thread(target=post) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    counted = [entry["bytes_in"] for entry in closed(daemon, 5)]
    assert all(count > len(body) for count in counted), counted


def test_nothing_else_is_dialled(board):
    daemon, bmcs = board
    port = bmcs["edge1"].port
    with socket.socket() as other:
        other.bind((ADDRESS, 0))
        other.listen()
        other.settimeout(0.2)
        wrong = other.getsockname()[1]
        for target in (f"{ADDRESS}:{wrong}", f"edge1.bmc:{wrong}", f"127.0.0.1:{wrong}", f"localhost:{port}",
                       f"example.com:{port}", f"edge1:{port}", f"edge2.bmc:{bmcs['edge2'].port}",
                       f"127.77.3.5:{bmcs['edge2'].port}", f"hidden.bmc:{bmcs['hidden'].port}", f"ghost.bmc:{port}",
                       f"127.0.0.1:{daemon.port}", f".bmc:{port}", f"2135753476:{port}", f"127.77.772:{port}"):
            done = get(daemon, target)
            assert REFUSED in done.err and not done.out, (target, done)
        with pytest.raises(TimeoutError):
            other.accept()
    assert not daemon.journal("forward.open")
    refusals = [entry for entry in daemon.journalled("denied", 14) if entry["action"] == "forward"]
    assert len(refusals) == 14 and all(entry["user"] == "alice" and entry["why"] for entry in refusals), refusals


def test_refusals_say_the_same_of_what_is_not_there_and_what_may_not_be_seen(board):
    daemon, bmcs = board
    port = bmcs["hidden"].port
    hidden, ghost = get(daemon, f"hidden.bmc:{port}"), get(daemon, f"ghost.bmc:{port}")
    assert REFUSED in ghost.err and hidden.err.replace("hidden", "ghost") == ghost.err and hidden.status == ghost.status


@pytest.mark.parametrize("options, allowed", [
    ("restrict", False), ("no-port-forwarding", False), ("restrict,port-forwarding", True),
    ('permitopen="edge1.bmc:{port}"', True), ('permitopen="edge1.bmc:*"', True), ('permitopen="*:{port}"', True),
    ('permitopen="edge1.bmc:1"', False), ('permitopen="127.77.3.4:{port}"', False),
    ('permitopen="EDGE1.bmc:{port}"', False)])
def test_the_options_of_the_key_hold(board, lab, options, allowed):
    daemon, bmcs = board
    port = bmcs["edge1"].port
    daemon.write_keys("alice", options.format(port=port) + " " + lab.public("alice"))
    done = get(daemon, f"edge1.bmc:{port}")
    assert ("<h1>BMC</h1>" in done.out) == allowed and (REFUSED in done.err) != allowed, done
    assert len(daemon.journal("forward.open")) == allowed


def test_permitopen_allows_nothing_that_the_policy_does_not(board, lab):
    daemon, bmcs = board
    daemon.write_keys("alice", 'permitopen="*:*" ' + lab.public("alice"))
    for target in (f"edge2.bmc:{bmcs['edge2'].port}", f"127.0.0.1:{daemon.port}"):
        assert REFUSED in get(daemon, target).err
    assert not daemon.journal("forward.open")


def test_other_kinds_of_forwards_are_refused(board, lab):
    daemon, bmcs = board
    done = daemon.ssh("-N", "-R", f"{free_port()}:127.0.0.1:{daemon.port}", "oob", options=("ExitOnForwardFailure=yes",))
    assert done.status == 255 and "remote port forwarding failed" in done.err
    local = free_port()
    daemon.begin("-N", "-D", f"{HERE}:{local}", "oob")
    until("ssh listens", lambda: listening(local))
    with socket.create_connection((HERE, local), 30) as socks:
        socks.sendall(b"\x05\x01\x00")
        assert socks.recv(2) == b"\x05\x00"
        socks.sendall(b"\x05\x01\x00\x01" + socket.inet_aton("127.0.0.1") + daemon.port.to_bytes(2, "big"))
        socks.settimeout(30)
        answer = socks.recv(10)  # OpenSSH says yes before it has asked, and closes when it is refused
        assert answer == b"" or socks.recv(64) == b""
    path = lab.path("page.sock")
    daemon.begin("-N", "-L", f"{path}:{daemon.state}/ctl.sock", "oob")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        until("ssh listens", lambda: client.connect_ex(path) == 0)  # the file is there before it does
        assert client.recv(1) == b""
    assert not daemon.journal("forward.open")


def test_a_bmc_that_does_not_take_the_call_is_noted(board):
    daemon, bmcs = board
    bmcs["edge1"].server.shutdown()  # a socket that its thread still waits for would take the call all the same
    bmcs["edge1"].server.server_close()
    done = get(daemon, f"edge1.bmc:{bmcs['edge1'].port}")
    assert REFUSED in done.err
    assert "could not connect: Connection refused" in closed(daemon, 1)[0]["why"]


@pytest.mark.parametrize("revoked", [False, True])
def test_a_grant_that_ends_ends_the_forward_that_it_allowed(board, revoked):
    daemon, bmcs = board
    daemon.roles["pages"] = (["edge1"], ["watch"])
    daemon.write_config()
    daemon.reload()
    until("it is reloaded", lambda: daemon.journal("reload"))
    assert REFUSED in get(daemon, f"edge1.bmc:{bmcs['edge1'].port}").err
    port = through(daemon, f"edge1.bmc:{bmcs['edge1'].port}")
    assert daemon.ctl("grant", "alice", "forward", "edge1", "1h" if revoked else "15s").status == 0
    raw = socket.create_connection((HERE, port), 30)
    until("the forward is open", lambda: daemon.journal("forward.open"))
    if revoked:
        assert daemon.ssh("revoke", "1").status == 0
    assert raw.recv(1) == b""
    raw.close()
    assert closed(daemon, 1)[0]["why"].startswith("no longer allowed: ")
    assert daemon.journalled("grant.revoked" if revoked else "grant.ended")


def test_a_reload_that_takes_the_right_away_ends_the_forward(board):
    daemon, bmcs = board
    port = through(daemon, f"edge1.bmc:{bmcs['edge1'].port}")
    raw = socket.create_connection((HERE, port), 30)
    until("the forward is open", lambda: "forward edge1.bmc" in daemon.ssh("who").out)
    daemon.roles["pages"] = (["edge1"], ["watch"])
    daemon.write_config()
    daemon.reload()
    assert raw.recv(1) == b""
    raw.close()
    entry = closed(daemon, 1)[0]
    assert entry["why"].startswith("no longer allowed: "), entry
    assert REFUSED in get(daemon, f"edge1.bmc:{bmcs['edge1'].port}").err


def test_a_reload_that_takes_the_port_away_ends_the_forward_and_leaves_others(board):
    daemon, bmcs = board
    edge1 = through(daemon, f"edge1.bmc:{bmcs['edge1'].port}", user="root")
    edge2 = through(daemon, f"edge2.bmc:{bmcs['edge2'].port}", user="root")
    lost, kept = socket.create_connection((HERE, edge1), 30), socket.create_connection((HERE, edge2), 30)
    until("both are open", lambda: len(daemon.journal("forward.open")) == 2)
    bmcs["edge1"].forward = []
    daemon.write_config()
    daemon.reload()
    assert lost.recv(1) == b""
    kept.sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert b"200" in kept.recv(64)
    lost.close()
    kept.close()


def test_a_stalled_reader_costs_little_memory(board):
    daemon, bmcs = board
    with socket.socket() as page:
        page.bind((ADDRESS, 0))
        page.listen()
        bmcs["edge1"].forward = [page.getsockname()[1]]
        daemon.write_config()
        daemon.reload()
        until("reloaded", lambda: daemon.said("reloaded"))
        port = through(daemon, f"edge1.bmc:{page.getsockname()[1]}")
        client = socket.create_connection((HERE, port), 30)
        bmc, _ = page.accept()
        before = {pid: resident(pid) for pid in (daemon.process.pid, daemon.front())}
        bmc.settimeout(2)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 200 << 20:
                sent += bmc.send(bytes(1 << 16))
        for pid, was in before.items():
            assert resident(pid) - was < 4 << 20, (pid, was, resident(pid), sent)
        client.close()
        bmc.close()
