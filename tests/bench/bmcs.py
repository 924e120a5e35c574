"""What BMCs cost: the power state of 200 asked at once, beside FreeIPMI's ipmipower and a loop of ipmitool; memory of open
sessions; and SOL beside `ipmitool sol activate` on a BMC of the same kind."""

import os
import pty
import random
import resource
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tty
from pathlib import Path

import processes
import sessions

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lab"))

import lab  # noqa: E402

COUNT = 200
BYTES = 200_000  # of one SOL output, for its rate


class Oobd:
    """A daemon with the SOL and the power of each of `bmcs`, or with none."""

    def __init__(self, tools, folder, bmcs):
        self.folder, self.key, self.port, self.user = folder, folder / "key", processes.free_port(), "bench"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        devices = "".join(
            bmc.configuration(f"node{n}", folder) +
            f'\n[device.node{n}]\nline = {{ sol = "node{n}" }}\npower = {{ bmc = "node{n}" }}\n'
            for n, bmc in enumerate(bmcs))
        (folder / "oobd.toml").write_text(
            f'[server]\nlisten = ["127.0.0.1:{self.port}"]\nstate = "{folder}/state"\n\n'
            '[user.bench]\nkeys = "key.pub"\nroles = ["bench"]\n\n'
            '[role.bench]\non = ["*"]\nmay = ["watch", "write", "power"]\n' + devices)
        self.program = processes.Program([tools / "oobd", "serve", "-c", folder / "oobd.toml"], folder / "oobd.said")
        self.program.wait_until("is ready", lambda: "oobd: ready on" in self.program.said())
        self.program.wait_until("has all SOL", lambda: self.program.said().count(": line.up: ") >= len(bmcs))

    def log(self, n):
        return b"".join(file.read_bytes() for file in sorted((self.folder / f"state/transcripts/node{n}").glob("*.log")))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.program.stop()


class Folder:
    def __enter__(self):
        self.path = Path(tempfile.mkdtemp(prefix="oobd-bench-"))
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(commands, answers):
    """Wall and CPU seconds of commands one after another; their output must hold `answers` lines with a state."""
    cpu, begin, lines = cpu_of_children(), time.monotonic(), 0
    for argv in commands:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env=dict(os.environ, PATH=lab.PATH))
        lines += sum(line.rstrip().endswith((" on", " off")) for line in done.stdout.splitlines())
    wall, cpu = time.monotonic() - begin, cpu_of_children() - cpu
    if lines != answers:
        raise RuntimeError(f"{commands[0][0]}: {lines} answers of {answers}: {done.stdout[-500:]}")
    return {"wall_s": wall, "cpu_s": cpu}


def ask_all(tools, fleet, runs):
    """{client: [figures of each run]}: the power state of all of `fleet`, turn about."""
    first = fleet[0]
    found = {"oobd": [], "ipmipower": [], "ipmitool, one by one": []}
    with Folder() as folder, Oobd(tools, folder, list(fleet)) as daemon:
        status = sessions.ssh(daemon, "power", "'*'", "status")
        ipmipower = ["ipmipower", "-h", fleet.range, "-u", first.user, "-p", first.password, "-D", "LAN_2_0", "-I",
                     str(first.suite), "-l", "operator", "-W", "opensesspriv", "--stat"]
        loop = [bmc.ipmitool_argv("power", "status") for bmc in fleet]
        timed([status], COUNT)
        for _ in range(runs):
            # The daemon's share is no child's of ours, its sessions' keepalives are in it.
            daemon_cpu = daemon.program.cpu()
            run = timed([status], COUNT)
            run["cpu_s"] += daemon.program.cpu() - daemon_cpu
            found["oobd"].append(run)
            found["ipmipower"].append(timed([ipmipower], COUNT))
            found["ipmitool, one by one"].append(timed(loop, COUNT))
    return found


