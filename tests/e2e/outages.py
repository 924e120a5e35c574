"""What can happen to a provider's BGP, and what its operator and the board behind it notice, in netlab's networks."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pytest

import harness
import netlab
from gear import PATIENCE, until
from machines import RECIPE, Machine
from netlab import BASTION, LAN, LAN6, OOB, OOB6

PORT = 2222
DROP_BGP = """table inet silence {
  chain input { type filter hook input priority filter; tcp dport 179 drop; tcp sport 179 drop; }
  chain output { type filter hook output priority filter; tcp dport 179 drop; tcp sport 179 drop; }
}
"""


def die(lab):
    """The provider's router loses power: both its links are gone, and what ran on it."""
    lab.ip("provider", "link set dev ix0 down", "link set dev lan down")
    lab.provider.kill()
    lab.console.is_on = False


def boot(lab):
    lab.console.is_on = True
    lab.ip("provider", "link set dev ix0 up", "link set dev lan up")
    lab.provider.start()


# How each begins, and how it is mended.
OUTAGES = {
    "session shut": (lambda lab: lab.provider.shut(), lambda lab: lab.provider.open()),
    "link to the exchange down": (lambda lab: lab.ip("exchange", "link set dev provider down"),
                                  lambda lab: lab.ip("exchange", "link set dev provider up")),
    "TCP 179 dropped": (lambda lab: lab.nft("provider", DROP_BGP),
                        lambda lab: lab.nft("provider", "delete table inet silence\n")),
    "BGP daemon killed": (lambda lab: lab.provider.kill_bgp(), lambda lab: lab.provider.start()),
    "prefix withdrawn": (lambda lab: lab.provider.withdraw(), lambda lab: lab.provider.announce()),
    "router dead": (die, boot),
}


# What the router's own console can't tell: the session is well, or nobody answers there.
UNSEEN_BY_THE_ROUTER = ("prefix withdrawn", "router dead")
LAST_WORDS = "rs4: neighbour lost"


class Router(Machine):
    """The serial console of the provider's router, silent while that has no power."""

    is_on = True

    def _take(self, data):
        if self.is_on:
            super()._take(data)

    def says(self, data, patience=2.0):
        if self.is_on:
            super().says(data, patience)

    def complains(self):
        """As kernels and routing daemons do, into whatever is on the console just now."""
        self.says(f"\r\n{LAST_WORDS}\r\n".encode())


class Ticker:
    """Lets a gear say a line each 100 ms, and knows by how much it was late itself."""

    PAUSE = 0.1

    def __init__(self, gear):
        self._gear = gear
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self.longest = 0.0
        self._thread.start()

    def _tick(self):
        number, last = 0, time.monotonic()
        while not self._over.wait(self.PAUSE):
            try:
                self._gear.says(b"%08d all is well\r\n" % number, self.PAUSE)
            except AssertionError:
                pass  # nobody listens
            number += 1
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last), now

    def close(self):
        self._over.set()
        self._thread.join()


class Ear:
    """A person's open console by stock ssh: how long it has been silent, as a person sees it."""

    def __init__(self, argv, environment):
        self._child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, env=environment, start_new_session=True)
        self.last, self.longest = time.monotonic(), 0.0
        self.heard = b""
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        while data := os.read(self._child.stdout.fileno(), 65536):
            now = time.monotonic()
            self.longest, self.last = max(self.longest, now - self.last), now
            self.heard += data

    def silence(self):
        """Seconds since the last word."""
        return time.monotonic() - self.last

    def begin(self):
        """`longest` counts from here on."""
        self.longest, self.last = 0.0, time.monotonic()

    def hears(self):
        until("a line of the console, or the end", lambda: b"all is well" in self.heard or not self._thread.is_alive())
        assert b"all is well" in self.heard, self.heard

    def is_there(self):
        return self._thread.is_alive()

    def close(self):
        self._child.kill()
        self._child.wait()
        self._thread.join()
        self._child.stdin.close()
        self._child.stdout.close()


