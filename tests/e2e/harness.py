"""A daemon of one's own for a test: its folder, its people's keys, its gear and its clients, all ended with the test."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

import pytest

import clients
from gear import PATIENCE, BlackHole, ConsoleServer, Gear, SocketGear, Talker, in_time, until

OOBD = os.environ.get("OOBD", "oobd")
EVERYTHING = ["watch", "write", "power", "snapshot", "forward", "audit", "admin"]


def clean_environment(home):
    """No agent, no configuration and no locale of whoever runs the tests."""
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home),
            "TERM": "xterm", "LC_ALL": "C.UTF-8"}


def toml(value):
    """A TOML value; texts that begin with { are inline tables written out already."""
    if isinstance(value, str):
        return value if value.startswith("{") else json.dumps(value)
    return json.dumps(value)


def processes_of(session):
    """The pids of a session (setsid), zombies left out."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] not in "ZX":
                    found.append(int(name))
    return sorted(found)


def resident(pid):
    """Bytes of memory that a process has resident."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Lab:
    """A folder (short: Unix sockets lie in it) with keys, gear and at most a few daemons."""

    def __init__(self):
        self._stack = contextlib.ExitStack()
        self.dir = tempfile.mkdtemp(prefix="oob-", dir="/tmp")
        self._stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
        self.daemons = []
        self.environment = clean_environment(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def path(self, name):
        return os.path.join(self.dir, name)

    def keep(self, thing):
        """`thing` is closed when the test is over, before whatever was made earlier."""
        self._stack.callback(thing.close)
        return thing

    def key(self, name, kind="ed25519", bits=None):
        """The path of a private key made by ssh-keygen; the same one for the same name."""
        path = self.path("id_" + name)
        if not os.path.exists(path):
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", path] +
                           (["-b", str(bits)] if bits else []), check=True, stdin=subprocess.DEVNULL)
        return path

    def public(self, name, **how):
        with open(self.key(name, **how) + ".pub") as file:
            return file.read()

    def gear(self, name="edge1", rate=None):
        return self.keep(Gear(self.path(name), rate))

    def console_server(self, options=""):
        return self.keep(ConsoleServer(options))

    def unix_gear(self, name):
        return self.keep(SocketGear(self.path(name)))

    def tcp_gear(self):
        return self.keep(SocketGear())

    def black_hole(self):
        return self.keep(BlackHole())

    def small_disk(self, name, size="1m"):
        """A folder that is a file system of so many bytes; only root can make one."""
        if os.geteuid() != 0:
            pytest.skip("needs root")
        path = self.path(name)
        os.makedirs(path)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", path],
                              capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"no file system may be mounted here: {done.stderr}")
        self._stack.callback(subprocess.run, ["umount", "-l", path], check=True)
        return path

    def daemon(self, devices, **how):
        """A daemon that serves: `devices` maps names to gear, or to a line as written in the configuration."""
        return self.keep(Daemon(self, devices, **how)).start()

    def one(self, **how):
        """The commonest: a gear `edge1`, and a daemon with it once its line is up."""
        gear = self.gear("edge1")
        daemon = self.daemon({"edge1": gear}, **how)
        daemon.wait_up("edge1")
        return daemon, gear


class BehindBmc:
    """A device at a BMC of tests/lab: its power, and its SOL unless `line` is something else. `keys`: more lines of
    the device."""

    def __init__(self, lab, name, bmc, line=None, keys="", **bmc_keys):
        self.line = line or f'{{ sol = "{name}" }}'
        self.keys = f'power = {{ bmc = "{name}" }}\n{keys}'
        self.tables = bmc.configuration(name, lab.dir, **bmc_keys)


class Daemon:
    """`oobd serve` as a child. alice and bob may do everything, carol only watches; change `users` and `roles` before
    write_config()."""

    def __init__(self, lab, devices, users=None, roles=None, listen="127.0.0.1:0", server="", name="d"):
        self.lab = lab
        self.dir = lab.path(name)
        os.makedirs(self.dir, exist_ok=True)
        self.config = os.path.join(self.dir, "oobd.toml")
        self.state = os.path.join(self.dir, "state")
        self.devices = dict(devices)
        self.users = users or {"alice": ["all"], "bob": ["all"], "carol": ["auditor"]}
        self.roles = roles or {"all": (["*"], EVERYTHING), "auditor": (["*"], ["watch", "audit"])}
        self.listen, self.server = listen, server
        self.process = self.port = None
        self.stderr = ""
        for user in self.users:
            self.write_keys(user, lab.public(user))
        self.write_config()

    # --- files -------------------------------------------------------------------------------------------------------

    def keys_file(self, user):
        return os.path.join(self.dir, "keys_" + user)

    def write_keys(self, user, text):
        temporary = self.keys_file(user) + ".new"
        with open(temporary, "w") as file:
            file.write(text)
        os.replace(temporary, self.keys_file(user))

    def config_text(self):
        text = f'[server]\nlisten = ["{self.listen}"]\nstate = "{self.state}"\n{self.server}\n'
        for user, roles in self.users.items():
            text += f'\n[user.{user}]\nkeys = "keys_{user}"\nroles = {json.dumps(roles)}\n'
        for role, (on, may) in self.roles.items():
            text += f"\n[role.{role}]\non = {json.dumps(on)}\nmay = {json.dumps(may)}\n"
        for device, line in self.devices.items():
            text += getattr(line, "tables", "")
            text += f"\n[device.{device}]\nline = {toml(getattr(line, 'line', line))}\n{getattr(line, 'keys', '')}"
        return text

    def write_config(self, text=None):
        with open(self.config, "w") as file:
            file.write(self.config_text() if text is None else text)

    def transcript(self, device):
        """All bytes of a device's transcript, its segments in order."""
        folder = os.path.join(self.state, "transcripts", device)
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        whole = b""
        for name in names:
            if clients.is_segment(name):
                with open(os.path.join(folder, name), "rb") as file:
                    whole += file.read()
        return whole

    def journal(self, event=None):
        """The entries of the audit trail as objects."""
        entries, folder = [], os.path.join(self.state, "journal")
        for base, _, names in sorted(os.walk(folder)):
            for name in sorted(names):
                with open(os.path.join(base, name)) as file:
                    lines = file.read().splitlines(keepends=True)
                entries += [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
        return [entry for entry in entries if event is None or entry["ev"] == event]

    def journalled(self, event, count=1):
        """journal(), as soon as it has so many: most events are written a moment after they were told elsewhere."""
        until(f"{count} of {event} in the journal", lambda: len(self.journal(event)) >= count)
        return self.journal(event)

    # --- life --------------------------------------------------------------------------------------------------------

    def start(self):
        self.process = subprocess.Popen([OOBD, "serve", "-c", self.config], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env=self.lab.environment, start_new_session=True)
        self._begin = len(self.stderr)
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()
        ready = self.wait_said(r"oobd: ready on \S*?:(\d+)\b")
        self.port = int(ready.group(1))
        host_key = subprocess.run(["ssh-keygen", "-y", "-f", os.path.join(self.state, "host_ed25519")],
                                  capture_output=True, text=True, check=True).stdout
        with open(os.path.join(self.dir, "known_hosts"), "w") as file:
            file.write("oob " + host_key)
        return self

    def _read(self, pipe):
        for line in pipe:
            self.stderr += line.decode("utf-8", "replace")
        pipe.close()

    def said(self, pattern):
        """What this run of the daemon wrote to stderr that matches."""
        return re.search(pattern, self.stderr[self._begin:], re.MULTILINE)

    def wait_said(self, pattern):
        until(f"oobd says {pattern!r}", lambda: self.said(pattern) or not self._reader.is_alive())
        found = self.said(pattern)
        assert found, f"oobd ended without {pattern!r}: {self.process.wait()}\n{self.stderr[self._begin:]}"
        return found

    def reload(self):
        os.kill(self.process.pid, signal.SIGHUP)

    def children(self):
        return [pid for pid in processes_of(self.process.pid) if pid != self.process.pid]

    def front(self):
        """The pid of the process that speaks SSH."""
        fronts = self.children()
        assert len(fronts) == 1, f"not one front: {fronts}"
        return fronts[0]

    def kill(self):
        """SIGKILL of the core; whatever it started must go by itself."""
        self.process.kill()
        self.process.wait()
        session = self.process.pid
        self.process = None
        until("the front ends when the core is killed", lambda: not processes_of(session))
        self._reader.join()

    def stop(self, status=0):
        """SIGTERM; asserts the exit status and that nothing is left."""
        session = self.process.pid
        self.process.terminate()
        try:
            got = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            got = self.process.wait()
            got = f"{got}: SIGTERM did not end it"
        self.process = None
        self._reader.join(PATIENCE)
        left = processes_of(session)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert got == status, f"oobd ended with {got}:\n{self.stderr[self._begin:]}"
        assert not left, f"left running: {left}"

    def close(self):
        if self.stderr:
            print(f"--- stderr of {self.config}\n{self.stderr[-8000:]}", file=sys.stderr)
        if self.process:
            self.stop()

    # --- from outside ------------------------------------------------------------------------------------------------

    def oobd(self, *words, input=b"", timeout=60):
        """`oobd WORDS` beside the daemon."""
        return clients.run([OOBD, *words], self.lab.environment, input, timeout)

    def ctl(self, *words, **how):
        return self.oobd("ctl", "-c", self.config, *words, **how)

    def devices_now(self):
        """What `list --json` says, by device."""
        done = self.ctl("list", "--json")
        assert done.status == 0, done
        return {one["device"]: one for one in map(json.loads, done.out.splitlines())}

    def wait_up(self, *names, state="up"):
        until(f"{names} {state}", lambda: all(self.devices_now()[name]["state"] == state for name in names))

    def ssh_argv(self, *words, user="alice", key=None, options=()):
        """Stock OpenSSH without any configuration but this daemon's host key and one user key. A word that holds an
        @ is the destination; else it is oob, where user=… logs in."""
        words = list(words)
        if not any("@" in word or word == "oob" for word in words):
            words.insert(next((at for at, word in enumerate(words) if not word.startswith("-")), len(words)), "oob")
        if not any("@" in word for word in words):
            options = (*options, f"User={user}")
        fixed = ["HostName=127.0.0.1", f"Port={self.port}", "HostKeyAlias=oob", "BatchMode=yes",
                 f"UserKnownHostsFile={self.dir}/known_hosts", "GlobalKnownHostsFile=/dev/null",
                 "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", f"IdentityFile={key or self.lab.key(user)}",
                 "UpdateHostKeys=no", "ConnectTimeout=30"]
        return (["ssh", "-F", "/dev/null"] + [item for one in options for item in ("-o", one)] +
                [item for one in fixed for item in ("-o", one)] + words)

    def ssh(self, *words, input=b"", timeout=60, **how):
        """Runs ssh to its end without a terminal: (out, err, status)."""
        return clients.run(self.ssh_argv(*words, **how), self.lab.environment, input, timeout)

    def begin(self, *words, **how):
        """ssh in the background, its output in a file: for watchers."""
        return self.lab.keep(clients.Background(self.ssh_argv(*words, **how), self.lab.environment,
                                                tempfile.mktemp(dir=self.lab.dir)))

    def screen(self, *words, rows=24, columns=80, term="xterm", **how):
        """ssh on a terminal of its own."""
        return self.lab.keep(clients.Screen(self.ssh_argv(*words, **how), dict(self.lab.environment, TERM=term),
                                            rows, columns))

    def attached(self, *words, user="alice", device="edge1", says="you may type", **how):
        """A person on a console, once the banner is there and says `says`."""
        screen = self.screen("-t", *(words or (device,)), user=user, **how)
        screen.expect(says)
        return screen


__all__ = ["BehindBmc", "Daemon", "Gear", "Lab", "OOBD", "PATIENCE", "Talker", "in_time", "processes_of", "resident",
           "until"]
