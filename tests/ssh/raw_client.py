"""An SSH client whose every byte is the caller's: it keeps no rule that a test could wish to break."""
import hashlib, hmac, os, socket, struct
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PATIENCE = 30  # seconds for any one answer; a server that takes longer is a failure
VERSION = b"SSH-2.0-raw"
STRICT = b"kex-strict-c-v00@openssh.com"
DISCONNECT, UNIMPLEMENTED, KEXINIT, NEWKEYS, ECDH_INIT, ECDH_REPLY = 1, 3, 20, 21, 30, 31
ACCEPT, FAILURE, AUTH_SUCCESS, INFO_REQUEST = 6, 51, 52, 60
OPENED, REFUSED, DATA, CLOSE, DONE = 91, 92, 94, 97, 99
SIZES = {b"aes128-gcm@openssh.com": 16, b"aes256-gcm@openssh.com": 32, b"aes256-ctr": 32}


def u32(number):
    return struct.pack(">I", number)


def text(bytes_):
    return u32(len(bytes_)) + bytes_


def mpint(bytes_):
    bytes_ = bytes_.lstrip(b"\0")
    return text(b"\0" + bytes_ if bytes_ and bytes_[0] >= 0x80 else bytes_)


def take_text(payload, at):
    size, = struct.unpack_from(">I", payload, at)
    return payload[at + 4:at + 4 + size], at + 4 + size


class Ended(Exception):
    """The server closed the connection."""


class Gcm:
    """RFC 5647: the length in the clear, 16 bytes of tag."""
    after = 16

    def __init__(self, key, iv, mac):
        self.box, self.fixed, self.count = AESGCM(key), iv[:4], int.from_bytes(iv[4:12], "big")

    def nonce(self):
        count, self.count = self.count, (self.count + 1) % 2 ** 64
        return self.fixed + count.to_bytes(8, "big")

    def seal(self, sequence, length, body):
        return length + self.box.encrypt(self.nonce(), body, length)

    def open(self, sequence, length, rest):
        return self.box.decrypt(self.nonce(), rest, length)


class CtrEtm:
    """RFC 4344 with hmac-sha2-256-etm@openssh.com."""
    after = 32

    def __init__(self, key, iv, mac):
        both = Cipher(algorithms.AES(key), modes.CTR(iv[:16]))
        self.encryptor, self.mac = both.encryptor(), mac

    def tag(self, sequence, bytes_):
        return hmac.new(self.mac, u32(sequence) + bytes_, hashlib.sha256).digest()

    def seal(self, sequence, length, body):
        sealed = length + self.encryptor.update(body)
        return sealed + self.tag(sequence, sealed)

    def open(self, sequence, length, rest):
        assert hmac.compare_digest(self.tag(sequence, length + rest[:-32]), rest[-32:])
        return self.encryptor.update(rest[:-32])


