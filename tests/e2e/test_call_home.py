"""People come back by a bastion, Debian's sshd, set up as docs/callhome.md says."""

import contextlib
import getpass
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

import pytest

from harness import until

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "docs", "callhome.md")
BACK = 5.0  # seconds: what is promised
BANNER = b"SSH-2.0-"
HERE = "127.77.5.1"  # where bastions are: nobody else takes their ports while they are dead

OPENER = """import socket, sys
one = socket.socket(socket.AF_UNIX)
one.connect(sys.argv[1])
socket.send_fds(socket.socket(fileno=1), [b"\\0"], [one.fileno()])
"""


def match_block(user, path):
    """The bastion's configuration as it is documented, for this user and this socket."""
    with open(DOCS) as file:
        block = re.search(r"```sshd_config\n(.*?)```", file.read(), re.S).group(1)
    assert "Match User oob-board1" in block and "/run/oob/board1/ssh.sock" in block
    return block.replace("oob-board1", user).replace("/run/oob/board1/ssh.sock", path)


class Bastion:
    """sshd on a port of its own, in the network namespace `space` if there is one; a board's user is whoever runs the
    tests."""

    def __init__(self, lab, name, port, address=HERE, space=None):
        if not os.path.exists("/usr/sbin/sshd") or (os.geteuid() == 0 and not os.path.isdir("/run/sshd")):
            pytest.skip("no sshd, or no /run/sshd for it")
        self.folder = lab.path(name)
        os.makedirs(self.folder, exist_ok=True)
        self.lab, self.address, self.port = lab, address, port
        self.socket = os.path.join(self.folder, "ssh.sock")
        self.key = lab.key("callhome")
        self.host_key = " ".join(lab.public("bastion").split()[:2])
        self.enter = ["ip", "netns", "exec", space] if space else []
        self.process = None
        self.opener = os.path.join(self.folder, "opener.py")
        with open(self.opener, "w") as file:
            file.write(OPENER)
        self.configure(match_block(getpass.getuser(), self.socket))

    def configure(self, block):
        with open(os.path.join(self.folder, "sshd_config"), "w") as file:
            file.write(f"HostKey {self.lab.key('bastion')}\nAuthorizedKeysFile {self.key}.pub\nStrictModes no\nUsePAM no\n"
                       f"PidFile none\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n{block}")

    def start(self):
        self.process = subprocess.Popen(
            self.enter + ["/usr/sbin/sshd", "-D", "-e", "-p", str(self.port), "-o", f"ListenAddress={self.address}",
                          "-f", os.path.join(self.folder, "sshd_config")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("sshd listens", self._listens)  # or the first call of a board would be in vain
        return self

    def _listens(self):
        where = f"{int.from_bytes(socket.inet_aton(self.address), sys.byteorder):08X}:{self.port:04X}"
        with open(f"/proc/{self.process.pid}/net/tcp") as file:  # of its namespace
            return any(line.split()[1] == where and line.split()[3] == "0A" for line in file)

    def descendants(self):
        parents = {}
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as file:
                parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
        found, fresh = set(), {self.process.pid}
        while fresh:
            fresh = {pid for pid, parent in parents.items() if parent in fresh} - found
            found |= fresh
        return found

    def kill(self):
        """The host loses power: sshd and all its sessions are gone at once."""
        if not self.process:
            return
        for pid in self.descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.process = None

    close = kill

    def table(self, name, host_key=None):
        return (f'\n[callhome.{name}]\nbastion = "{self.address}:{self.port}"\nuser = "{getpass.getuser()}"\n'
                f'key_file = "{self.key}"\nhost_key = "{host_key or self.host_key}"\nsocket = "{self.socket}"\n')

    def login(self, daemon, *words, timeout=30):
        """A person with the stock ssh, on the bastion; what opens the socket does as `nc -FU` of netcat-openbsd."""
        proxy = f"ProxyCommand=/usr/bin/python3 {self.opener} {self.socket}"
        return daemon.ssh(*words, options=(proxy, "ProxyUseFdpass=yes"), timeout=timeout)


def free_port():
    with socket.socket() as one:
        one.bind((HERE, 0))
        return one.getsockname()[1]


def bastion(lab, name="bastion", **how):
    return lab.keep(Bastion(lab, name, free_port(), **how)).start()


def daemon_with(lab, *tables, name="d"):
    return lab.daemon({}, server="".join(tables), name=name)


def state_of(daemon, name):
    return {one["callhome"]: one for one in daemon.status()["callhomes"]}[name]


def wait_up(daemon, name="fra", up=True):
    until(f"{name} is {'up' if up else 'down'}", lambda: state_of(daemon, name)["up"] == up)


@pytest.fixture
def status(monkeypatch):
    """Daemon.status(): what `status --json` says."""
    import json

    import harness

    def status(daemon):
        done = daemon.ctl("status", "--json")
        assert done.status == 0, done
        return json.loads(done.out)
    monkeypatch.setattr(harness.Daemon, "status", status, raising=False)


pytestmark = pytest.mark.usefixtures("status")


def back_in_time(attempt):
    """How long the first of three attempts took that was in time: other tests may have the machine meanwhile."""
    took = []
    while len(took) < 3 and (not took or took[-1] >= BACK):
        took.append(attempt())
    assert took[-1] < BACK, took
    return took[-1]


def test_people_come_in_by_the_bastion_and_again_after_it_was_killed(lab):
    one = bastion(lab)
    daemon = daemon_with(lab, '[uplink.near]\ninterface = "lo"\n', one.table("fra"))
    wait_up(daemon)
    assert state_of(daemon, "fra")["interface"] == ""  # an address of the board's own, to which no uplink leads
    done = one.login(daemon, "who", "--json")
    assert done.status == 0 and '"from":"call-home' in done.out, done
    assert "fra: up for" in daemon.ctl("status").out and 'oobd_callhome_up{callhome="fra"} 1' in daemon.ctl("metrics").out

    def kill_and_start():
        one.kill()
        wait_up(daemon, up=False)
        one.start()
        begin = time.monotonic()
        wait_up(daemon)
        return time.monotonic() - begin

    print(f"back {back_in_time(kill_and_start):.1f} s after the bastion")
    assert one.login(daemon, "list").status == 0
    until("it is written down", lambda: len(daemon.journal("callhome.up")) == len(daemon.journal("callhome.down")) + 1 >= 2)
    ups = daemon.journal("callhome.up")
    assert ups[0]["callhome"] == "fra" and ups[0]["bastion"] == f"{HERE}:{one.port}", ups


def test_the_board_may_open_its_own_socket_there_and_nothing_else(lab):
    one = bastion(lab)
    daemon = daemon_with(lab, one.table("fra"))
    wait_up(daemon)
    options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ExitOnForwardFailure=yes",
               "LogLevel=INFO"]

    def argv(*words, command=()):
        return (["ssh", "-F", "/dev/null"] + [word for each in options for word in ("-o", each)] +
                ["-p", str(one.port), "-i", one.key, *words, HERE, *command])

    def board(*words, **how):
        done = subprocess.run(argv(*words, **how), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    # The same words get through to what is allowed, so that the refusals are the bastion's.
    local = lab.path("local.sock")
    allowed = subprocess.Popen(argv("-N", "-L", f"{local}:{one.socket}"), stdin=subprocess.DEVNULL)
    try:
        until("its own socket is opened", lambda: banner(local))
    finally:
        allowed.kill()
        allowed.wait()
    status, out, err = board("-W", f"{HERE}:{one.port}")
    assert status != 0 and out == "" and "administratively prohibited" in err, (status, out, err)
    status, out, err = board("-N", "-R", "0:127.0.0.1:1")
    assert status != 0 and "remote port forwarding failed" in err, (status, out, err)
    status, out, err = board(command=("id",))
    assert status == 1 and "not available" in out and "uid=" not in out, (status, out, err)


def test_people_who_are_slow_at_their_login_do_not_cut_it(lab):
    one = bastion(lab)
    daemon = daemon_with(lab, one.table("fra"))
    key = lab.path("slow")
    shutil.copy(lab.key("alice"), key)
    shutil.copy(lab.key("alice") + ".pub", key + ".pub")
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "a passphrase", "-f", key], check=True)
    wait_up(daemon)
    proxy = f"ProxyCommand=/usr/bin/python3 {one.opener} {one.socket}"
    for _ in range(4):
        screen = daemon.screen("who", key=key, options=(proxy, "ProxyUseFdpass=yes", "BatchMode=no"))
        screen.expect("Enter passphrase")
    begin = time.monotonic()
    # Longer than two looks, with what they may take, need.
    until("some looks are over", lambda: time.monotonic() - begin > 16, 20)
    assert not daemon.journal("callhome.down")
    assert one.login(daemon, "list").status == 0
    assert len(daemon.journal("callhome.up")) == 1


