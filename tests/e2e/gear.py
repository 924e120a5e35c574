"""Things at the far end of a line: ptys, sockets and a console server with RFC 2217, each with a thread that listens."""

import errno
import os
import pty
import select
import socket
import termios
import threading
import time
import tty

PATIENCE = 30.0  # seconds: how long any wait may take on a loaded machine


def until(what, true, patience=PATIENCE, pause=0.01):
    """Waits until true() is true and returns its value; fails saying `what` was waited for. `pause`: between looks,
    longer for what costs."""
    end = time.monotonic() + patience
    while True:
        value = true()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience:.0f} s in vain: {what}")
        time.sleep(pause)


def in_time(attempt, limit, tries=3):
    """How many seconds the first of some attempts took that was in time: others may have the machine meanwhile. An
    attempt says how long it took."""
    took = []
    while len(took) < tries and (not took or took[-1] >= limit):
        took.append(attempt())
    assert took[-1] < limit, took
    return took[-1]


class Far:
    """What every far end has: heard bytes, an optional echo, and a thread that ends with close()."""

    def __init__(self):
        self._lock = threading.Lock()
        self._heard = bytearray()
        self._over = threading.Event()
        self.echo = False

    @property
    def heard(self):
        with self._lock:
            return bytes(self._heard)

    def forget(self):
        with self._lock:
            self._heard.clear()

    def hears(self, expected, patience=PATIENCE):
        """Waits until `expected` is among what was heard."""
        expected = expected.encode() if isinstance(expected, str) else expected
        try:
            until("", lambda: expected in self.heard, patience)
        except AssertionError:
            raise AssertionError(f"the gear never heard {expected!r}, only {self.heard[-500:]!r}") from None

    def _take(self, data):
        with self._lock:
            self._heard += data
        if self.echo:
            self.says(data)

    def says(self, data):
        raise NotImplementedError


class Gear(Far):
    """A pty in raw mode behind a symlink, as a UART behind a by-path name. `rate` bounds the bytes heard a second."""

    def __init__(self, link, rate=None):
        super().__init__()
        self.link = str(link)
        self.rate = rate
        self.sent = bytearray()  # all that says() wrote since the gear was made
        self.master = None
        self._spare = []  # ptys that only keep their numbers taken
        self.path = None
        self._thread = None
        self.plug()

    @property
    def line(self):
        return f'{{ serial = "{self.link}" }}'

    def plug(self):
        """Makes a pty, another one than the last, and lets the link point to it."""
        self.master, slave = pty.openpty()
        while os.ttyname(slave) == self.path:
            self._spare.append((self.master, slave))
            self.master, slave = pty.openpty()
        tty.setraw(slave, termios.TCSANOW)
        self.path = os.ttyname(slave)
        os.close(slave)  # so that whoever opens it is alone, and a hang-up is seen
        os.set_blocking(self.master, False)
        temporary = self.link + ".new"
        os.symlink(self.path, temporary)
        os.replace(temporary, self.link)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, args=(self.master, self._over), daemon=True)
        self._thread.start()

    def unplug(self):
        """Takes link and pty away."""
        os.unlink(self.link)
        self._over.set()
        self._thread.join()
        os.close(self.master)
        self.master = None

    def says(self, data, patience=PATIENCE):
        """Writes all of it; waits while the line is full."""
        data = data.encode() if isinstance(data, str) else data
        self.sent += data
        view, end = memoryview(data), time.monotonic() + patience
        while view:
            select.select([], [self.master], [], 0.1)
            try:
                view = view[os.write(self.master, view[:4096]):]
            except BlockingIOError:
                pass
            if view and time.monotonic() > end:
                raise AssertionError(f"{len(view)} bytes were not taken from the gear within {patience:.0f} s")

    def connected(self):
        """Whether somebody has the other side open."""
        poll = select.poll()
        poll.register(self.master, select.POLLIN)
        return not any(event & select.POLLHUP for _, event in poll.poll(0))

    def _listen(self, master, over):
        begin, count = time.monotonic(), 0
        while not over.is_set():
            try:
                if not select.select([master], [], [], 0.05)[0]:
                    continue
                data = os.read(master, 4096)
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno != errno.EIO:  # EIO: nobody has the other side open
                    raise
                over.wait(0.01)
                continue
            self._take(data)
            count += len(data)
            if self.rate:
                over.wait(max(0.0, begin + count / self.rate - time.monotonic()))

    def close(self):
        if self.master is not None:
            self.unplug()
        for pair in self._spare:
            os.close(pair[0])
            os.close(pair[1])


