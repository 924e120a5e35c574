"""The board is reached while its provider's BGP (by BIRD) is gone, whatever takes it; and what else ails uplinks."""

import contextlib
import socket
import statistics
import subprocess
import time

import pytest

import outages
from harness import in_time, until
from netlab import BASTION, CARRIER, LAN, LTE, OOB, OPERATOR, Bird, Missing, must
from test_syslog import RSYSLOGD, WHY_NOT, Rsyslog, has_driver

WELL = {"lan": "up", "oob": "up", "lte": "up"}


@pytest.fixture(scope="module", autouse=True)
def at_once(shared_lab, request):
    """Most of an outage is waiting: they go on while the other tests do, and are asked for last."""
    return shared_lab.keep(outages.AtOnce(Bird, outages.wanted(request)))


@pytest.fixture(scope="module")
def scene(shared_lab, at_once):
    collector = Rsyslog(shared_lab, BASTION, 6514) if RSYSLOGD and has_driver() else None
    try:
        scene = outages.Scene(shared_lab, Bird, collector.configuration() if collector else "")
    except Missing as missing:
        pytest.skip(str(missing))
    scene.collector = collector
    if collector:
        shared_lab.keep(collector)
        scene.net.inside("bastion", collector.start)
    return scene


@contextlib.contextmanager
def dead(net, uplink):
    """An uplink of which the links stay up, and nothing comes through."""
    if uplink == "lan":
        cut, heal = outages.OUTAGES["session shut"]
        cut(net)
    else:
        mend = net.swallow("other", "customer")

        def heal(_):
            mend()
    try:
        yield
    finally:
        heal(net)


def leaves_for(board, uplink):
    """Seconds until the way out is that one: never more than ten."""
    begin = time.monotonic()
    until(f"the way out is {uplink}", lambda: board.way_out() == uplink, pause=0.1)
    took = time.monotonic() - begin
    assert took < 10, f"{took:.1f} s until the way out was {uplink}"
    return took


def test_an_uplink_that_dies_is_told_and_left_within_10_s(scene):
    net, board = scene.net, scene.board
    until("all uplinks are well", lambda: board.states() == WELL, pause=0.2)
    # It stays with what it has while that is as good, so which of them it goes by has its history.
    first = board.way_out()
    second, = {"lan", "oob"} - {first}
    seen = len(board.journal())
    with contextlib.ExitStack() as stack:
        stack.enter_context(dead(net, first))
        took = [leaves_for(board, second)]
        stack.enter_context(dead(net, second))
        took.append(leaves_for(board, "lte"))
        stack.callback(net.dial_up)
        net.hang_up()
        took.append(leaves_for(board, None))
        assert set(board.states().values()) == {"down"}
    print(f"{first}, {second} and lte left after " + ", ".join(f"{each:.1f} s" for each in took))
    begin = time.monotonic()
    until("all uplinks are well again", lambda: board.states() == WELL, pause=0.2)
    print(f"well again after {time.monotonic() - begin:.1f} s")
    until("what costs is not the way out", lambda: board.way_out() in ("lan", "oob"))
    for uplink in WELL:
        told = [entry["ev"] for entry in board.journal()[seen:] if entry.get("uplink") == uplink]
        assert "uplink.up" in told[told.index("uplink.down"):], told


def test_the_journal_leaves_by_a_live_uplink_within_10_s(scene):
    net, board, collector = scene.net, scene.board, scene.collector
    if not collector:
        pytest.skip(WHY_NOT)
    uplinks = {LAN: "lan", OOB: "oob", LTE: "lte"}

    def goes_by():
        """The uplink by which the board is connected to the collector."""
        lines = net.run("board", "ss", "-Htn", "state", "established", "dport", "=", ":6514").splitlines()
        return [uplinks[line.split()[-2].rpartition(":")[0].partition("%")[0]] for line in lines]

    def has(text):
        return any(text in params.get("text", "") for _, params, _ in collector.messages("note"))

    def arrives(text):
        try:
            until(f"{text!r} is at the collector", lambda: has(text))
        except AssertionError as error:
            raise AssertionError(f"{error}; it goes by {goes_by()}:\n{board.stderr[-4000:]}") from None

    for _ in range(2):  # there, and back again
        until("all uplinks are well", lambda: board.states() == WELL, pause=0.2)
        first, = until("it goes by one, and what costs is left again",
                       lambda: (by := goes_by()) in (["lan"], ["oob"]) and by, 90, 0.1)
        second, = {"lan", "oob"} - {first}
        assert board.ctl("note", "edge1", f"goes by {first}").status == 0
        arrives(f"goes by {first}")
        with dead(net, first):
            begin = time.monotonic()
            assert board.ctl("note", "edge1", f"{first} has died").status == 0
            arrives(f"{first} has died")
            took = time.monotonic() - begin
            assert goes_by() == [second]
        print(f"what is written while {first} dies is at the collector after {took:.1f} s, by {second}")
        assert took < 10


