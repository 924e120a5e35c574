"""ssh on a terminal of its own: resizes it, or sends a break with ~B, and prints what came back."""
import fcntl, os, pty, select, signal, struct, sys, termios, time

port, key, what = sys.argv[1:4]
pid, screen = pty.fork()
if pid == 0:
    os.environ["TERM"] = "vt220"
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.execvp("ssh", ["ssh", "-F", "/dev/null", "-p", port, "-i", key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                      "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "alice@127.0.0.1"])
seen = b""


def until(text):
    global seen
    deadline = time.time() + 60
    while text not in seen:
        if time.time() > deadline or not select.select([screen], [], [], 60)[0]:
            sys.exit("waited for %r, have %r" % (text, seen))
        try:
            seen += os.read(screen, 4096)
        except OSError:
            sys.exit("ended before %r: %r" % (text, seen))


until(b"shell vt220 80x24 pty")
if what == "resize":
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 43, 132, 0, 0))
    os.kill(pid, signal.SIGWINCH)
    until(b"resize 132x43")
else:
    os.write(screen, b"\r")
    until(b"data \\r")
    os.write(screen, b"~B")
    until(b"break 0")
os.write(screen, b"q")
until(b"data q")
print(seen.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