class Board(harness.Daemon):
    """`oobd serve` on the board, with a listener on each uplink. The rest of a Daemon is as ever, but ssh comes from
    the operator, to `to`."""

    UPLINKS = f"""
[uplink.lan]
interface = "lan0"
listen = ["{LAN}:{PORT}", "[{LAN6}]:{PORT}"]
probe = ["tcp:{BASTION}:22"]

[uplink.oob]
interface = "oob0"
listen = ["{OOB}:{PORT}", "[{OOB6}]:{PORT}"]
probe = ["tcp:{BASTION}:22"]

[uplink.lte]
interface = "lte0"
listen = ["0.0.0.0:{PORT}"]
probe = ["tcp:{BASTION}:22"]
metered = true
"""

    def __init__(self, lab, net, devices, tables=UPLINKS, resolver=None, **how):
        self.net, self.tables, self.resolver = net, tables, resolver
        super().__init__(lab, devices, **how)

    def config_text(self):
        return super().config_text() + self.tables

    def start(self):
        return self.net.inside("board", super().start, resolver=self.resolver)

    def options(self, to, port=PORT, patience=20):
        # The default key exchange of OpenSSH 9 takes the client as long as all the rest of a login.
        return (f"HostName={to}", f"Port={port}", "KexAlgorithms=curve25519-sha256", f"ConnectTimeout={patience}")

    def run(self, *words):
        """A command of oobd's, asked by OOB."""
        return self.net.inside("operator", self.ssh, *words, options=self.options(OOB))

    def login(self, to, port=PORT, source="operator", patience=20):
        """A whole login and a command, as the operator does it."""
        return self.net.inside(source, self.ssh, "list", options=self.options(to, port, patience))

    def greets(self, to, port=PORT, source="operator"):
        return self.net.hears(source, to, port).startswith(b"SSH-2.0-")

    def uplinks(self):
        """What `status --json` says of uplinks, by name."""
        done = self.ctl("status", "--json")
        assert done.status == 0, done
        return {one["uplink"]: one for one in json.loads(done.out)["uplinks"]}

    def states(self):
        return {name: one["state"] for name, one in self.uplinks().items()}

    def way_out(self):
        """The uplink by which it dials; None while none is known to work."""
        return next((name for name, one in self.uplinks().items() if one["way_out"]), None)

    def watches(self):
        """What `status --json` says of what is watched, by name."""
        done = self.ctl("status", "--json")
        assert done.status == 0, done
        return {one["watch"]: one for one in json.loads(done.out)["watches"]}

    def tells(self, event, watch, since):
        """What the journal has of a watch beyond its first `since` entries, as soon as it is there."""
        def told():
            return next((entry for entry in self.journal()[since:]
                         if entry["ev"] == event and entry["watch"] == watch), None)
        return until(f"{event} of {watch} is in the journal", told, 2 * PATIENCE, 0.2)

    def ear(self, to, device="edge1", port=PORT):
        """A console that the operator has open, once it says something."""
        argv = self.ssh_argv("-tt", device, options=self.options(to, port))
        ear = self.lab.keep(self.net.inside("operator", Ear, argv, self.lab.environment))
        ear.hears()
        return ear