def test_the_operator_brings_bgp_back_by_the_routers_console(scene):
    net, board = scene.net, scene.board
    net.provider.shut()
    until("nobody gets in by the LAN", lambda: not board.greets(LAN))
    enable = ("run", "router1", "--", f"birdc -s {net.provider.socket} enable '\"rs*\"'")
    # The watch looks at the same time; where its look takes too long to be waited for, it is 75: try again.
    done = until("the keyboard is free", lambda: (done := board.run(*enable)).status != 75 and done, pause=0.2)
    assert done.status == 0 and "enabled" in done.out, done
    until("the LAN is back", lambda: board.greets(LAN))
    until("the router has its sessions", net.provider.is_up, pause=0.1)


def test_without_the_binding_the_same_outage_takes_the_board_away(scene):
    """The control: the routing table sends every reply by the provider's LAN, whichever address was dialled."""
    net, lab, port = scene.net, scene.lab, outages.PORT + 1
    gear = lab.gear("edge2")
    plain = lab.keep(outages.Board(lab, net, {"edge2": gear}, tables="", listen=f"0.0.0.0:{port}", name="plain"))
    plain.start()
    plain.wait_up("edge2")
    ticker = lab.keep(outages.Ticker(gear))
    console = plain.ear(OOB, "edge2", port)
    cut, heal = outages.OUTAGES["session shut"]
    cut(net)
    try:
        until("nobody gets in by the LAN", lambda: not plain.greets(LAN, port))
        assert plain.login(OOB, port, patience=1).status == 255 and scene.board.login(OOB).status == 0
        until("the console is silent", lambda: console.silence() > 1.0)
        net.oob_routes("del")  # a board that has but one default route, the provider's
        try:
            assert not plain.greets(OOB, port) and not scene.board.greets(OOB)
        finally:
            net.oob_routes("add")
        assert console.silence() > 1.0
    finally:
        heal(net)
        ticker.close()
    until("by OOB as well, now that BGP is back", lambda: plain.greets(OOB, port))
    until("the router has its sessions", net.provider.is_up, pause=0.1)
    plain.stop()


def test_a_resolver_that_never_answers_takes_no_time_of_a_login(scene):
    net, lab = scene.net, scene.lab
    with open(lab.path("dead-resolver"), "w") as file:
        file.write(f"nameserver {BASTION}\noptions timeout:1 attempts:2\n")
    with contextlib.ExitStack() as stack:
        stack.callback(net.swallow("bastion", "net0", "udp dport 53"))
        begin = time.monotonic()
        asked = net.inside("board", subprocess.run, ["getent", "hosts", OPERATOR], resolver=lab.path("dead-resolver"))
        assert asked.returncode != 0 and time.monotonic() - begin > 1.9, "the resolver answers, so this shows nothing"
        port = outages.PORT + 2
        tables = f'\n[uplink.oob]\ninterface = "oob0"\nlisten = ["{OOB}:{port}"]\n'
        dead = lab.keep(outages.Board(lab, net, {"edge3": lab.gear("edge3")}, tables=tables, name="dead-resolver-board",
                                      resolver=lab.path("dead-resolver"))).start()
        logins, normal, slow = [], 0, 1
        while slow - normal >= 0.05 and len(logins) < 36:  # where the machine is busy, a few say little
            logins += [(scene.board.login(OOB), dead.login(OOB, port)) for _ in range(9)]
            assert all(done.status == 0 for pair in logins for done in pair)
            normal, slow = (statistics.median(done.seconds for done in side) for side in zip(*logins))
        dead.stop()
    print(f"login {normal:.3f} s, with a dead resolver {slow:.3f} s, medians of {len(logins)}")
    assert slow - normal < 0.05


def test_nobody_dials_a_modem_behind_the_carriers_nat_and_it_dials_out(scene):
    net, board = scene.net, scene.board
    until("it is served on lte0", lambda: board.greets(LTE, source="carrier"))
    assert not board.greets(LTE) and not board.greets(CARRIER)

    def dial():
        with socket.socket() as out:
            out.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lte0\0")
            out.settimeout(30)
            out.connect((BASTION, 2200))

    with net.inside("bastion", socket.create_server, (BASTION, 2200)) as listener:
        net.inside("board", dial)
        listener.settimeout(30)
        peer, address = listener.accept()
        peer.close()
    assert address[0] == CARRIER


def test_a_modem_that_redials_is_served_at_its_new_address(scene):
    net, board = scene.net, scene.board
    addresses = [LTE]

    def number():
        return must(["ip", "-n", net.name("board"), "-o", "link", "show", "lte0"]).split(":")[0]

    def redial():
        addresses.append(f"100.64.0.{76 + len(addresses)}")
        before = number()
        net.hang_up()
        net.dial_up(addresses[-1])
        begin = time.monotonic()
        assert number() != before
        until("it is served there", lambda: board.greets(addresses[-1], source="carrier"))
        return time.monotonic() - begin

    print(f"served {in_time(redial, 3):.2f} s after")
    assert board.login(addresses[-1], source="carrier").status == 0
    assert not board.greets(LTE, source="carrier")


@pytest.mark.parametrize("outage", outages.OUTAGES)
def test_the_board_is_reached_and_a_console_goes_on(at_once, outage):
    print(at_once.outcome(outage))
