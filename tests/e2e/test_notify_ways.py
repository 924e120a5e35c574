"""A panic on a console reaches people outside, by whichever uplink still leads there, and later where none does. One posts
and one runs curl; who is told is behind the uplinks of a board in namespaces of the test's own."""

import contextlib
import socket
import time

import pytest

from board_net import LTE, OOB, OUTSIDE, Board, Missing
from harness import until
from hooks import Hook, Told, figures, make_ca, script

PATIENCE = 60  # probes must fail three times, and a way that is back is one after 10 s
UPLINKS = f"""
[uplink.fixed]
interface = "oob0"
probe = ["icmp:{OUTSIDE}"]
[uplink.lte]
interface = "lte0"
probe = ["tcp:{OUTSIDE}:443"]
metered = true
"""


@pytest.fixture
def net():
    try:
        board = Board()
    except Missing as missing:
        pytest.skip(str(missing))
    try:
        board.settle()
        board.ifupdown()
        # What a cut uplink's router does: nothing, with its link up.
        board.far.run("nft", "-f", "-", input="""table ip cut {
            set dead { type ifname; }
            chain in { type filter hook prerouting priority filter; iifname @dead drop; }
        }""")
        with board.far.inside(socket.create_server, (OUTSIDE, 443), backlog=64):  # whom the modem's probe finds
            yield board
    finally:
        board.close()


def cut(net, *legs):
    """These and no others, all in one step: what is cut before and afterwards must not be open meanwhile."""
    legs = ", ".join(f'"far-{leg}"' for leg in legs)
    net.far.run("nft", "-f", "-", input=f"flush set ip cut dead\nadd element ip cut dead {{ {legs} }}\n")


class Site:
    """The daemon, and who is told: `posted` by itself, `run` by a program that asks for the way out, `plain` by one that
    does not."""

    def __init__(self, net, lab):
        ca = make_ca(lab, "ca", OUTSIDE)
        self.hooks = {name: lab.keep(Hook(lab, ca, OUTSIDE, net.far.inside).start()) for name in ("posted", "run", "plain")}

        def curl(name, words):
            return script(lab, name, f'exec curl --silent --show-error --fail --max-time 4 --cacert {ca} {words} '
                          f'--data-binary @- {self.hooks[name].url()}\n')
        run, plain = curl("run", '${OOBD_INTERFACE:+--interface "$OOBD_INTERFACE"}'), curl("plain", "")
        self.gear = lab.gear("edge1")
        self.daemon = Told(lab, {"edge1": self.gear})
        self.daemon.tables = UPLINKS + "".join(
            f'\n[notify.{name}]\nevents = ["console.alarm"]\n{how}\n' for name, how in (
                ("posted", f'post = "{self.hooks["posted"].url()}"\nca = "{ca}"'),
                ("run", f'program = ["{run}"]'), ("plain", f'program = ["{plain}"]')))
        self.daemon.write_config()
        net.board.inside(lab.keep(self.daemon).start)
        self.daemon.wait_up("edge1")
        self.is_way_out("oob0")

    def is_way_out(self, interface):
        until(f"{interface or 'nothing'} is the way out", lambda: [interface] ==
              [entry.get("interface", "") for entry in self.daemon.journal("uplink.way_out")[-1:]], PATIENCE)

    def panics(self, text):
        # With as many lines behind it as are told with it: else more of them are waited for.
        self.gear.says("\r\n".join([text, *("what follows" for _ in range(5)), ""]).encode())
        return time.monotonic()

    def heard(self, name):
        """[(what, from which address)] as it came."""
        return [(post[3]["text"], post[4]) for post in list(self.hooks[name].posts)]

    def hear(self, text, *names):
        until(f"{names} have heard of {text}", lambda: all(text in dict(self.heard(name)) for name in names), PATIENCE)
        return time.monotonic()


def test_a_panic_is_told_at_once_by_the_other_uplink_and_once_when_all_had_gone(net, lab):
    site = Site(net, lab)
    begun = site.panics("panic: double fault")
    took = site.hear("panic: double fault", "posted", "run", "plain") - begun
    print(f"told after {took:.2f} s")
    assert took < 5
    told = [("panic: double fault", OOB)]
    assert site.heard("posted") == site.heard("run") == told

    cut(net, "oob0")
    begun = site.panics("Fatal trap 12: page fault")
    took = site.hear("Fatal trap 12: page fault", "posted", "run") - begun
    print(f"told by the modem after {took:.2f} s")
    assert took < 15  # an uplink is left within 10 s
    told.append(("Fatal trap 12: page fault", LTE))
    assert site.heard("posted") == site.heard("run") == told
    site.is_way_out("lte0")
    until("who goes as the routing table says has failed", lambda: figures(site.daemon, "plain")["trouble"])
    assert len(site.heard("plain")) == 1

    cut(net, "oob0", "lte0")
    site.panics("Kernel panic - not syncing: Fatal exception")
    for name in ("posted", "run"):
        until(f"{name} waits", lambda name=name: figures(site.daemon, name)["waiting"] == 1 and
              figures(site.daemon, name)["trouble"], PATIENCE)
    site.is_way_out("")
    assert site.heard("posted") == site.heard("run") == told

    cut(net, "oob0")
    site.hear("Kernel panic - not syncing: Fatal exception", "posted", "run")
    told.append(("Kernel panic - not syncing: Fatal exception", LTE))
    site.panics("igb0: watchdog timeout -- resetting")
    site.hear("igb0: watchdog timeout -- resetting", "posted", "run")
    told.append(("igb0: watchdog timeout -- resetting", LTE))
    assert site.heard("posted") == site.heard("run") == told, "each once, in order"
