"""Listeners that come and go: addresses that are not there yet, those of uplinks, and the socket for tor."""

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess

import pytest

from board_net import Missing, Namespace
from gear import until
from harness import OOBD, Daemon

LEG = "203.0.113.5:2223"
OPENER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "ssh", "circuit.py")
UPLINK = '\n[uplink.lan]\ninterface = "lo"\nlisten = ["{}"]\n'


def uplink(daemon, address):
    """How stock ssh comes by the uplink's listener at this address."""
    port = daemon.wait_said(rf"uplink lan: listens on {re.escape(address)}:(\d+)%lo$")[1]
    return (f"HostName={address}", f"Port={port}")


@pytest.fixture
def board(lab):
    """A network namespace with nothing but lo."""
    with contextlib.ExitStack() as stack:
        try:
            yield Namespace(stack)
        except Missing as missing:
            pytest.skip(str(missing))


def status_of(daemon):
    done = daemon.ctl("status", "--json")
    assert done.status == 0, done
    return json.loads(done.out)


def closed(daemon):
    """What status says of listeners that are not open: {address: why}."""
    return {one["listen"]: one["why"] for one in status_of(daemon)["not_listening"]}


def metric(daemon, name):
    return float(re.search(rf"^{re.escape(name)} (\S+)$", daemon.ctl("metrics").out, re.MULTILINE)[1])


def test_an_address_that_is_not_there_keeps_nobody_out_and_is_listened_on_once_it_is(lab, board):
    daemon = lab.keep(Daemon(lab, {"edge1": lab.gear("edge1")}, listen=LEG, server=UPLINK.format("127.0.0.2:0")))
    board.inside(daemon.start)  # the provider's switch is dead, so its leg has no address
    assert not daemon.said(rf"ready on .*{LEG}")
    by_uplink = uplink(daemon, "127.0.0.2")
    assert board.inside(daemon.ssh, "version", options=by_uplink).status == 0
    assert closed(daemon) == {LEG: "Cannot assign requested address"}
    assert f"listeners    NOT OPEN: {LEG}: Cannot assign requested address" in daemon.ctl("status").out
    assert metric(daemon, "oobd_listeners_closed") == 1
    assert [one["listen"] for one in daemon.journalled("listener.failed")] == [LEG]
    board.ip("address add 203.0.113.5/32 dev lo")
    daemon.wait_said(rf"oobd: listens on {LEG}$")
    by_leg = ("HostName=203.0.113.5", "Port=2223")
    assert board.inside(daemon.ssh, "version", options=by_leg).status == 0
    assert daemon.journalled("login", 2)[-1]["local"] == LEG
    assert closed(daemon) == {} and metric(daemon, "oobd_listeners_closed") == 0
    until("the journal has it", lambda: [one["listen"] for one in daemon.journal("listener.open")] == [LEG])
    os.kill(daemon.front(), signal.SIGKILL)  # the next front has it as well
    until("it is served again", lambda: board.inside(daemon.ssh, "version", options=by_leg).status == 0)
    board.ip("address del 203.0.113.5/32 dev lo", "address add 203.0.113.5/32 dev lo")
    assert board.inside(daemon.ssh, "version", options=by_leg).status == 0


def test_an_address_that_somebody_has_is_waited_for_unless_it_is_the_only_one(lab):
    with socket.create_server(("127.0.0.2", 0)) as other:
        taken = f"127.0.0.2:{other.getsockname()[1]}"
        daemon, _ = lab.one(listen=f'127.0.0.1:0", "{taken}')
        assert closed(daemon) == {taken: "Address already in use"}
        again = Daemon(lab, {}, listen=taken, name="again")
        done = subprocess.run([OOBD, "serve", "-c", again.config], capture_output=True, text=True, timeout=60,
                              env=lab.environment)
        assert done.returncode == 69 and f"listen {taken}: Address already in use" in done.stderr, done
    daemon.wait_said(rf"oobd: listens on {taken}$")
    host, port = taken.split(":")
    assert daemon.ssh("version", options=(f"HostName={host}", f"Port={port}")).status == 0


def test_an_uplink_that_cant_be_dialled_is_told_everywhere(lab):
    with socket.create_server(("127.0.0.2", 0)) as other:
        taken = f"127.0.0.2:{other.getsockname()[1]}"
        daemon, _ = lab.one(server=UPLINK.format(taken))
        why = f"{taken}: Address already in use"
        status = status_of(daemon)
        assert status["uplinks"][0]["not_listening"] == [why]
        assert [error for error in status["uplink_errors"] if why in error], status
        assert f"does NOT listen on {why}" in daemon.ctl("status").out
        assert metric(daemon, 'oobd_uplink_listeners_closed{uplink="lan"}') == 1
        assert daemon.journalled("listener.failed")[-1]["uplink"] == "lan"
        done = daemon.ctl("reload")
        assert f'[uplink.lan] listen "{taken}" IS NOT OPEN: Address already in use' in done.out + done.err, done
    daemon.wait_said(rf"uplink lan: listens on {taken}%lo$")
    status = status_of(daemon)
    assert status["uplinks"][0]["not_listening"] == []
    assert not [error for error in status["uplink_errors"] if taken in error], status


def test_an_uplink_is_listened_on_beside_the_rest_and_by_every_front(lab):
    daemon, _ = lab.one(server=UPLINK.format("127.0.0.2:0"))
    assert re.search(r"ready on 127\.0\.0\.1:\d+ 127\.0\.0\.2:\d+%lo, host key", daemon.said(r"ready on .*")[0])
    by = uplink(daemon, "127.0.0.2")
    assert daemon.ssh("version", options=by).status == 0
    assert daemon.journalled("login")[-1]["local"].startswith("127.0.0.2:")
    assert daemon.ssh("version").status == 0
    front = daemon.front()
    os.kill(front, signal.SIGKILL)
    until("another front", lambda: daemon.children() and daemon.children() != [front])
    assert daemon.ssh("version", options=by).status == 0
    assert daemon.ssh("version").status == 0