def errand_runner(daemon):
    """The process that runs ssh: a child of one that keeps it, which is a child of the daemon."""
    def children(parent):
        with contextlib.suppress(OSError), open(f"/proc/{parent}/task/{parent}/children") as file:
            return [int(pid) for pid in file.read().split()]
        return []

    def words(pid):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")
        return []
    keepers = [pid for pid in children(daemon.process.pid) if b"errands" in words(pid)]
    runner, = children(keepers[0])
    assert b"errands" in words(runner), "that is a program which was run"
    return runner, children


def test_it_is_back_after_what_runs_ssh_was_killed_or_hangs(lab):
    one = bastion(lab)
    daemon = daemon_with(lab, one.table("fra"))
    wait_up(daemon)

    def kill():
        runner, children = errand_runner(daemon)
        left = children(runner)
        since = state_of(daemon, "fra")["since"]
        os.kill(runner, signal.SIGKILL)
        begin = time.monotonic()
        # Not by way of seeing it down, which may be too short for that.
        until("it is up anew", lambda: (now := state_of(daemon, "fra"))["up"] and now["since"] != since)
        took = time.monotonic() - begin
        until("nothing is left of it", lambda: not any(os.path.exists(f"/proc/{pid}") for pid in left))
        return took

    back_in_time(kill)
    runner, _ = errand_runner(daemon)
    os.kill(runner, signal.SIGSTOP)
    one.kill()
    wait_up(daemon, up=False)
    one.start()
    until("it is up again", lambda: state_of(daemon, "fra")["up"], 90)  # once it is noticed that it hangs
    assert one.login(daemon, "list").status == 0
    assert daemon.status()["programs_trouble"] == ""
    runner, _ = errand_runner(daemon)
    with open(f"/proc/{runner}/stat") as file:
        keeper = int(file.read().rpartition(")")[2].split()[1])
    os.kill(keeper, signal.SIGKILL)
    os.kill(runner, signal.SIGKILL)
    until("status says so", lambda: "programs     NOT RUN: " in daemon.ctl("status").out)
    assert "until oobd is started again" in daemon.status()["programs_trouble"]


