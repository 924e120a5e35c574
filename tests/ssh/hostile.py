"""What no honest client does, one case a call: hostile.py PORT KEY CASE [NUMBER]. Exit 0: the server behaved."""
import queue, socket, subprocess, sys, threading, time
import paramiko
from paramiko.message import Message

port, key_file, case = int(sys.argv[1]), sys.argv[2], sys.argv[3]
number = int(sys.argv[4]) if len(sys.argv) > 4 else 0
DISCONNECT, ACCEPT, FAILURE, OPENED, REFUSED, DATA, CLOSE, SUCCESS, NO = 1, 6, 51, 91, 92, 94, 97, 99, 100


class Raw:
    """A transport that lets us send any packet, and keeps what comes; channels are none of paramiko's business."""

    def __init__(self):
        self.came = queue.Queue()
        self.reading = threading.Event()
        self.reading.set()
        self.t = paramiko.Transport(socket.create_connection(("127.0.0.1", port)))
        read = self.t.packetizer.read_message

        def noting():
            while True:
                self.reading.wait()
                try:
                    kind, m = read()
                except Exception:
                    self.came.put((DISCONNECT, Message(b"")))
                    raise
                if kind in (DISCONNECT, ACCEPT, FAILURE) or kind >= 90:
                    self.came.put((kind, Message(m.asbytes())))
                if kind < 90 and not (kind in (ACCEPT, FAILURE) and self.t.auth_handler is None):
                    return kind, m

        self.t.packetizer.read_message = noting
        self.t.start_client(timeout=60)

    def pack(self, *fields):
        m = Message()
        for field in fields:
            if isinstance(field, tuple):
                m.add_byte(bytes([field[0]]))
            elif isinstance(field, bool):
                m.add_boolean(field)
            elif isinstance(field, int):
                m.add_int(field)
            else:
                m.add_string(field)
        return m

    def send(self, *fields):
        self.t._send_message(self.pack(*fields))

    def prepare(self, count, *fields):
        """`count` times the same packet, encrypted, to be sent in one go; nothing else may be sent meanwhile."""
        kept = []

        class Keep:
            def send(self, data):
                kept.append(bytes(data))
                return len(data)

            def __getattr__(self, name):  # the other thread goes on reading
                return getattr(real, name)

        packets, m = self.t.packetizer, self.pack(*fields)
        real, packets._Packetizer__socket = packets._Packetizer__socket, Keep()
        for i in range(count):
            packets.send_message(m)
        packets._Packetizer__socket = real
        return b"".join(kept)

    def next(self, seconds=60):
        try:
            kind, m = self.came.get(timeout=seconds)
        except queue.Empty:
            return None
        if kind == OPENED:
            m.get_int()
            self.there = m.get_int()  # the server's number of the channel opened last
        return kind

    def expect(self, *kinds):
        got = self.next()
        assert got in kinds, "%s instead of %s" % (got, kinds)
        return got

    def begin_auth(self, user=b"alice"):
        self.send((5,), "ssh-userauth")
        self.expect(ACCEPT)
        self.send((50,), user, "ssh-connection", "none")

    def log_in(self):
        self.t.auth_publickey("alice", paramiko.Ed25519Key.from_private_key_file(key_file))
        while not self.came.empty():
            self.came.get()
        return self

    def open(self, here=0, window=1 << 20, packet=32768, kind="session"):
        self.send((90,), kind, here, window, packet)

    def request(self, there, name, reply, *more):
        self.send((98,), there, name, reply, *more)

    def session(self, command, here=0, window=1 << 20):
        self.open(here, window)
        self.expect(OPENED)
        self.request(self.there, "exec", True, command)
        self.expect(SUCCESS)

    def text(self, wanted, seconds=60):
        seen = b""
        deadline = time.time() + seconds
        while wanted not in seen and time.time() < deadline:
            kind, m = self.came.get(timeout=seconds)
            if kind == DATA:
                m.get_int()
                seen += m.get_binary()
        assert wanted in seen, seen
        return seen


def six_refusals(raw, *request):
    for i in range(6):
        raw.send((50,), "alice", "ssh-connection", *request)
        raw.expect(FAILURE)
        if i < 5:
            assert raw.next(0.1) is None, "two answers"
    raw.expect(DISCONNECT)


if case == "sha1":
    t = paramiko.Transport(("127.0.0.1", port), disabled_algorithms={"pubkeys": ["rsa-sha2-256", "rsa-sha2-512"]})
    t.start_client()
    t.auth_timeout = 60
    refused = paramiko.RSAKey.generate(2048)
    try:
        t.auth_none("alice")
    except paramiko.BadAuthenticationType:
        pass
    begun = time.time()
    try:
        t.auth_publickey("alice", refused)
        sys.exit("a SHA-1 signature was taken")
    except paramiko.AuthenticationException:
        assert time.time() - begun < 50, "no answer"
