"""What is measured side by side: oobd, Debian's conserver, ConMan and ser2net, and the plain epoll loop; each holds N
ttys and logs each to a file of its own, in its cheapest configuration that does so."""

import subprocess
import zlib
from pathlib import Path

import processes


class Log:
    """The files in `folder` whose names match, one after another: most daemons have one for a console, oobd has
    segments."""

    def __init__(self, folder, pattern):
        self.folder = folder
        self.pattern = pattern

    def files(self):
        return sorted(self.folder.glob(self.pattern))

    def size(self):
        return sum(file.stat().st_size for file in self.files())

    def holds(self, begin, size, crc):
        """Whether what it holds from offset `begin` on is exactly what was said."""
        found = 0
        for file in self.files():
            text = file.read_bytes()
            begin, text = max(0, begin - len(text)), text[begin:]
            size -= len(text)
            found = zlib.crc32(text, found)
        return size == 0 and found == crc


class Subject:
    """`start()` returns when all ttys are open; `logs[i]` is then the log of tty i."""

    name = "?"

    def __init__(self, folder, ttys, tools):
        self.folder = Path(folder)
        self.ttys = [Path(tty) for tty in ttys]
        self.tools = tools
        self.logs = []
        self.program = None

    def named_logs(self):
        return [Log(self.folder, f"tty{i}.log") for i in range(len(self.ttys))]

    def run(self, argv, **more):
        self.program = processes.Program([str(word) for word in argv], self.folder / "said", **more)
        return self.program

    def wait_for_ttys(self):
        self.program.wait_until("holds its ttys", lambda: self.program.ttys() >= len(self.ttys))

    def stop(self):
        if self.program:
            self.program.stop()


class EpollLoop(Subject):
    name = "epoll loop"
    batch = []

    def start(self):
        self.logs = self.named_logs()
        program = self.run([self.tools / "bench_epoll_loop", *self.batch], stdin=subprocess.PIPE)
        pairs = [f"{tty} {self.folder}/{tty.name}.log\n" for tty in self.ttys]
        program.process.stdin.write("".join([*pairs, "\n"]).encode())
        program.process.stdin.flush()
        program.wait_until("is ready", lambda: "ready" in program.said())


class BatchedEpollLoop(EpollLoop):
    name = "epoll loop, 20 ms batches"
    batch = ["20"]


class Conserver(Subject):
    name = "conserver"

    def start(self):
        port = processes.free_port()
        config = self.folder / "conserver.cf"
        consoles = [f"console {tty.name} {{ include plain; device {tty}; }}\n" for tty in self.ttys]
        config.write_text(
            "default full { rw *; }\n"
            "default plain { master localhost; type device; baud 115200; parity none; include full;\n"
            f"  logfile {self.folder}/&.log; }}\n" + "".join(consoles) + "access * { trusted 127.0.0.1; }\n")
        self.run(["/usr/sbin/conserver", "-C", config, "-M", "127.0.0.1", "-p", port])
        self.wait_for_ttys()
        self.logs = self.named_logs()


class ConMan(Subject):
    name = "ConMan"

    def start(self):
        config = self.folder / "conman.conf"
        consoles = [f'CONSOLE name="{tty.name}" dev="{tty.resolve()}"\n' for tty in self.ttys]
        config.write_text(
            f'SERVER loopback=on\nSERVER port={processes.free_port()}\nSERVER pidfile="{self.folder}/pid"\n'
            f'GLOBAL log="{self.folder}/%N.log"\nGLOBAL seropts="115200,8n1"\n' + "".join(consoles))
        self.run(["/usr/sbin/conmand", "-F", "-c", config])
        self.wait_for_ttys()
        self.logs = self.named_logs()


class Ser2net(Subject):
    name = "ser2net"

    def start(self):
        # It opens a tty for a peer alone; a file as the peer is cheaper for it than a trace beside a TCP client.
        self.logs = self.named_logs()
        config = self.folder / "ser2net.yaml"
        config.write_text("".join(
            f"connection: &{tty.name}\n  accepter: conacc,file(outfile={self.folder}/{tty.name}.log,create)\n"
            f"  connector: serialdev,{tty.resolve()},115200n81,local\n" for tty in self.ttys))
        self.run(["/usr/sbin/ser2net", "-n", "-d", "-c", config])
        self.wait_for_ttys()


class Oobd(Subject):
    """Also serves the session measurements: `port`, and `key` of its user `bench`."""

    name = "oobd"

    def __init__(self, *given, names=None):
        super().__init__(*given)
        self.names = names or [tty.name for tty in self.ttys]
        self.state = self.folder / "state"
        self.key = self.folder / "key"
        self.port = processes.free_port()

    def start(self):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        devices = [f'[device.{name}]\nline = {{ serial = "{tty}", baud = 115200 }}\n'
                   for name, tty in zip(self.names, self.ttys)]
        config = self.folder / "oobd.toml"
        config.write_text(
            f'[server]\nlisten = ["127.0.0.1:{self.port}"]\nstate = "{self.state}"\n\n'
            '[user.bench]\nkeys = "key.pub"\nroles = ["bench"]\n\n'
            '[role.bench]\non = ["*"]\nmay = ["watch", "write", "power", "snapshot", "forward", "audit", "admin"]\n\n'
            + "\n".join(devices))
        program = self.run([self.tools / "oobd", "serve", "-c", config])
        program.wait_until("is ready", lambda: "oobd: ready on" in program.said())
        self.wait_for_ttys()
        self.logs = [Log(self.state / "transcripts" / name, "*.log") for name in self.names]
        program.wait_until("has its transcripts", lambda: all(log.files() for log in self.logs))


PEERS = (Conserver, ConMan, Ser2net)
LOOPS = (EpollLoop, BatchedEpollLoop)
