"""Networks for the tests of uplinks: namespaces of this kernel with real BGP between them. Needs root.

    operator --+                       exchange (a bridge, route server AS 65000)
               +-- transit AS 65001 ---+
    bastion ---+                       +--- provider AS 65002 ----- lan0 \\
                                       +--- other    AS 65003 ----- oob0  } board
                                       +--- carrier  AS 65004, NAT - lte0 /

All of them have IPv4, and IPv6 but for the carrier's. The provider's router speaks BGP by BIRD or FRR, everybody else
by BIRD; the hold time is 6 s. Namespaces are named by the process that made them: what a killed run left behind, the
next one takes away."""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import threading

from gear import until

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
LIBC = ctypes.CDLL(None, use_errno=True)

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # of whoever runs the tests, perhaps shorter

NAMESPACES = ("operator", "bastion", "transit", "exchange", "provider", "other", "carrier", "board")
OPERATOR, BASTION = "203.0.113.10", "203.0.113.130"
OPERATOR6, BASTION6 = "2001:db8:1::10", "2001:db8:1:b::130"
# Of the board, by its interfaces; the carrier's address is seen by nobody else.
LAN, OOB, LTE = "192.0.2.10", "198.51.100.10", "100.64.0.10"
LAN6, OOB6 = "2001:db8:2::10", "2001:db8:3::10"
CARRIER = "198.51.100.129"  # where the board seems to be when it dials by lte0

# AS, host part on the exchange, prefixes announced there.
MEMBERS = {"transit": (65001, 11, ["203.0.113.0/24", "2001:db8:1::/48"]),
           "provider": (65002, 12, ["192.0.2.0/24", "2001:db8:2::/48"]),
           "other": (65003, 13, ["198.51.100.0/25", "2001:db8:3::/48"]),
           "carrier": (65004, 14, ["198.51.100.128/25"])}


class Missing(Exception):
    """Why there can't be such networks here."""