elif case == "unknown_key":
    raw = Raw()
    raw.begin_auth()
    raw.expect(FAILURE)
    blob = b"\0\0\0\x09ssh-ed448\0\0\0\x39" + b"k" * 57
    six_refusals(raw, "publickey", False, "ssh-ed448", blob)
elif case == "gssapi":
    raw = Raw()
    raw.begin_auth()
    raw.expect(FAILURE)
    six_refusals(raw, "gssapi-with-mic", 1, b"\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02")
elif case == "methods":
    raw = Raw()
    raw.begin_auth()
    kind, m = raw.came.get(timeout=60)
    assert kind == FAILURE and m.get_text() == "publickey", m
    six_refusals(raw, "password", False, "secret")
elif case == "user_change":
    raw = Raw()
    raw.begin_auth(b"alice")
    raw.expect(FAILURE)
    raw.send((50,), "bob", "ssh-connection", "none")
    raw.expect(DISCONNECT)
elif case == "long_user":
    raw = Raw()
    raw.begin_auth(b"a" * number)
    raw.expect(FAILURE if number <= 1024 else DISCONNECT)
elif case == "early_channel":
    raw = Raw()
    raw.begin_auth()
    raw.expect(FAILURE)
    raw.open()
    assert raw.next(1) in (None, DISCONNECT)
elif case == "tiny_packet":
    raw = Raw().log_in()
    raw.open(packet=number)
    if number == 0:  # libssh drops it itself, without a word
        assert raw.next(1) in (None, REFUSED)
    else:
        raw.expect(REFUSED)
    raw.session("exit 0", 0)  # and the connection goes on
elif case == "channels":
    raw = Raw().log_in()
    got = []
    for i in range(12):
        raw.open(here=i)
        got.append(raw.expect(OPENED, REFUSED))
    assert got == [OPENED] * 10 + [REFUSED] * 2, got
    for kind in ("x11", "direct-tcpip", "forwarded-tcpip", "tun@openssh.com"):
        raw.open(here=50, kind=kind)
elif case == "ignored_window":
    raw = Raw().log_in()
    raw.session("hold")
    try:
        for i in range(400):
            raw.send((94,), raw.there, b"w" * 32000)
    except Exception:
        pass
    while True:
        if raw.expect(DISCONNECT, 93) == DISCONNECT:
            break
elif case == "extended":
    raw = Raw().log_in()
    raw.session("cat")
    for i in range(1000):
        raw.send((95,), raw.there, 1, b"e" * 32000)
    raw.send((94,), raw.there, b"still here")
    raw.text(b"still here")
elif case == "breaks":
    raw = Raw().log_in()
    raw.session("events")
    wanted = []
    for name, granted in (("winadj@putty.projects.tartarus.org", 0), ("break", 1), ("simple@putty.projects.tartarus.org", 0),
                          ("break", 1), ("breaks", 0), ("brea", 0), ("break", 1)):
        raw.request(raw.there, name, True, 500)
        raw.request(raw.there, "env", True, "A", "B")
        wanted += [SUCCESS if granted else NO, NO]
    raw.request(raw.there, "nothing", False)
    raw.request(raw.there, "break", False, 500)
    raw.send((94,), raw.there, b"q")
    answers, seen = [], b""
    while b"data q" not in seen:
        kind, m = raw.came.get(timeout=60)
        if kind in (SUCCESS, NO):
            answers.append(kind)
        elif kind == DATA:
            m.get_int()
            seen += m.get_binary()
    assert answers == wanted, answers
    assert seen == b"break 0\n" * 4 + b"data q\n", seen
elif case == "twice":
    raw = Raw().log_in()
    raw.session("cat")
    raw.request(raw.there, "exec", True, "cat")
    raw.expect(NO)
    raw.request(raw.there, "shell", True)
    raw.expect(NO)
    raw.request(raw.there, "pty-req", True, "xterm", 80, 24, 0, 0, b"")
    raw.expect(NO)
    raw.open(1)
    raw.expect(OPENED)
    raw.request(raw.there, "exec", True, b"c" * (16 * 1024 + 1))
    raw.expect(NO)
elif case == "races":
    raw = Raw().log_in()
    for i in range(200):
        raw.open(here=i)
        while raw.expect(93, OPENED) != OPENED:  # libssh may still widen the window of a channel that is closed
            pass
        raw.request(raw.there, "exec", False, "both")
        raw.send((94,), raw.there, b"x" * 100)
        raw.request(raw.there, "window-change", False, 1, 2, 3, 4)
        raw.send((CLOSE,), raw.there)
        raw.request(raw.there, "break", False, 1)
        raw.send((94,), raw.there, b"late")
        raw.send((CLOSE,), raw.there)
        while raw.expect(93, 95, 96, 98, DATA, CLOSE) != CLOSE:
            pass
    Raw().log_in().session("exit 0")
