"""A machine at the far end of a line: a login prompt on a tty of its own, and behind it a real shell."""

import fcntl
import os
import select
import signal
import subprocess
import sys
import termios
import threading

from gear import Far, Gear

# What getty and login do: asks, does not echo the password, and gives way to the shell.
LOGIN = r"""
import os, sys, termios
user, shell, home = sys.argv[1:4]
password = os.environ["PASSWORD"]  # not an argument, which everybody sees
while True:
    sys.stdout.write("\nbox login: ")
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        sys.exit(1)
    if not line.strip():
        continue
    before = termios.tcgetattr(0)
    quiet = termios.tcgetattr(0)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSADRAIN, quiet)
    sys.stdout.write("Password: ")
    sys.stdout.flush()
    given = sys.stdin.readline().rstrip("\n")
    termios.tcsetattr(0, termios.TCSADRAIN, before)
    sys.stdout.write("\n")
    sys.stdout.flush()
    if line.strip() == user and given == password:
        break
    sys.stdout.write("Login incorrect\n")
os.chdir(home)
environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "TERM": "vt100",
               "PS1": "root@box:~# ", "TMPDIR": home, "HISTFILE": ""}
os.execve(shell.split()[0], shell.split(), environment)
"""


class Machine(Gear):
    """`shell`: the program and its words. `home` is also where the shell begins, and empty at first."""

    USER, PASSWORD = "root", "Tell-Nobody-7"

    def __init__(self, link, home, shell="/bin/sh"):
        self.home, self.shell = str(home), shell
        os.makedirs(self.home, exist_ok=True)
        self.console = self.child = None
        self._ending = threading.Event()
        self._boot()
        super().__init__(link)
        self._speaker = threading.Thread(target=self._speak, daemon=True)
        self._speaker.start()

    def _boot(self):
        master, slave = os.openpty()
        settings = termios.tcgetattr(slave)
        settings[3] |= termios.ECHO | termios.ICANON | termios.ISIG
        termios.tcsetattr(slave, termios.TCSANOW, settings)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, b"\x18\0\x50\0\0\0\0\0")

        def own():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        child = subprocess.Popen(
            [sys.executable, "-c", LOGIN, self.USER, self.shell, self.home], stdin=slave, stdout=slave, stderr=slave,
            env=dict(os.environ, PASSWORD=self.PASSWORD), start_new_session=True, preexec_fn=own)
        os.close(slave)
        old, self.console = self.console, master
        self.child = child  # who sees it asks for its tty next
        if old is not None:
            os.close(old)

    def _take(self, data):
        Far._take(self, data)
        try:
            os.write(self.console, data)
        except OSError:
            pass  # nobody is logged in just now, as between a logout and the next prompt

    def _speak(self):
        while not self._ending.is_set():
            try:
                if not select.select([self.console], [], [], 0.05)[0]:
                    continue
                data = os.read(self.console, 4096)
            except OSError:  # logged out
                self.child.wait()
                if not self._ending.is_set():
                    self._boot()
                continue
            try:
                self.says(data, 2.0)
            except (AssertionError, TypeError, OSError):
                pass  # nobody is on the line

    def at_login(self):
        """Whether nobody is logged in; while one login program follows another, that is not known."""
        try:
            with open(f"/proc/{self.child.pid}/cmdline", "rb") as file:
                return b"box login" in file.read()
        except OSError:
            return False

    def echoes(self):
        """Whether the tty is as a person wants it."""
        return bool(termios.tcgetattr(self.console)[3] & termios.ECHO)

    def close(self):
        self._ending.set()
        self._speaker.join()
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()
        os.close(self.console)
        super().close()


# How such a machine is handled: as Linux is, without touching the kernel of whoever runs the tests.
RECIPE = r"""recipe box version 1
method posix-block
state login  tail /(^|\n)box login: ?/ go "{user}\r" home
state passwd tail /(^|\n)Password: ?/ after login go "{secret}\r"
state shell  tail /(^|\n)[\w.@:~\/\[\]() +-]{0,120}[#$] ?/ work leave "exit\r"
begun /^[\w.@:~\/\[\]() +-]{0,120}[#$] +[^\s\[]/
refused /Login incorrect/
answer /\x1b\[6n/ "\x1b[24;80R"
version "uname -s"
files /etc/hostname
"""