def started(pid):
    """When a process began, in the kernel's ticks; None when there is none: a pid alone may be somebody else's."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        return None


def call(name, *arguments):
    if LIBC[name](*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def elsewhere(enter, what, *words, **how):
    """The value of what(*words, **how), called by a thread that enter() has taken elsewhere: the processes and sockets
    it makes are there too."""
    outcome = {}

    def body():
        try:
            enter()
            outcome["value"] = what(*words, **how)
        except BaseException as error:  # of the thread: raised again by whoever waits for it
            outcome["error"] = error

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def must(argv, input=None):
    done = subprocess.run(argv, input=input, capture_output=True, text=True, env={"PATH": PATH})
    if done.returncode != 0:
        raise AssertionError(f"{argv} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


class NetLab:
    """The networks, up and with all routes when it is made. `routing`: Bird or Frr, for the provider's router."""

    def __init__(self, folder, routing):
        self.dir = folder
        self._stack = contextlib.ExitStack()
        self._mark = f"oob-{os.getpid()}-{started(os.getpid())}-"
        try:
            self._check(routing)
            remove_stale()
            self._stack.callback(remove, self._mark)
            self._make()
            self.routers = {name: Bird(self, name, member(name)) for name in MEMBERS}
            self.routers["exchange"] = Bird(self, "exchange", route_server())
            self.provider = self.routers["provider"] = routing(self, "provider", routing.member("provider"))
            for router in self.routers.values():
                self._stack.callback(router.kill)
                router.start()
            until("all sessions of the exchange are up", lambda: self.routers["exchange"].up() == 7, pause=0.1)
            until("the provider has its routes", self.provider.is_up, pause=0.1)
            until("the operator's way to the board is known",
                  lambda: has_routes(self, "transit", LAN, LAN6, OOB, OOB6, CARRIER), pause=0.1)
        except BaseException:
            self.close()
            raise

    def _check(self, routing):
        if os.geteuid() != 0:
            raise Missing("needs root")
        for tool in ("ip", "nft", "sysctl", "bird", "birdc", *routing.TOOLS):
            if not shutil.which(tool, path=PATH):
                raise Missing(f"no {tool} here")
        trial = self._mark + "trial"
        try:
            must(["ip", "netns", "add", trial])
            for command in (["ip", "link", "add", "type", "veth"], ["ip", "link", "add", "type", "bridge"],
                            ["nft", "add", "table", "inet", "trial"], ["sysctl", "-w", "net.ipv4.ip_forward=1"]):
                self.run("trial", *command)
        except (AssertionError, OSError) as error:
            raise Missing(f"no such networks here: {error}") from None
        finally:
            remove(trial)

    def close(self):
        self._stack.close()

    # --- in the networks ---------------------------------------------------------------------------------------------

    def name(self, where):
        return self._mark + where

    def inside(self, where, what, *words, resolver=None, **how):
        """what(*words, **how) in a namespace. `resolver`: a file that is /etc/resolv.conf there."""
        def enter():
            with open("/run/netns/" + self.name(where)) as file:
                call("setns", file.fileno(), CLONE_NEWNET)
            if resolver:
                call("unshare", CLONE_NEWNS)
                call("mount", None, b"/", None, MS_REC | MS_PRIVATE, None)
                call("mount", resolver.encode(), os.path.realpath("/etc/resolv.conf").encode(), None, MS_BIND, None)
        return elsewhere(enter, what, *words, **how)

    def run(self, where, *argv, input=None):
        """The output of a command in a namespace; fails with it."""
        return self.inside(where, must, argv, input)

    def ip(self, where, *lines):
        must(["ip", "-n", self.name(where), "-batch", "-"], "\n".join(lines) + "\n")

    def nft(self, where, text):
        self.run(where, "nft", "-f", "-", input=text)

    def sysctl(self, where, *settings):
        self.run(where, "sysctl", "-q", "-w", *settings)

    def swallow(self, where, interface, only=""):
        """What comes to a namespace by one interface ends there, without a word. Returns what mends it."""
        self.nft(where, f"""table inet swallow {{
  chain prerouting {{
    type filter hook prerouting priority -300
    iifname {interface} {only} drop
  }}
}}
""")
        return lambda: self.nft(where, "delete table inet swallow\n")

    def hears(self, where, address, port, patience=0.5):
        """The first words of whoever listens there, an SSH version for example; empty when there are none."""
        def dial():
            with contextlib.suppress(OSError), socket.create_connection((address, port), patience) as peer:
                return peer.recv(100)
            return b""
        return self.inside(where, dial)

    # --- how they are made -------------------------------------------------------------------------------------------

    def _wire(self, one, name, other, peer):
        """A cable: the interface `name` of namespace `one`, and `peer` of `other`."""
        must(["ip", "link", "add", "name", name, "netns", self.name(one), "type", "veth", "peer", "name", peer, "netns",
              self.name(other)])

    def _addresses(self, where, interface, *addresses):
        self.ip(where, f"link set dev {interface} up",
                *(f"addr add {one} dev {interface}" + (" nodad" if ":" in one else "") for one in addresses))

    def _make(self):
        for where in NAMESPACES:
            must(["ip", "netns", "add", self.name(where)])
            self.ip(where, "link set lo up")
            self.sysctl(where, "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.accept_dad=0",
                        "net.ipv6.conf.default.accept_ra=0", "net.ipv6.conf.default.keep_addr_on_down=1",
                        "net.ipv4.conf.all.rp_filter=2")
        for where in MEMBERS:
            self.sysctl(where, "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

        self.ip("exchange", "link add ix type bridge")
        self._addresses("exchange", "ix", "10.255.0.1/24", "2001:db8:ff::1/64")
        for where, (_, host, _) in MEMBERS.items():
            self._wire("exchange", where, where, "ix0")
            self.ip("exchange", f"link set dev {where} master ix", f"link set dev {where} up")
            self._addresses(where, "ix0", f"10.255.0.{host}/24", f"2001:db8:ff::{host}/64")

        self._wire("operator", "net0", "transit", "operator")
        self._addresses("transit", "operator", "203.0.113.1/25", "2001:db8:1::1/64")
        self._addresses("operator", "net0", OPERATOR + "/25", OPERATOR6 + "/64")
        self.ip("operator", "route add default via 203.0.113.1", "route add default via 2001:db8:1::1")
        self._wire("bastion", "net0", "transit", "bastion")
        self._addresses("transit", "bastion", "203.0.113.129/25", "2001:db8:1:b::1/64")
        self._addresses("bastion", "net0", BASTION + "/25", BASTION6 + "/64")
        self.ip("bastion", "route add default via 203.0.113.129", "route add default via 2001:db8:1:b::1")

        self._wire("board", "lan0", "provider", "lan")
        self._addresses("provider", "lan", "192.0.2.1/24", "2001:db8:2::1/64")
        self._addresses("board", "lan0", LAN + "/24", LAN6 + "/64")
        self._wire("board", "oob0", "other", "customer")
        self._addresses("other", "customer", "198.51.100.1/25", "2001:db8:3::1/64")
        self._addresses("board", "oob0", OOB + "/25", OOB6 + "/64")
        self.ip("board", "route add default via 192.0.2.1 dev lan0",
                "route add default via 2001:db8:2::1 dev lan0 metric 100")
        self.oob_routes("add")
        self.dial_up()
        # The carrier's customers share one public address; what nobody of them asked for is dropped.
        self.ip("carrier", f"addr add {CARRIER}/32 dev lo")
        self.nft("carrier", f"""table ip nat {{
  chain post {{
    type nat hook postrouting priority srcnat
    oifname ix0 ip saddr 100.64.0.0/10 snat to {CARRIER}
  }}
}}
table ip door {{
  chain forward {{
    type filter hook forward priority filter; policy drop
    iifname lte accept
    ct state established,related accept
  }}
}}
""")

    def oob_routes(self, do):
        """Adds or deletes the board's default routes by oob0, which are worse than those by lan0."""
        self.ip("board", f"route {do} default via 198.51.100.1 dev oob0 metric 1000",
                f"route {do} default via 2001:db8:3::1 dev oob0 metric 1000")

    def dial_up(self, address=LTE):
        """The modem of lte0 gets its connection: a new interface."""
        self._wire("board", "lte0", "carrier", "lte")
        self._addresses("carrier", "lte", "100.64.0.1/24")
        self._addresses("board", "lte0", address + "/24")
        self.ip("board", "route add default via 100.64.0.1 dev lte0 metric 2000")

    def hang_up(self):
        """... and loses it."""
        self.ip("board", "link del lte0")


class Bird:
    """A router's BIRD 2."""

    TOOLS = ()

    def __init__(self, lab, where, config):
        self.lab, self.where = lab, where
        self.config = os.path.join(lab.dir, where + ".conf")
        self.socket = os.path.join(lab.dir, where + ".ctl")
        self.process = None
        with open(self.config, "w") as file:
            file.write(config)

    def start(self):
        if not self.process:
            self.process = spawn(self.lab, self.where, "bird", "-f", "-c", self.config, "-s", self.socket)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    kill_bgp = kill

    def ask(self, *words):
        done = subprocess.run(["birdc", "-s", self.socket, *words], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    def up(self):
        """How many sessions are."""
        return len(re.findall(r"^\S+ +BGP .* Established", self.ask("show", "protocols"), re.MULTILINE))

    def is_up(self):
        """As the provider's router: both sessions, and the operator's routes by them in the kernel."""
        return self.up() == 2 and has_routes(self.lab, self.where, OPERATOR, OPERATOR6)

    def shut(self):
        self.ask("disable", '"rs*"')

    def open(self):
        self.ask("enable", '"rs*"')

    def withdraw(self):
        self.ask("disable", '"own*"')

    def announce(self):
        self.ask("enable", '"own*"')

    def watch(self):
        """What [watch.NAME] says of the first of its sessions."""
        return {"daemon": "bird", "neighbour": "rs4", "command": f"birdc -s {self.socket} show protocols all rs4"}

    @staticmethod
    def member(name):
        return member(name)


def spawn(lab, where, *argv):
    """A daemon in a namespace, as a child of this process; in a session of its own, with nobody to talk to."""
    return lab.inside(where, subprocess.Popen, argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL, env={"PATH": PATH, "HOME": lab.dir}, start_new_session=True)


def has_routes(lab, where, *addresses):
    """Whether a router's kernel has a route for each."""
    return all(lab.run(where, "ip", "-6" if ":" in one else "-4", "route", "show", "match", one).strip()
               for one in addresses)


# Quick to begin again after a failure, or the tests would wait for their patience.
SESSION = "hold time 6; keepalive time 2; connect delay time 1; connect retry time 1; error wait time 1, 1; " \
          "error forget time 1;"


def member(name):
    """BIRD's configuration for somebody at the exchange."""
    number, host, prefixes = MEMBERS[name]
    text = f"router id 10.255.0.{host};\nprotocol device {{ scan time 1; }}\n"
    for family, local, server in (("4", f"10.255.0.{host}", "10.255.0.1"),
                                  ("6", f"2001:db8:ff::{host}", "2001:db8:ff::1")):
        own = [one for one in prefixes if (":" in one) == (family == "6")]
        if own:
            text += (f"protocol kernel {{ ipv{family} {{ import none; export where source = RTS_BGP; }}; }}\n"
                     f"protocol static own{family} {{ ipv{family}; " +
                     " ".join(f"route {one} blackhole;" for one in own) + " }\n"
                     f"protocol bgp rs{family} {{ local {local} as {number}; neighbor {server} as 65000; {SESSION}\n"
                     f"  ipv{family} {{ import all; export where source = RTS_STATIC; }}; }}\n")
    return text


def route_server():
    text = "router id 10.255.0.1;\nprotocol device { }\n"
    for name, (number, host, prefixes) in MEMBERS.items():
        for family, local, peer in (("4", "10.255.0.1", f"10.255.0.{host}"),
                                    ("6", "2001:db8:ff::1", f"2001:db8:ff::{host}")):
            if any((":" in one) == (family == "6") for one in prefixes):
                text += (f"protocol bgp {name}{family} {{ local {local} as 65000; neighbor {peer} as {number}; "
                         f"rs client; passive; {SESSION}\n  ipv{family} {{ import all; export all; }}; }}\n")
    return text


class Frr:
    """The provider's router by FRR: zebra and bgpd, each a child of this process."""

    TOOLS = ("vtysh", "/usr/lib/frr/zebra", "/usr/lib/frr/bgpd")

    def __init__(self, lab, where, config):
        self.lab, self.where = lab, where
        self.dir = os.path.join(lab.dir, "frr-" + where)
        os.makedirs(self.dir, exist_ok=True)
        self.processes = {}
        for name, text in (("zebra", ""), ("bgpd", config)):
            with open(os.path.join(self.dir, name + ".conf"), "w") as file:
                file.write(text)
        # They give up root for a user of their own, who has to get there.
        shutil.chown(self.dir, "frr", "frrvty")
        os.chmod(lab.dir, 0o711)

    def _begin(self, name):
        if name not in self.processes:
            self.processes[name] = spawn(self.lab, self.where, "/usr/lib/frr/" + name, "-f", f"{self.dir}/{name}.conf",
                                         "-i", f"{self.dir}/{name}.pid", "-z", f"{self.dir}/zserv.api", "--vty_socket",
                                         self.dir, "-P", "0", "--limit-fds", "256")

    def start(self):
        self._begin("zebra")
        until("zebra listens", lambda: os.path.exists(f"{self.dir}/zserv.api"))
        self._begin("bgpd")

    def kill(self):
        for name in ("bgpd", "zebra"):
            self._end(name)

    def kill_bgp(self):
        self._end("bgpd")

    def _end(self, name):
        process = self.processes.pop(name, None)
        if process:
            process.kill()
            process.wait()

    def ask(self, *lines):
        words = [word for line in lines for word in ("-c", line)]
        done = subprocess.run(["vtysh", "--vty_socket", self.dir, *words], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    def up(self):
        return self.ask("show bgp summary json").count('"Established"')

    def is_up(self):
        return self.up() == 2 and has_routes(self.lab, self.where, OPERATOR, OPERATOR6)

    def _tell(self, *lines):
        self.ask("configure terminal", "router bgp 65002", *lines)

    def shut(self):
        self._tell("neighbor 10.255.0.1 shutdown", "neighbor 2001:db8:ff::1 shutdown")

    def open(self):
        self._tell("no neighbor 10.255.0.1 shutdown", "no neighbor 2001:db8:ff::1 shutdown")

    def withdraw(self, no="no "):
        own, own6 = MEMBERS[self.where][2]
        self._tell("address-family ipv4 unicast", f"{no}network {own}", "exit-address-family",
                   "address-family ipv6 unicast", f"{no}network {own6}", "exit-address-family")

    def announce(self):
        self.withdraw(no="")

    def watch(self):
        command = f"vtysh --vty_socket {self.dir} -c 'show bgp neighbors 10.255.0.1 json'"
        return {"daemon": "frr", "neighbour": "10.255.0.1", "command": command}

    @staticmethod
    def member(name):
        number, host, prefixes = MEMBERS[name]
        return f"""router bgp {number}
 bgp router-id 10.255.0.{host}
 no bgp ebgp-requires-policy
 no bgp network import-check
 timers bgp 2 6
 neighbor 10.255.0.1 remote-as 65000
 neighbor 10.255.0.1 timers connect 1
 neighbor 10.255.0.1 advertisement-interval 0
 neighbor 2001:db8:ff::1 remote-as 65000
 neighbor 2001:db8:ff::1 timers connect 1
 neighbor 2001:db8:ff::1 advertisement-interval 0
 address-family ipv4 unicast
  network {prefixes[0]}
  no neighbor 2001:db8:ff::1 activate
 exit-address-family
 address-family ipv6 unicast
  network {prefixes[1]}
  neighbor 2001:db8:ff::1 activate
 exit-address-family
"""


def remove(prefix):
    """Ends what runs in the namespaces of that name, and takes them away."""
    names = [one for one in must(["ip", "netns", "list"]).split() if one.startswith(prefix)]
    for name in names:
        for pid in must(["ip", "netns", "pids", name]).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    for name in names:
        subprocess.run(["ip", "netns", "del", name], check=False)  # another run may have taken it just now


def remove_stale():
    """What runs that were killed have left."""
    for name in os.listdir("/run/netns"):
        whose = re.fullmatch(r"(oob-(\d+)-(\d+)-)\w+", name)
        if whose and started(whose[2]) != whose[3]:
            remove(whose[1])