elif case == "zero_window":
    raw = Raw().log_in()
    for i in range(10):
        raw.session("endless", here=i, window=0)
    print("stalled", flush=True)
    time.sleep(number)
elif case == "services":
    raw = Raw()
    raw.t.sock.sendall(raw.prepare(100, (5,), "ssh-userauth"))
    got = []
    while DISCONNECT not in got:
        got.append(raw.expect(ACCEPT, DISCONNECT))
    assert len(got) < 20, got
elif case == "much_before_login":
    raw = Raw()
    try:
        for i in range(number):
            raw.send((2,), b"i" * 32000)  # IGNORE: no answer
    except Exception:
        pass
    if raw.next(3) is None:
        raw.begin_auth()
        raw.expect(FAILURE)
        print("taken")
elif case == "blast":  # once told to: what costs most before the login
    raw = Raw()
    raw.reading.clear()
    packets = raw.prepare(number, (200,))  # UNIMPLEMENTED is the answer
    print(len(packets), flush=True)
    sys.stdin.readline()
    raw.t.sock.sendall(packets)
    time.sleep(10)
elif case == "blasted":  # how much CPU time, in ms, the server takes at most before it answers the key of another one
    front, most = int(sys.argv[5]), float(sys.argv[6])  # more is too much: then it is tried again

    def cpu_ms():
        with open("/proc/%d/schedstat" % front) as file:
            return int(file.read().split()[0]) / 1e6

    raw = Raw().log_in()
    raw.session("cat")
    raw.reading.clear()
    sock, key = raw.t.sock, None
    slowest = []
    for i in range(10):
        other = subprocess.Popen([sys.executable, "-W", "ignore", __file__, str(port), key_file, "blast", str(number)],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        size = other.stdout.readline()
        raw.reading.set()
        times = []
        other.stdin.write(b"\n")
        other.stdin.flush()
        until = time.time() + 2
        while time.time() < until:
            begun = cpu_ms()
            raw.send((94,), raw.there, b"k")
            raw.text(b"k")
            times.append(cpu_ms() - begun)
        slowest.append(max(times))
        other.kill()
        other.wait()
        if slowest[-1] < most:
            break
    print("%.1f" % slowest[-1], slowest, int(size))
elif case == "deaf":
    raw = Raw().log_in()
    raw.session("flood 8000000", window=1 << 30)
    flood = raw.there
    raw.open(here=1)
    while raw.expect(OPENED, DATA, 96, 98, CLOSE) != OPENED:
        pass
    raw.request(raw.there, "exec", True, "sink")
    while raw.expect(SUCCESS, DATA, 96, 98, CLOSE) != SUCCESS:
        pass
    raw.reading.clear()
    answered = raw.prepare(20000, (80,), "keepalive@openssh.com", True)
    try:
        raw.t.sock.settimeout(60)
        raw.t.sock.sendall(answered)
        deadline = time.time() + 60
        while time.time() < deadline:  # until the end has come back
            raw.t.sock.sendall(raw.prepare(1, (2,), b""))
            time.sleep(0.05)
        sys.exit("all of it was taken")
    except (ConnectionError, BrokenPipeError):
        pass
elif case == "no_size":
    raw = Raw().log_in()
    raw.open()
    raw.expect(OPENED)
    raw.request(raw.there, "pty-req", True, "xterm", 0, 0, 0, 0, b"")
    raw.expect(SUCCESS)
    raw.request(raw.there, "shell", True)
    raw.expect(SUCCESS)
    raw.text(b"shell xterm 0x0 pty")
    for columns, rows in ((100, 0), (0, 0), (0, 50)):
        raw.request(raw.there, "window-change", False, columns, rows, 0, 0)
        raw.send((94,), raw.there, b"x")
        raw.text(b"data x")
    raw.request(raw.there, "window-change", False, 0, 0, 0, 0)
    raw.text(b"resize 100x50")
elif case == "keys":
    t = paramiko.Transport(("127.0.0.1", port))
    t.start_client()
    for i in range(6):
        try:
            t.auth_publickey("mallory", paramiko.ECDSAKey.generate())
            sys.exit("came in")
        except paramiko.AuthenticationException:
            pass
        except paramiko.SSHException:
            assert i == 5, i
    deadline = time.time() + 60
    while t.is_active():
        assert time.time() < deadline, "still there"
        time.sleep(0.01)
else:
    sys.exit("no such case")