def test_what_is_wrong_is_told_with_its_cure(lab):
    one, two = bastion(lab), bastion(lab, "bastion2")
    three = bastion(lab, "bastion3")
    three.kill()
    three.configure("")  # whatever is left over keeps its path
    with open(three.socket, "w"):
        pass
    three.start()
    other = " ".join(lab.public("other").split()[:2])
    daemon = daemon_with(lab, one.table("good"), two.table("key", host_key=other), three.table("path"))
    wait_up(daemon, "good")
    until("the host key is told", lambda: "another key than host_key" in state_of(daemon, "key").get("why", ""))
    until("the socket is told", lambda: "StreamLocalBindUnlink yes" in state_of(daemon, "path").get("why", ""))
    assert not os.path.exists(two.socket)
    assert state_of(daemon, "good")["up"]  # none disturbs another
    text = daemon.ctl("status").out
    assert re.search(r"key: DOWN for .*ssh-keyscan", text), text


def test_a_board_that_takes_anothers_socket_is_noticed(lab):
    one = bastion(lab)
    first = daemon_with(lab, one.table("fra"))
    wait_up(first)
    second = daemon_with(lab, one.table("fra"), name="e")
    wait_up(second)
    until("it is told", lambda: re.search(r"another board \(SHA256:.*a path of its own",
                                          state_of(first, "fra").get("why") or "", re.DOTALL))