class Raw:
    def __init__(self, port, cipher=b"aes128-gcm@openssh.com", strict=True, host="127.0.0.1"):
        self.sock = socket.create_connection((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(PATIENCE)
        self.cipher, self.strict = cipher, strict
        self.came = b""
        self.out = self.into = self.next_in = None  # ciphers
        self.sent = self.received = 0  # sequence numbers of the next packets
        self.session_id = None
        self.channel = 0  # the server's number of the one opened last

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    # --- bytes

    def send_bytes(self, bytes_):
        try:
            self.sock.sendall(bytes_)
        except (ConnectionError, BrokenPipeError):
            raise Ended from None

    def fill(self):
        try:
            more = self.sock.recv(65536)
        except ConnectionError:
            more = b""
        if not more:
            raise Ended
        self.came += more

    def take(self, size):
        while len(self.came) < size:
            self.fill()
        taken, self.came = self.came[:size], self.came[size:]
        return taken

    def versions(self):
        self.send_bytes(VERSION + b"\r\n")
        while b"\n" not in self.came:
            self.fill()
        line, self.came = self.came.split(b"\n", 1)
        self.server_version = line.rstrip(b"\r")
        assert self.server_version.startswith(b"SSH-2.0-"), line

    # --- packets

    def packet(self, payload, length=None, padding=None):
        """The bytes of a packet. `length` and `padding`: what its fields say, be it true or not."""
        clear = 0 if self.out else 4  # whether the length is padded along
        block = 16 if self.out else 8
        pad = -(clear + 1 + len(payload)) % block
        pad += block if pad < 4 else 0
        body = bytes([pad if padding is None else padding]) + payload + bytes(pad)
        head = u32(len(body) if length is None else length)
        made = self.out.seal(self.sent, head, body) if self.out else head + body
        self.sent = (self.sent + 1) % 2 ** 32
        return made

    def send(self, payload, **fields):
        self.send_bytes(self.packet(payload, **fields))

    def next(self):
        """The payload of the next packet, DISCONNECT included."""
        head = self.take(4)
        size, = struct.unpack(">I", head)
        assert size < 300_000, "no packet"
        if self.into:
            body = self.into.open(self.received, head, self.take(size + self.into.after))
        else:
            body = self.take(size)
        self.received = (self.received + 1) % 2 ** 32
        payload = body[1:len(body) - body[0]]
        if payload[:1] == bytes([NEWKEYS]) and self.next_in:
            self.into, self.next_in = self.next_in, None
            self.received = 0 if self.strict else self.received
        return payload

    def expect(self, *kinds):
        """The next packet that is none of IGNORE, UNIMPLEMENTED, DEBUG, EXT_INFO, WINDOW_ADJUST, if it is of these."""
        while True:
            payload = self.next()
            if payload[0] in kinds:
                return payload
            if payload[0] == DISCONNECT:
                raise Ended
            assert payload[0] in (2, 3, 4, 7, 93), "%d instead of %s" % (payload[0], kinds)

    def to_the_end(self):
        """All payloads until the server closes; we have nothing more to say."""
        seen = []
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        try:
            while not seen or seen[-1][:1] != bytes([NEWKEYS]) or self.into:
                seen.append(self.next())
            while True:  # under keys that we have not got
                self.fill()
        except Ended:
            return seen

    # --- key exchange

    def kexinit(self, kex=b"curve25519-sha256", follows=False):
        algorithms_ = [kex + b"," + STRICT if self.strict and not self.session_id else kex, b"ssh-ed25519"]
        algorithms_ += [self.cipher] * 2 + [b"hmac-sha2-256-etm@openssh.com"] * 2 + [b"none"] * 2 + [b""] * 2
        return bytes([KEXINIT]) + os.urandom(16) + b"".join(map(text, algorithms_)) + bytes([follows]) + u32(0)

    def ecdh_init(self):
        self.secret = X25519PrivateKey.generate()
        self.public = self.secret.public_key().public_bytes(serialization.Encoding.Raw,
                                                            serialization.PublicFormat.Raw)
        return bytes([ECDH_INIT]) + text(self.public)

    def begin_kex(self, **how):
        self.mine = self.kexinit(**how)
        self.send(self.mine)

    def hear_kex(self):
        self.theirs = self.expect(KEXINIT, DATA)
        while self.theirs[0] != KEXINIT:
            self.theirs = self.expect(KEXINIT, DATA)

    def offered(self):
        """The server's key exchange algorithms."""
        return take_text(self.theirs, 17)[0].split(b",")

    def ecdh(self):
        """Sends our half, and makes keys of what comes back."""
        self.send(self.ecdh_init())
        self.hear_reply()

    def hear_reply(self):
        reply = self.expect(ECDH_REPLY)
        host_key, at = take_text(reply, 1)
        theirs, at = take_text(reply, at)
        shared = mpint(self.secret.exchange(X25519PublicKey.from_public_bytes(theirs)))
        parts = (VERSION, self.server_version, self.mine, self.theirs, host_key, self.public, theirs)
        exchange = hashlib.sha256(b"".join(map(text, parts)) + shared).digest()
        self.session_id = self.session_id or exchange

        def derive(letter):  # RFC 4253, 7.2
            return hashlib.sha256(shared + exchange + letter + self.session_id).digest()

        size = SIZES[self.cipher]
        make = CtrEtm if self.cipher.endswith(b"ctr") else Gcm
        self.next_out = make(derive(b"C")[:size], derive(b"A"), derive(b"E"))
        self.next_in = make(derive(b"D")[:size], derive(b"B"), derive(b"F"))

    def new_keys(self, reset=True):
        self.send(bytes([NEWKEYS]))
        self.expect(NEWKEYS)
        self.out = self.next_out
        if self.strict and reset:
            self.sent = 0

    def exchange_keys(self):
        self.begin_kex()
        self.hear_kex()
        self.ecdh()
        self.new_keys()
        return self

    def keyed(self):
        self.versions()
        return self.exchange_keys()

    # --- login and channels

    def ask_service(self):
        self.send(b"\x05" + text(b"ssh-userauth"))
        self.expect(ACCEPT)
        return self

    def request(self, key, user=b"alice", signed=True, session_id=None, signer=None):
        """The payload of a publickey request, the signature's last byte last."""
        public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        blob = text(b"ssh-ed25519") + text(public)
        request = (b"\x32" + text(user) + text(b"ssh-connection") + text(b"publickey") + bytes([signed]) +
                   text(b"ssh-ed25519") + text(blob))
        if signed:
            signature = (signer or key).sign(text(self.session_id if session_id is None else session_id) + request)
            request += text(text(b"ssh-ed25519") + text(signature))
        return request

    def log_in(self, key, user=b"alice"):
        self.ask_service()
        self.send(self.request(key, user))
        self.expect(AUTH_SUCCESS)
        return self

    @staticmethod
    def open_session(here=0, window=1 << 20, packet=32768):
        return b"\x5a" + text(b"session") + u32(here) + u32(window) + u32(packet)

    def open(self, **how):
        self.send(self.open_session(**how))
        self.channel, = struct.unpack_from(">I", self.expect(OPENED), 5)
        return self

    def channel_request(self, name, rest=b"", reply=True):
        return b"\x62" + u32(self.channel) + text(name) + bytes([reply]) + rest

    def execute(self, command):
        self.send(self.channel_request(b"exec", text(command)))
        self.expect(DONE)
        return self

    def close_channel(self):
        self.send(bytes([CLOSE]) + u32(self.channel))
        while self.expect(DATA, 95, 96, 98, CLOSE)[0] != CLOSE:
            pass
        return self


def user_key(path):
    with open(path, "rb") as file:
        return serialization.load_ssh_private_key(file.read(), None)


def strange_key():
    return Ed25519PrivateKey.generate()
