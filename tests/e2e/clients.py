"""The people: stock SSH clients as children, with and without a terminal, and what their output says."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from typing import NamedTuple

from gear import PATIENCE, until

SEQUENCE = re.compile(r"\x1b(\[[0-9;?>=]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][0-9A-Za-z]|[=>78DEHMc])")


def is_segment(name):
    """Whether a file of a transcript's folder holds bytes, not the time index."""
    return name.endswith(".log")


class Done(NamedTuple):
    out: str
    err: str
    status: int
    seconds: float = 0.0
    raw: bytes = b""


def run(argv, environment, input=b"", timeout=60):
    """A child to its end. input=None: /dev/null."""
    begin = time.monotonic()
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
                             start_new_session=True)
    try:
        out, err = child.communicate(input.encode() if isinstance(input, str) else input, timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        raise AssertionError(f"no end within {timeout} s: {argv}\nout: {out[-2000:]!r}\nerr: {err[-2000:]!r}") from None
    return Done(out.decode("utf-8", "replace"), err.decode("utf-8", "replace"), child.returncode,
                time.monotonic() - begin, out)


class Background:
    """A child whose output goes to a file, so that nothing but the child itself holds it up."""

    def __init__(self, argv, environment, path):
        self.path = path
        with open(path, "wb") as out, open(path + ".err", "wb") as err:
            self.child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=out, stderr=err, env=environment,
                                          start_new_session=True)

    @property
    def out(self):
        with open(self.path, "rb") as file:
            return file.read()

    @property
    def err(self):
        with open(self.path + ".err", "rb") as file:
            return file.read().decode("utf-8", "replace")

    def size(self):
        return os.path.getsize(self.path)

    def sees(self, expected, patience=PATIENCE):
        expected = expected.encode() if isinstance(expected, str) else expected
        try:
            until("", lambda: expected in self.out, patience)
        except AssertionError:
            raise AssertionError(f"{expected!r} never came; the end of what did: {self.out[-1000:]!r}\n{self.err}") \
                from None

    def end_input(self):
        self.child.stdin.close()

    def freeze(self):
        self.child.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.child.send_signal(signal.SIGCONT)

    def wait(self, patience=PATIENCE):
        try:
            return self.child.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it goes on: out {self.out[-1000:]!r}, err {self.err}") from None

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        if not self.child.stdin.closed:
            self.child.stdin.close()


class Screen:
    """A child on a pty of its own, as a person sits before it. expect() looks at what came since the last match,
    without the terminal's sequences."""

    def __init__(self, argv, environment, rows=24, columns=80):
        self.argv = argv
        self.master, slave = pty.openpty()
        self._size(rows, columns)
        self.child = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=environment,
                                      preexec_fn=lambda: os.login_tty(slave))
        os.close(slave)
        self.raw = b""
        self._at = 0

    def _size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        self._size(rows, columns)  # the kernel sends SIGWINCH

    def type(self, text):
        data = memoryview(text.encode() if isinstance(text, str) else text)
        while data:
            self._read(0)  # or both sides could wait for each other
            if select.select([], [self.master], [], 0.05)[1]:
                data = data[os.write(self.master, data[:1024]):]

    def _read(self, wait):
        """Takes what is there; False at the end."""
        if not select.select([self.master], [], [], wait)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: the child is gone
            data = b""
        self.raw += data
        return bool(data)

    @property
    def text(self):
        return SEQUENCE.sub("", self.raw.decode("utf-8", "replace"))

    @property
    def rest(self):
        """What came since the last match."""
        return self.text[self._at:]

    def expect(self, pattern, patience=PATIENCE):
        """Waits for a regular expression; returns the match. `before` is then what came before it."""
        end = time.monotonic() + patience
        while True:
            text = self.text
            match = re.compile(pattern).search(text, self._at)
            if match:
                self.before = text[self._at:match.start()]
                self._at = match.end()
                return match
            if not self._read(0.2):
                raise AssertionError(f"the end came instead of {pattern!r}: {text[-2000:]!r}")
            if time.monotonic() > end:
                raise AssertionError(f"{pattern!r} did not come within {patience:.0f} s: {text[-2000:]!r}")

    def never(self, pattern, seconds=0.5):
        """Nothing can wait for what never comes: looks for so many seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._read(0.05):
            pass
        assert not re.search(pattern, self.rest), self.rest

    def ends(self, status=0, patience=PATIENCE):
        """Waits for the child's end and its exit status; `rest` holds its last words."""
        end = time.monotonic() + patience
        while self._read(0.2):
            assert time.monotonic() < end, f"it goes on: {self.text[-2000:]!r}"
        got = self.child.wait(patience)
        assert got == status, f"exit status {got} instead of {status}: {self.text[-2000:]!r}"

    def leave(self):
        """Leaves a console by its escape; the session ends with 0."""
        self.type("\x05c.")
        self.ends(0)

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        # Once: the number may be somebody else's by then.
        master, self.master = self.master, None
        if master is not None:
            os.close(master)