def test_a_reload_moves_an_uplinks_listener_and_keeps_its_connections(lab):
    daemon, gear = lab.one(server=UPLINK.format("127.0.0.2:0"))
    old = uplink(daemon, "127.0.0.2")
    person = daemon.attached(options=old)
    daemon.server = UPLINK.format("127.0.0.3:0")
    daemon.write_config()
    daemon.reload()
    assert daemon.ssh("version", options=uplink(daemon, "127.0.0.3")).status == 0
    refused = daemon.ssh("version", options=old)
    assert refused.status == 255 and "Connection refused" in refused.err, refused
    person.type("still here\r")
    gear.hears("still here")
    # And another port waits for the next start, where the sandbox can tell ports apart.
    with socket.create_server(("127.0.0.4", 0)) as other:
        port = other.getsockname()[1]
    daemon.server = UPLINK.format(f"127.0.0.4:{port}")
    daemon.write_config()
    daemon.reload()
    daemon.wait_said(rf"reloaded: .*\[uplink\.lan\] listen \"127\.0\.0\.4:{port}\" takes effect at the next start"
                     rf"|uplink lan: listens on 127\.0\.0\.4:{port}%lo$")


def test_an_interface_that_is_not_there_is_no_fault(lab):
    daemon, _ = lab.one(server=UPLINK.format("0.0.0.0:0").replace('"lo"', '"oobd-none0"'))
    assert "%" not in daemon.said(r"ready on .*, host key")[0]
    assert daemon.ssh("version").status == 0


def test_the_socket_for_tor_is_its_groups_and_goes_with_the_daemon(lab):
    path = lab.path("onion.sock")
    daemon, _ = lab.one(listen=f'127.0.0.1:0", "unix:{path}')
    assert stat.S_IMODE(os.lstat(path).st_mode) == 0o660
    daemon.kill()
    assert os.path.exists(path)
    daemon.start()
    with socket.socket(socket.AF_UNIX) as nobody:
        nobody.connect(path)
        nobody.sendall(b"SSH-2.0-x\r\n")
        with pytest.raises(ConnectionResetError):  # what was said is not even read
            nobody.recv(1)
    daemon.wait_said(r"is HiddenServiceExportCircuitID haproxy in the torrc\?")
    daemon.stop()
    assert not os.path.exists(path)


def test_a_socket_for_tor_that_cant_be_made_keeps_nobody_out(lab):
    folder, path = lab.path("run"), lab.path("run/onion.sock")
    daemon, _ = lab.one(listen=f'127.0.0.1:0", "unix:{path}')
    assert daemon.ssh("version").status == 0
    assert closed(daemon) == {f"unix:{path}": "No such file or directory"}
    os.mkdir(folder)
    daemon.wait_said(rf"listens on unix:{re.escape(path)}$")
    assert stat.S_IMODE(os.lstat(path).st_mode) == 0o660
    with socket.socket(socket.AF_UNIX) as tor:
        tor.connect(path)
        tor.sendall(b"PROXY TCP6 fc00:dead:beef:4dad::0:29 ::1 1 22\r\nSSH-2.0-x\r\n")
        assert tor.recv(9) == b"SSH-2.0-o"
    assert closed(daemon) == {}
    daemon.stop()


def test_something_in_the_way_of_a_socket_keeps_nobody_out(lab):
    path = lab.path("onion.sock")
    with open(path, "w") as file:
        file.write("mine")
    daemon, _ = lab.one(listen=f'127.0.0.1:0", "unix:{path}')
    assert daemon.ssh("version").status == 0
    assert closed(daemon) == {f"unix:{path}": "something that is no socket is in the way"}
    os.unlink(path)
    daemon.wait_said(rf"listens on unix:{re.escape(path)}$")
    assert stat.S_ISSOCK(os.lstat(path).st_mode)


def test_who_fills_one_bastions_places_keeps_nobody_out_who_comes_by_another(lab):
    def table(name, port):  # nobody answers there: its visitors are played here
        return (f'\n[callhome.{name}]\nbastion = "127.0.0.1:{port}"\nuser = "oob"\nkey_file = "{lab.key("home")}"\n'
                f'host_key = "{" ".join(lab.public("bastion").split()[:2])}"\nsocket = "/run/oob/{name}.sock"\n')

    daemon, _ = lab.one(server="[limits]\nstartups = 10\nper_source = 2\n" + table("fra", 1) + table("ams", 2))
    homes = os.path.join(daemon.state, "homes")
    with contextlib.ExitStack() as stack:
        def come(name):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.settimeout(30)
            one.connect(os.path.join(homes, name + ".home"))
            one.sendall(b"SSH-2.0-x\r\n")
            return one

        first = [come("fra") for _ in range(2)]
        assert all(one.recv(9) == b"SSH-2.0-o" for one in first)
        late = come("fra")
        late.settimeout(0.5)
        with pytest.raises(TimeoutError):
            late.recv(1)
        assert come("ams").recv(9) == b"SSH-2.0-o"
        proxy = f"ProxyCommand=/usr/bin/python3 {OPENER} {homes}/ams.home"
        assert daemon.ssh("version", options=(proxy,)).status == 0
    assert daemon.journalled("login")[-1]["source"] == "call-home-ams"
