"""Call-home when nothing else is left: the provider's BGP is cut, the fixed uplink is down, and LTE is behind a carrier's
NAT, which forgets its flows, in netlab's networks."""

import getpass
import os
import shutil
import socket
import statistics
import struct
import time

import pytest

import outages
from harness import until
from netlab import BASTION, CARRIER, LAN, LTE, OOB, Bird, Missing, NetLab
from test_call_home import (BACK, Bastion, Redialler, back_in_time, banner, state_of, status,  # noqa: F401
                            until_back)

NETLINK_NETFILTER, FLUSH = 12, 1 << 8 | 2  # linux/netfilter/nfnetlink.h: ctnetlink, IPCTNL_MSG_CT_DELETE of all
WELL = {"lan": "up", "oob": "up", "lte": "up"}

pytestmark = pytest.mark.usefixtures("status")


def forget_flows():
    """`conntrack -F` of this namespace, which Debian does not install."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        # A header with NLM_F_REQUEST | NLM_F_ACK, and nfgenmsg of no family.
        kernel.send(struct.pack("=LHHLL", 20, FLUSH, 1 | 4, 1, 0) + struct.pack("=BBH", socket.AF_UNSPEC, 0, 0))
        error, = struct.unpack("=i", kernel.recv(4096)[16:20])
        assert error == 0, os.strerror(-error)


class Way:
    """The networks, the board with its call-home, the bastion, and one sshd more there for those who dial."""

    def __init__(self, lab):
        if not shutil.which("socat"):
            raise Missing("no socat here")
        self.lab = lab
        self.net = lab.keep(NetLab(lab.dir, Bird))
        space = self.net.name("bastion")
        self.bastion = lab.keep(Bastion(lab, "bastion", 22, address=BASTION, space=space)).start()
        self.door = Bastion(lab, "door", 2022, address=BASTION, space=space)
        self.door.key = lab.key("alice")
        self.door.configure("")
        lab.keep(self.door).start()
        # What a carrier does with packets of no flow that it knows: it takes up none that it finds half-way, and drops
        # them without a word to anybody.
        self.net.sysctl("carrier", "net.netfilter.nf_conntrack_tcp_loose=0")
        self.net.nft("carrier", f"""insert rule ip door forward ct state invalid drop
add chain ip door input {{ type filter hook input priority filter; }}
add rule ip door input ip daddr {CARRIER} drop
""")
        with open(lab.path("no-resolver"), "w"):
            pass
        self.board = lab.keep(outages.Board(lab, self.net, {}, resolver=lab.path("no-resolver"),
                                            server=self.bastion.table("fra"))).start()

    def by(self):
        """The uplink's interface by which the board is up at the bastion, or None."""
        state = state_of(self.board, "fra")
        return state["interface"] if state["up"] else None

    def login(self):
        """The operator, by the bastion and the stock ssh alone."""
        relay = f"socat - UNIX-CONNECT:{self.bastion.socket}"
        proxy = (f"ssh -F /dev/null -i {self.door.key} -p {self.door.port} -o BatchMode=yes -o StrictHostKeyChecking=no "
                 f"-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR {getpass.getuser()}@{BASTION} {relay}")
        return self.net.inside("operator", self.board.ssh, "who", "--json", options=("ProxyCommand=" + proxy,))

    def established(self):
        """Where the bastion sees the board's connections come from."""
        lines = self.net.run("bastion", "ss", "-Htn", "state", "established", "sport", "=", ":22").splitlines()
        return {line.split()[-1].rpartition(":")[0] for line in lines}


@pytest.fixture(scope="module")
def way(shared_lab):
    try:
        return Way(shared_lab)
    except Missing as missing:
        pytest.skip(str(missing))


def test_lte_alone_carries_people_home_and_back_when_the_carrier_forgets(way):
    net, board = way.net, way.board
    until("all uplinks are well", lambda: board.states() == WELL)
    until("the board is at the bastion", way.by)
    assert not net.hears("operator", CARRIER, outages.PORT) and not net.hears("operator", LTE, outages.PORT), \
        "LTE can be dialled: nothing behind NAT was tested"
    dialler = way.lab.keep(Redialler(way.bastion.socket))

    net.provider.shut()
    net.ip("board", "link set dev oob0 down")
    begin = time.monotonic()
    until("LTE carries it", lambda: way.by() == "lte0")
    changed = time.monotonic() - begin
    until("nobody gets in by the LAN", lambda: not board.greets(LAN))
    assert not board.greets(OOB)
    assert CARRIER in way.established()
    assert "and it answers by lte0" in board.journal("callhome.down")[-1]["text"]
    done = way.login()
    assert done.status == 0 and '"from":"call-home' in done.out, done
    assert changed < 10, f"{changed:.1f} s until it went by LTE"

    took = []
    for _ in range(3):
        until("it is up", way.by)
        before = len(board.journal("callhome.down"))
        net.inside("carrier", forget_flows)
        begin = time.monotonic()
        assert not banner(way.bastion.socket), "the flow is there: nothing was tested"
        took.append(until_back(way.bastion.socket, begin))
        until("the board knows", lambda: len(board.journal("callhome.down")) > before)
    done = way.login()
    assert done.status == 0 and '"from":"call-home' in done.out, done
    assert "has forgotten the connection" in board.journal("callhome.down")[-1]["text"]
    dialler.close()

    def swallow():
        until("it is up", way.by)
        mend = net.swallow("carrier", "lte")
        until("it is down", lambda: way.by() is None)
        mend()
        return until_back(way.bastion.socket, time.monotonic())

    def redial():
        until("it is up", way.by)
        net.hang_up()
        until("it is down without a modem", lambda: way.by() is None)
        net.dial_up()
        return until_back(way.bastion.socket, time.monotonic())

    returned = back_in_time(swallow)
    redialled = back_in_time(redial)
    print(f"by LTE {changed:.1f} s after the rest was cut; back " + ", ".join(f"{each:.1f}" for each in took) +
          f" s after flows were forgotten, {returned:.1f} s after the path returned, "
          f"{redialled:.1f} s after the modem had dialled anew")
    assert statistics.median(took) < BACK, took
    until("it is up again", way.by)

    net.ip("board", "link set dev oob0 up")
    net.oob_routes("add")
    net.provider.open()
    until("the LAN is back", lambda: board.greets(LAN))
    until("it has left the metered uplink", lambda: way.by() in ("lan0", "oob0"), 90)
    assert board.journal("callhome.down")[-1]["interface"] == "lte0", "nothing was down for that"
    assert way.login().status == 0