def memory(tools, fleet):
    """KiB of the core (not of the process that speaks SSH) with no BMC and with `fleet`, SOL open and idle."""
    figures = {}
    for name, bmcs in (("0", []), ("200", list(fleet))):
        with Folder() as folder, Oobd(tools, folder, bmcs) as daemon:
            time.sleep(3.0)
            for field in ("Rss", "Pss", "Pss_Anon"):
                figures[f"{field.lower()}_{name}_kib"] = processes.memory_of(daemon.program.pid, field)
    for field in ("rss", "pss", "pss_anon"):
        figures[f"{field}_per_bmc_kib"] = (figures[f"{field}_200_kib"] - figures[f"{field}_0_kib"]) / COUNT
    return figures


class Local:
    """A program on a terminal of its own, on this machine: `ipmitool sol activate`, or `oobd ctl attach`."""

    def __init__(self, argv, greeting):
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                        env=dict(os.environ, PATH=lab.PATH))
        os.close(slave)
        self.heard = b""
        while greeting not in self.heard:
            if not self.hear(20.0):
                raise RuntimeError(f"{argv[0]}: no SOL: {self.heard!r}")
        while self.hear(0.5):
            pass

    def hear(self, limit):
        if not select.select([self.master], [], [], limit)[0]:
            return b""
        piece = os.read(self.master, 65536)
        self.heard += piece
        return piece

    def type(self, byte):
        os.write(self.master, byte)

    echo = sessions.Terminal.echo

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        os.close(self.master)


def strokes(terminal, count):
    times = []
    for number in range(count):
        time.sleep(random.uniform(0.03, 0.08))
        times.append(1000 * terminal.echo(b"%c" % (ord("a") + number % 26)))
    times.sort()
    return {"echo_p50_ms": statistics.median(times), "echo_p99_ms": times[min(len(times) - 1, int(len(times) * 0.99))]}


def rate(bmc, received):
    """KB a second from the machine's serial port until `received()` holds the last of them."""
    bmc.says(b"\r\n")
    begin_at = len(received())
    text = b"".join(b"line %07d of what the machine says\r\n" % n for n in range(BYTES // 40))
    begin = time.monotonic()
    bmc.says(text)
    processes.wait_for("all of SOL's output", lambda: len(received()) >= begin_at + len(text), 120.0)
    if not received().endswith(text):
        raise RuntimeError("SOL's output is not what the machine said")
    return {"sol_kb_per_s": len(text) / 1000 / (time.monotonic() - begin)}


def sol(tools, folder, count):
    """oobd and ipmitool, each with an ipmi_sim of its own: a second session would find the first one's SOL state."""
    light = lab.LightBmcs(folder, 2)
    try:
        with Folder() as own, Oobd(tools, own, [light[0]]) as daemon:
            with sessions.Terminal(daemon, "attach", "node0") as terminal:
                terminal.settle()
                by_ssh = strokes(terminal, count)
            board = [tools / "oobd", "ctl", "--state", own / "state", "attach", "node0"]
            with Local(board, b"leaves]") as terminal:
                ours = strokes(terminal, count)
            ours.update(rate(light[0], lambda: daemon.log(0)))
        with Local(light[1].ipmitool_argv("sol", "activate"), b"operational") as theirs_terminal:
            theirs = strokes(theirs_terminal, count)

            def received():
                theirs_terminal.hear(0.0)
                return theirs_terminal.heard
            theirs.update(rate(light[1], received))
        return {"oobd": ours, "oobd by ssh": by_ssh, "ipmitool": theirs}
    finally:
        light.close()


def measure(tools, runs, quick, note):
    figures = {"ask": {}, "memory": {}, "sol": {}}
    with Folder() as folder:
        for name, make in (("ipmi_sim", lambda: lab.LightBmcs(folder, COUNT)),
                           ("our test BMC", lambda: lab.TestBmcs(folder, COUNT, tools / "test_bmc"))):
            fleet = make()
            try:
                figures["ask"][name] = ask_all(tools, fleet, runs)
                note(f"{COUNT} of {name}: " + str({client: all_[-1] for client, all_ in figures["ask"][name].items()}))
                if name != "ipmi_sim":
                    figures["memory"] = [memory(tools, fleet) for _ in range(runs)]
                    note(f"memory: {figures['memory'][-1]}")
            finally:
                fleet.close()
        figures["sol"] = [sol(tools, folder / f"sol{run}", 100 if quick else 500) for run in range(runs)]
        note(f"SOL: {figures['sol'][-1]}")
    return figures