class Talker:
    """Lets a gear say numbered lines at so many bytes a second until stop()."""

    def __init__(self, gear, rate=100_000):
        self._gear, self._rate = gear, rate
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()

    def _talk(self):
        begin, count, number = time.monotonic(), 0, 0
        while not self._over.is_set():
            piece = b"".join(b"line %08d of what the gear says\r\n" % n for n in range(number, number + 20))
            try:
                self._gear.says(piece, 1.0)
            except AssertionError:
                continue  # nobody listens: what was not taken is in `sent` all the same
            number += 20
            count += len(piece)
            self._over.wait(max(0.0, begin + count / self._rate - time.monotonic()))

    def stop(self):
        self._over.set()
        self._thread.join()


class SocketGear(Far):
    """A listener that a device line connects to: Unix when `where` is a path, else TCP on loopback."""

    def __init__(self, where=None):
        super().__init__()
        if where is not None:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(where))
            self.line = f'{{ unix = "{where}" }}'
        else:
            self.listener = socket.socket()
            self.listener.bind(("127.0.0.1", 0))
            self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
            self.line = f'{{ tcp = "{self.address}" }}'
        self.listener.listen(8)
        self.peer = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        self.listener.settimeout(0.05)
        while not self._over.is_set():
            try:
                peer, _ = self.listener.accept()
            except TimeoutError:
                continue
            peer.settimeout(0.05)
            self.peer = peer
            self.greet()
            while not self._over.is_set():
                try:
                    data = peer.recv(65536)
                except TimeoutError:
                    continue
                except OSError:
                    break
                if not data:
                    break
                try:
                    self.on_bytes(data)
                except OSError:  # it has gone before it was answered
                    break
            self.peer = None
            peer.close()

    def greet(self):
        pass

    def on_bytes(self, data):
        self._take(data)

    def connected(self):
        return self.peer is not None

    def _whom(self):
        """Who connected: the kernel has taken the call before the thread above has."""
        return until("somebody is connected", lambda: self.peer)

    def says(self, data):
        self._whom().sendall(data.encode() if isinstance(data, str) else data)

    def hang_up(self):
        self._whom().shutdown(socket.SHUT_RDWR)

    def close(self):
        self._over.set()
        self._thread.join()
        self.listener.close()


IAC, DONT, DO, WONT, WILL, SB, BRK, SE = 255, 254, 253, 252, 251, 250, 243, 240
COM_PORT = 44  # RFC 2217


class ConsoleServer(SocketGear):
    """A telnet peer with RFC 2217: tells what was asked of its port in `asked`, as (command, value) pairs."""

    SET_BAUD, SET_CONTROL = 1, 5
    BREAK_ON, BREAK_OFF = 5, 6

    def __init__(self, options=""):
        super().__init__()
        self.line = f'{{ telnet = "{self.address}"{options} }}'
        self.asked = []
        self._rest = b""

    def on_bytes(self, data):
        data, plain = self._rest + data, bytearray()
        at = 0
        while at < len(data):
            if data[at] != IAC:
                plain.append(data[at])
                at += 1
                continue
            left = len(data) - at
            if left < 2 or (data[at + 1] in (DO, DONT, WILL, WONT) and left < 3):
                break
            kind = data[at + 1]
            if kind == SB:
                end = data.find(bytes([IAC, SE]), at)
                if end < 0:
                    break
                self._negotiate(data[at + 2:end].replace(b"\xff\xff", b"\xff"))
                at = end + 2
            elif kind in (DO, DONT, WILL, WONT):
                self._option(kind, data[at + 2])
                at += 3
            else:
                if kind == IAC:
                    plain.append(IAC)
                elif kind == BRK:
                    self.asked.append(("break", None))
                at += 2
        self._rest = bytes(data[at:])
        if plain:
            self._take(bytes(plain))

    def _option(self, kind, option):
        if kind in (DO, WILL):
            good = option in (0, 1, 3, COM_PORT)  # binary, echo, suppress go-ahead
            answer = {DO: WILL if good else WONT, WILL: DO if good else DONT}[kind]
            if (kind, option) not in self.asked:  # answer an option once, or both would go on for ever
                self.asked.append((kind, option))
                self.says(bytes([IAC, answer, option]))

    def _negotiate(self, payload):
        if len(payload) >= 2 and payload[0] == COM_PORT:
            self.asked.append((payload[1], payload[2:]))
            self.says(bytes([IAC, SB, COM_PORT, payload[1] + 100]) + payload[2:].replace(b"\xff", b"\xff\xff") +
                      bytes([IAC, SE]))

    def broken(self):
        """How many breaks were begun (and, with RFC 2217, ended)."""
        on = self.asked.count((self.SET_CONTROL, bytes([self.BREAK_ON])))
        off = self.asked.count((self.SET_CONTROL, bytes([self.BREAK_OFF])))
        return self.asked.count(("break", None)) + min(on, off)


class BlackHole:
    """A TCP port of loopback that never answers: its listener's queue is full, so the kernel drops every SYN."""

    def __init__(self):
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._fill = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(self._listener.getsockname())
            self._fill.append(one)

    def close(self):
        for one in self._fill + [self._listener]:
            one.close()