class Scene:
    """The networks, the board, and a console that is open by OOB through everything. Raises netlab.Missing."""

    def __init__(self, lab, routing, tables=""):
        self.net = lab.keep(netlab.NetLab(lab.dir, routing))
        self.lab, self.gear = lab, lab.gear("edge1")
        with open(lab.path("no-resolver"), "w"):
            pass  # whatever this machine asks, the board asks nobody, and is told so at once
        self.router = self.net.console = self._console()
        self.board = lab.keep(Board(lab, self.net, {"edge1": self.gear, "router1": self.router},
                                    tables=Board.UPLINKS + self._watches() + tables,
                                    server=f'[snapshot]\nrecipes = "{lab.path("recipes")}"\n',
                                    resolver=lab.path("no-resolver"))).start()
        self.board.wait_up("edge1", "router1")
        self.ticker = lab.keep(Ticker(self.gear))
        self.console = self.board.ear(OOB)

    def _console(self):
        lab = self.lab
        os.makedirs(lab.path("recipes"))
        with open(lab.path("recipes/box.recipe"), "w") as file:
            file.write(RECIPE)
        with open(lab.path("password"), "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(Machine.PASSWORD + "\n")
        machine = lab.keep(self.net.inside("provider", Router, lab.path("router1"), lab.path("router1-home")))
        machine.keys = (f'model = "box"\nlogin = {{ user = "{Machine.USER}", '
                        f'password_file = "{lab.path("password")}" }}\n')
        return machine

    def _watches(self):
        """The peering as the router tells, and as whoever is behind it feels."""
        asked = "\n".join(f"{key} = {json.dumps(value)}" for key, value in self.net.provider.watch().items())
        return f"""
[watch.peering]
device = "router1"
{asked}
every = "10s"

[watch.inband]
probe = ["tcp:{BASTION}:22"]
interface = "lan0"
every = "10s"
"""


def seconds(begin):
    return time.monotonic() - begin


def check(scene, outage):
    """One outage, and what the operator sees of it; the numbers of its row in the table."""
    net, board, ticker, open_console = scene.net, scene.board, scene.ticker, scene.console
    cut, heal = OUTAGES[outage]
    seeing = ["inband"] + ["peering"] * (outage not in UNSEEN_BY_THE_ROUTER)
    in_band = board.ear(LAN)
    until("it is served by IPv6", lambda: board.greets(LAN6) and board.greets(OOB6))
    until("all that is watched is well",
          lambda: all(one["state"] == "up" for one in board.watches().values()), pause=0.2)
    before = len(board.journal())
    assert not board.journal("watch.lost")
    ticker.longest = 0.0
    open_console.begin()
    scene.router.complains()
    begin = time.monotonic()
    cut(net)
    try:
        until("nobody gets in by the LAN", lambda: not board.greets(LAN) and not board.greets(LAN6))
        failed = board.login(LAN, patience=1)
        assert failed.status == 255 and failed.out == "", failed
        until("the console by the LAN is silent", lambda: in_band.silence() > 1.0)
        dead = max(0.0, in_band.last - begin)
        scene.router.complains()  # once between two looks of the watch, whenever those are

        done = board.login(OOB)
        assert done.status == 0 and "edge1" in done.out, done
        until("OOB serves IPv6 as well", lambda: board.greets(OOB6))

        lost = {name: board.tells("watch.lost", name, before) for name in seeing}
        told = seconds(begin)
        watches = board.watches()
        assert all(watches[name]["state"] == "lost" for name in seeing), watches
        why = " (interface lan0: no carrier)" if not scene.router.is_on else ""
        assert lost["inband"]["text"] == f"no answer from tcp:{BASTION}:22{why} by lan0", lost
        if "peering" in seeing:
            assert lost["peering"]["device"] == "router1" and LAST_WORDS in lost["peering"]["tail"]
        else:
            assert not [entry for entry in board.journal("watch.lost") if entry["watch"] == "peering"]
        if not scene.router.is_on:
            until("it is told that the router can't be asked", lambda: board.watches()["peering"]["trouble"], pause=0.2)
        done = board.login(OOB6)
        assert done.status == 0 and "edge1" in done.out, done
        assert in_band.silence() > 1.0 and not board.greets(LAN), "the LAN came back by itself: this shows nothing"
    finally:
        heal(net)
    begin = time.monotonic()
    until("the LAN is back", lambda: board.greets(LAN) and board.greets(LAN6))
    back = seconds(begin)
    assert board.login(LAN).status == 0
    in_band.close()
    until("the router has its sessions", net.provider.is_up, pause=0.1)
    for name in seeing:
        board.tells("watch.restored", name, before)
    again = seconds(begin)
    assert open_console.is_there()
    # Where this machine is busy, the gear speaks late itself.
    assert open_console.longest < 1.0 + ticker.longest - ticker.PAUSE, \
        f"{open_console.longest:.2f} s of silence by OOB; the gear's longest pause was {ticker.longest:.2f} s"
    return (f"{outage:26} in-band dead after {dead:5.2f} s, back {back:5.2f} s after; OOB login {done.seconds:.2f} s, "
            f"longest silence {open_console.longest:.2f} s (gear {ticker.longest:.2f} s); lost is told after "
            f"{told:4.1f} s, restored {again:4.1f} s after")


def wanted(request):
    """The outages for which tests of this file were selected."""
    return [item.callspec.params["outage"] for item in request.session.items
            if item.module is request.module and "outage" in item.fixturenames]


class AtOnce:
    """Outages at the same time, each in networks of its own and by a process of its own: most of one is waiting."""

    NOT_HERE = 77
    LIMIT = 240  # seconds

    def __init__(self, routing, outages):
        self._stack = contextlib.ExitStack()
        self._children = {}
        for outage in outages:
            out = self._stack.enter_context(tempfile.TemporaryFile("w+"))
            child = subprocess.Popen([sys.executable, os.path.abspath(__file__), routing.__name__, outage],
                                     stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            self._children[outage] = child, out
            self._stack.callback(self._end, child)

    @staticmethod
    def _end(child):
        child.terminate()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        netlab.remove_stale()

    def outcome(self, outage):
        """The row of one, when it is over; fails or skips as it does."""
        child, out = self._children[outage]
        status = child.wait(self.LIMIT)
        out.seek(0)
        text = out.read()
        if status == self.NOT_HERE:
            pytest.skip(text.strip().split("\n")[-1])
        assert status == 0, text
        return text

    def close(self):
        self._stack.close()


def main(routing, outage):
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: not without whoever wants to know
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    try:
        with harness.Lab() as lab:
            try:
                print(check(Scene(lab, getattr(netlab, routing)), outage))
            finally:
                for each in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(each, signal.SIG_IGN)  # what is cleared away is not to be left half
    except netlab.Missing as missing:
        print(missing)
        return AtOnce.NOT_HERE
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