def test_a_reload_adds_changes_and_removes_them(lab):
    one, two = bastion(lab), bastion(lab, "bastion2")
    daemon = daemon_with(lab, one.table("fra"))
    wait_up(daemon)
    daemon.server = one.table("fra") + two.table("ams")
    daemon.write_config()
    daemon.reload()
    until("there are two", lambda: len(daemon.status()["callhomes"]) == 2)
    wait_up(daemon, "ams")
    assert len(daemon.journalled("callhome.up", 2)) == 2  # fra was left alone
    # Who is in by it stays, and people still come by it, also where the changed one does not work.
    proxy = f"ProxyCommand=/usr/bin/python3 {one.opener} {one.socket}"
    screen = daemon.screen(options=(proxy, "ProxyUseFdpass=yes"))
    screen.expect("oobd>")
    daemon.server = one.table("fra", host_key=" ".join(lab.public("other").split()[:2])) + two.table("ams")
    daemon.write_config()
    done = daemon.ctl("reload")
    assert "[callhome.fra] has changed: the old connection stays" in done.out + done.err, done
    until("the new one is refused", lambda: "another key than host_key" in state_of(daemon, "fra").get("why", ""))
    assert one.login(daemon, "list").status == 0
    daemon.server = one.table("fra") + two.table("ams")
    daemon.write_config()
    daemon.reload()
    wait_up(daemon)
    screen.type("who\r")
    screen.expect("alice")
    daemon.server = two.table("ams")
    daemon.write_config()
    daemon.reload()
    until("there is one", lambda: [each["callhome"] for each in daemon.status()["callhomes"]] == ["ams"])
    until("its ssh has gone", lambda: one.login(daemon, "list").status != 0)
    assert two.login(daemon, "list").status == 0


# --- a carrier between the board and the bastion ---------------------------------------------------------------------


class Carrier:
    """A wire to a network namespace where the bastion is; it can be made to forget the flows there are."""

    def __init__(self):
        self.space, self.near = f"oobch{os.getpid()}", f"oc{os.getpid()}"
        net = f"198.18.{os.getpid() % 251}"
        self.here, self.there = f"{net}.1", f"{net}.2"
        for line in (f"netns add {self.space}", f"link add {self.near} type veth peer name far netns {self.space}",
                     f"addr add {self.here}/30 dev {self.near}", f"link set {self.near} up",
                     f"-n {self.space} addr add {self.there}/30 dev far", f"-n {self.space} link set far up",
                     f"-n {self.space} link set lo up"):
            done = subprocess.run(["ip", *line.split()], capture_output=True, text=True)
            if done.returncode != 0:
                self.close()
                pytest.skip(f"no network namespace may be made here: {done.stderr}")

    def nft(self, text):
        subprocess.run(["ip", "netns", "exec", self.space, "nft", "-f", "-"], input=text, text=True, check=True)

    def forget(self):
        """The flows that exist are dropped for good, without a word to anybody; new ones get through."""
        shown = subprocess.run(["ip", "netns", "exec", self.space, "ss", "-Htn", "state", "established"],
                               capture_output=True, text=True, check=True).stdout
        ports = sorted({line.split()[3].rpartition(":")[2] for line in shown.splitlines()})
        assert ports, shown
        self.nft("table inet forget {\n" + "".join(
            f"chain {hook} {{ type filter hook {hook} priority filter; tcp {way} {{ {', '.join(ports)} }} drop; }}\n"
            for hook, way in (("input", "sport"), ("output", "dport"))) + "}\n")

    def cut(self):
        subprocess.run(["ip", "-n", self.space, "link", "set", "far", "down"], check=True)

    def mend(self):
        subprocess.run(["ip", "-n", self.space, "link", "set", "far", "up"], check=True)

    def close(self):
        subprocess.run(["ip", "link", "del", self.near], capture_output=True)
        subprocess.run(["ip", "netns", "del", self.space], capture_output=True)


