"""A board with three legs in network namespaces of the test's own, as etc/uplinks has them. Needs root.

    board: oob0 --- far: 198.51.100.1, 2001:db8:51::1     the fixed uplink's router
           lte0 --- far: 100.64.3.1                       the modem's
           lan0 --- far: 203.0.113.1                      the provider's
                    far: 192.0.2.7, 2001:db8:9::7         somebody outside

What is far drops packets that come by another leg than their sender's (BCP 38), so a reply by the wrong uplink is lost.
Each namespace is held by a process and goes with it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from gear import until
from netlab import CLONE_NEWNET, call, elsewhere, must

ETC = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "etc", "uplinks")
NETWORKD = "/lib/systemd/systemd-networkd"
LEGS = {"oob0": ("198.51.100.1/24", "2001:db8:51::1/64"), "lte0": ("100.64.3.1/24",), "lan0": ("203.0.113.1/24",)}
OOB, OOB6, LTE, LAN = "198.51.100.10", "2001:db8:51::10", "100.64.3.120", "203.0.113.5"
OUTSIDE, OUTSIDE6 = "192.0.2.7", "2001:db8:9::7"
# networkd without udev, D-Bus and the board's own /run: it takes interfaces as they are where /sys is read-only.
ALONE = """mount --make-rprivate / && mount -t sysfs -o ro sysfs /sys && mount -t tmpfs tmpfs /run &&
mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp /run/systemd/network &&
chown -R systemd-network: /run/systemd/netif && cp "$1"/*.network /run/systemd/network && exec """ + NETWORKD


class Missing(Exception):
    """Why there can't be such a board here."""


class Namespace:
    def __init__(self, stack):
        self._holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo made; exec sleep infinity"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        stack.callback(self._end)
        if self._holder.stdout.readline() != "made\n":
            raise Missing(f"no network namespaces here: {self._holder.stderr.read()}")
        self.pid = self._holder.pid
        self.ip("link set lo up")

    def _end(self):
        self._holder.kill()
        self._holder.wait()
        self._holder.stdout.close()
        self._holder.stderr.close()

    def inside(self, what, *words, **how):
        """what(*words, **how) in this namespace; what it starts or opens is there too."""
        def enter():
            with open(f"/proc/{self.pid}/ns/net") as file:
                call("setns", file.fileno(), CLONE_NEWNET)
        return elsewhere(enter, what, *words, **how)

    def run(self, *argv, input=None):
        return self.inside(must, argv, input)

    def shell(self, line):
        return self.run("sh", "-ec", line)

    def ip(self, *lines):
        self.run("ip", "-batch", "-", input="\n".join(lines) + "\n")


class Board:
    def __init__(self):
        self._stack = contextlib.ExitStack()
        try:
            if os.geteuid() != 0:
                raise Missing("needs root")
            for tool in ("ip", "nft", "ping", "sysctl", "unshare"):
                if not shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin"):
                    raise Missing(f"no {tool} here")
            self.board, self.far = Namespace(self._stack), Namespace(self._stack)
            self._wires()
        except BaseException:
            self.close()
            raise

    def close(self):
        self._stack.close()

    def _wires(self):
        for each in (self.board, self.far):
            each.run("sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.accept_dad=0",
                     "net.ipv6.conf.default.accept_ra=0")
        # A bound socket without a route asks for everybody by ARP on its own wire: routers neither answer that, nor do
        # they ask in somebody else's name.
        self.far.run("sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.default.rp_filter=1",
                     "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2")
        self.far.run("nft", "-f", "-", input="""table ip6 elsewhere { chain in {
            type filter hook prerouting priority filter;
            ip6 saddr 2001:db8::/32 fib saddr . iif oif 0 drop
        }
        }""")
        for leg, addresses in LEGS.items():
            self.board.ip(f"link add name {leg} type veth peer name far-{leg} netns {self.far.pid}")
            self.far.ip(f"link set far-{leg} up", *(f"address add {each} dev far-{leg}" for each in addresses))
        self.far.ip(f"address add {OUTSIDE}/32 dev lo", f"address add {OUTSIDE6}/128 dev lo",
                    "address add 192.0.2.8/32 dev lo")

    # --- as it is set up ---------------------------------------------------------------------------------------------

    def settle(self):
        """The kernel's settings, from the example."""
        self.board.run("sysctl", "-q", "-p", os.path.join(ETC, "sysctl.conf"))

    def modem_comes(self, metric):
        """What a DHCP client does with the modem's lease."""
        self.board.ip("link set lte0 up", f"address add {LTE}/24 dev lte0",
                      f"route add default via 100.64.3.1 dev lte0 metric {metric}")

    def ifupdown(self):
        """Does what etc/uplinks/ifupdown says, line by line; what it says to be done before a leg goes down."""
        before_down, leg, method = [], "", ""
        with open(os.path.join(ETC, "ifupdown", "interfaces")) as file:
            lines = [line.split("#")[0].split(None, 1) for line in file]
        for word, rest in ((line[0], line[1].strip()) for line in lines if line):
            if word == "iface":
                leg, _, method = rest.split()
                self.board.ip(f"link set {leg} up")
            elif word == "address":
                self.board.ip(f"address add {rest} dev {leg}")
            elif word == "metric":
                assert method == "dhcp", "ifupdown gives a metric to what it makes itself"
                self.modem_comes(rest)
            elif word == "post-up":
                self.board.shell(rest)
            elif word == "pre-down":
                before_down.append(rest)
            else:
                assert word in ("auto", "allow-hotplug") or (word, rest) == ("accept_ra", "0"), f"{word} {rest}"
        return before_down

    def _networkd(self, where, folder):
        log = tempfile.TemporaryFile()
        self._stack.callback(log.close)
        process = where.inside(subprocess.Popen, ["unshare", "-m", "sh", "-c", ALONE, "sh", folder], stdout=log,
                               stderr=log, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_LOG_TARGET": "console"})

        def end():
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._stack.callback(end)
        return log

    def networkd(self, folder):
        """systemd-networkd itself reads etc/uplinks/networkd, and another gives the modem its lease."""
        if not os.path.exists(NETWORKD):
            raise Missing("no systemd-networkd here")
        os.makedirs(folder)
        with open(os.path.join(folder, "far.network"), "w") as file:
            file.write(f"[Match]\nName=far-lte0\n[Network]\nAddress={LEGS['lte0'][0]}\nDHCPServer=yes\n"
                       "LinkLocalAddressing=no\n[DHCPServer]\nEmitRouter=yes\nPoolOffset=120\nPoolSize=1\n")
        self.far.ip(f"address del {LEGS['lte0'][0]} dev far-lte0")  # that is networkd's now
        self._networkd(self.far, folder)
        log = self._networkd(self.board, os.path.join(ETC, "networkd"))

        def routed():
            table = self.board.run("ip", "route", "show", "default")
            return "dev lte0" in table and "dev oob0" in table and "130:" in self.board.run("ip", "rule")
        until("networkd has set up all legs", routed, 60)
        log.seek(0)
        return log.read().decode()

    # --- from outside ------------------------------------------------------------------------------------------------

    def listen(self, address, port, interface=None):
        """Says so on every connection, until the board is closed."""
        def make():
            server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if server.family == socket.AF_INET6:
                server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if interface:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            server.bind((address, port))
            server.listen(128)
            return server
        server = self.board.inside(make)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    with server.accept()[0] as visitor, contextlib.suppress(OSError):
                        visitor.sendall(b"here")
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()

        def end():
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            server.close()
        self._stack.callback(end)

    def reaches(self, address, port, source=None, patience=20):
        """Whether somebody outside gets through to the board and back."""
        def dial():
            with contextlib.suppress(OSError), socket.create_connection(
                    (address, port), patience, ((source or (OUTSIDE6 if ":" in address else OUTSIDE)), 0)) as peer:
                return peer.recv(10) == b"here"
            return False
        return self.far.inside(dial)

    def loses(self, address, port):
        """Whether nothing comes back. SYNs are sent at once and after a second."""
        return not self.reaches(address, port, patience=1.5)