@pytest.fixture
def carrier(lab):
    if os.geteuid() != 0 or not shutil.which("nft"):
        pytest.skip("needs root and nftables")
    return lab.keep(Carrier())


class Redialler:
    """Somebody who opens the bastion's socket again and again, and gives up each time."""

    def __init__(self, path):
        self._path, self._over = path, threading.Event()
        self._thread = threading.Thread(target=self._dial, daemon=True)
        self._thread.start()

    def _dial(self):
        over = False
        while not over:
            with socket.socket(socket.AF_UNIX) as one:
                with contextlib.suppress(OSError):
                    one.settimeout(0.2)
                    one.connect(self._path)
                    one.sendall(b"SSH-2.0-somebody\r\n")
                over = self._over.wait(0.7)

    def close(self):
        self._over.set()
        self._thread.join()


def banner(path, patience=0.5):
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as one:
        one.settimeout(patience)
        one.connect(path)
        return one.recv(64).startswith(BANNER)
    return False


def until_back(path, since):
    until("the bastion's socket leads to the board", lambda: banner(path))
    return time.monotonic() - since


def test_a_forgotten_flow_is_back_within_seconds_while_somebody_dials(lab, carrier):
    one = lab.keep(Bastion(lab, "bastion", 22, address=carrier.there, space=carrier.space)).start()
    daemon = daemon_with(lab, f'[uplink.lte]\ninterface = "{carrier.near}"\n', one.table("fra"))
    wait_up(daemon)
    assert state_of(daemon, "fra")["interface"] == carrier.near
    lab.keep(Redialler(one.socket))

    def forget():
        wait_up(daemon)
        carrier.forget()
        begin = time.monotonic()
        assert not banner(one.socket), "the flow is there: nothing was tested"
        return until_back(one.socket, begin)

    def cut_and_mend():
        wait_up(daemon)
        carrier.cut()
        wait_up(daemon, up=False)
        carrier.mend()
        return until_back(one.socket, time.monotonic())

    forgotten = back_in_time(forget)
    assert one.login(daemon, "list").status == 0
    cut = back_in_time(cut_and_mend)
    print(f"back {forgotten:.1f} s after the flow was forgotten, {cut:.1f} s after the path returned")
    assert one.login(daemon, "list").status == 0


def test_lost_packets_end_nobodys_session(lab, carrier):
    one = lab.keep(Bastion(lab, "bastion", 22, address=carrier.there, space=carrier.space)).start()
    daemon = daemon_with(lab, f'[uplink.lte]\ninterface = "{carrier.near}"\n', one.table("fra"))
    wait_up(daemon)
    carrier.nft("table inet loss {\n" + "".join(
        f"chain {hook} {{ type filter hook {hook} priority filter; numgen random mod 100 < 5 drop; }}\n"
        for hook in ("input", "output")) + "}\n")
    proxy = f"ProxyCommand=/usr/bin/python3 {one.opener} {one.socket}"
    screen = daemon.screen(options=(proxy, "ProxyUseFdpass=yes"))
    screen.expect("oobd>")
    begin = time.monotonic()
    while time.monotonic() - begin < 60:
        time.sleep(1)  # what is waited for is that nothing happens
        assert state_of(daemon, "fra")["up"]
    assert not daemon.journal("callhome.down")
    screen.type("who\r")
    screen.expect("alice")
