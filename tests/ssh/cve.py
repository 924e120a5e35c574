"""The known holes of SSH servers built on libssh, tried on this one: cve.py PORT KEY CASE. Exit 0: it has not got it.

Not here, since nothing from outside can bring them about: CVE-2025-5372 (a return code of the key derivation) and
CVE-2025-5987 (one of ChaCha20) show only when OpenSSL itself fails, as without memory.
"""
import os, sys
from raw_client import ACCEPT, AUTH_SUCCESS, CLOSE, DATA, DONE, NEWKEYS, OPENED, REFUSED
from raw_client import Ended, Raw, strange_key, text, u32, user_key

port, key, case = int(sys.argv[1]), user_key(sys.argv[2]), sys.argv[3]
GCM, GCM256, CTR = b"aes128-gcm@openssh.com", b"aes256-gcm@openssh.com", b"aes256-ctr"


def ended(raw, *forbidden):
    """The server closes, and none of these came before that. Returns what came."""
    seen = raw.to_the_end()
    kinds = {payload[0] for payload in seen}
    assert not kinds & set(forbidden), kinds
    return kinds


def cut_off(raw, what):
    """The server closes of its own accord: we keep our side open."""
    try:
        while True:
            raw.next()
    except Ended:
        raw.sock.close()
    except TimeoutError:
        sys.exit("not cut off: " + what)


def still_good(raw):
    raw.open(here=99)
    raw.send(raw.channel_request(b"exec", text(b"exit 7")))
    seen = []
    while not seen or seen[-1][0] != CLOSE:
        seen.append(raw.expect(DONE, 96, 98, CLOSE))
    raw.send(bytes([CLOSE]) + u32(raw.channel))
    assert seen[0][0] == DONE and any(one[0] == 98 and one.endswith(u32(7)) for one in seen), seen


def cve_2018_10933():
    """A client says USERAUTH_SUCCESS, and is in."""
    for state in (Raw.keyed, lambda raw: raw.keyed().ask_service()):
        for said in (b"\x34", b"\x34" * 40, b"\x33" + text(b"none") + b"\1",
                     b"\x3c" + text(b"ssh-ed25519") + text(b"")):
            raw = state(Raw(port))
            raw.send(said)
            try:
                raw.send(raw.open_session())
                raw.send(raw.channel_request(b"exec", text(b"exit 0")))
            except Ended:
                pass
            ended(raw, OPENED, DONE, AUTH_SUCCESS)


def cve_2020_1730():
    """A connection with AES-CTR ends before there is a key, or at once after."""
    for cipher in (CTR, GCM):
        for steps in range(6):
            raw = Raw(port, cipher)
            for step in (raw.versions, raw.begin_kex, raw.hear_kex, raw.ecdh, raw.new_keys)[:steps]:
                step()
            raw.sock.close()
        raw = Raw(port, cipher)
        raw.versions()
        raw.begin_kex()
        raw.send(bytes([NEWKEYS]))
        ended(raw)


def cve_2021_3634():
    """A second key exchange with a hash of another size than the session's identifier."""
    for kex in (b"diffie-hellman-group16-sha512", b"ecdh-sha2-nistp521", b"ecdh-sha2-nistp384",
                b"diffie-hellman-group14-sha1"):
        raw = Raw(port).keyed().log_in(key)
        assert kex not in raw.offered(), kex
        raw.begin_kex(kex=kex)
        cut_off(raw, "a rekey by %s" % kex)
    raw = Raw(port, CTR).keyed().log_in(key)
    for i in range(20):
        raw.exchange_keys()
        still_good(raw)


def cve_2023_1667():
    """A second key exchange with a guess: right, wrong, followed by nothing or by something else."""
    wrong = b"nonsense,curve25519-sha256"
    for kex, guess, good in ((b"curve25519-sha256", None, True), (wrong, b"\x1e" + text(b"guess"), True),
                             (wrong, None, False), (wrong, b"\x22" + u32(1024), False), (wrong, b"\x1f", False),
                             (wrong, bytes([NEWKEYS]), False), (b"nonsense", b"\x1e" + text(b""), False),
                             (b"curve25519-sha256", b"\x1e" + text(b""), False)):
        for logged_in in (False, True):
            raw = Raw(port)
            if logged_in:
                raw.keyed().log_in(key)
            else:
                raw.versions()
            raw.begin_kex(kex=kex, follows=True)
            try:
                if guess:
                    raw.send(guess)
                if good:
                    raw.hear_kex()
                    raw.ecdh()
                    raw.new_keys()
                    still_good(raw if logged_in else raw.log_in(key))
                else:
                    raw.send(raw.ecdh_init())
            except Ended:
                assert not good, (kex, guess)
            ended(raw)


def cve_2023_2283():
    """A signature that could not be verified counts as one that was."""
    def altered(request, at):
        return request[:at] + bytes([request[at] ^ 1]) + request[at + 1:]

    other = strange_key()
    makers = [lambda raw, at=at: altered(raw.request(key), at) for at in range(-64, 0)]
    makers += [lambda raw: raw.request(key, signer=other), lambda raw: raw.request(key, session_id=bytes(32)),
               lambda raw: raw.request(key, session_id=b""), lambda raw: raw.request(key)[:-87],
               lambda raw: raw.request(key)[:-87] + text(b""),
               lambda raw: raw.request(key)[:-87] + text(text(b"ssh-ed25519") + text(b"")),
               lambda raw: raw.request(key)[:-87] + text(text(b"ssh-ed25519") + text(bytes(64))),
               lambda raw: raw.request(key)[:-87] + text(text(b"ssh-ed25519") + text(bytes(63))),
               lambda raw: raw.request(key)[:-87] + text(text(b"ssh-rsa") + text(bytes(64))),
               lambda raw: raw.request(key)[:-87] + text(text(b"rsa-sha2-256") + text(bytes(256)))]
    # The request's own word for the algorithm is not here: libssh goes by key and signature, which must be of one kind.
    for make in makers:
        raw = Raw(port).keyed().ask_service()
        try:
            raw.send(make(raw))
            raw.send(raw.open_session())
        except Ended:
            pass
        ended(raw, AUTH_SUCCESS, OPENED)


def cve_2023_48795():
    """Terrapin: a packet that is put in before the keys are there shifts the sequence numbers."""
    ignore = b"\x02" + text(b"")
    for put_in in (ignore, b"\x04\0" + text(b"") * 2, b"\x03" + u32(0), b"\x07" + u32(0)):
        for place in range(3):
            raw = Raw(port)
            raw.versions()
            try:
                if place == 0:
                    raw.send(put_in)
                raw.begin_kex()
                raw.hear_kex()
                assert b"kex-strict-s-v00@openssh.com" in raw.offered(), raw.offered()
                if place == 1:
                    raw.send(put_in)
                raw.ecdh()
                if place == 2:
                    raw.send(put_in)
                raw.new_keys()
                raw.send(b"\x05" + text(b"ssh-userauth"))
            except Ended:
                continue
            try:
                while True:
                    assert raw.next()[0] != ACCEPT, "%r was borne at place %d" % (put_in, place)
            except Ended:
                pass
    # Who does not ask for strictness may put it in: so above it was not the packet itself that was refused.
    raw = Raw(port, strict=False)
    raw.versions()
    raw.begin_kex()
    raw.hear_kex()
    raw.send(ignore)
    raw.ecdh()
    raw.new_keys()
    raw.log_in(key)
    # The numbers begin anew with the keys, so that nothing before them matters.
    raw = Raw(port, CTR)
    raw.versions()
    raw.begin_kex()
    raw.hear_kex()
    raw.ecdh()
    raw.new_keys(reset=False)
    raw.send(b"\x05" + text(b"ssh-userauth"))
    ended(raw, ACCEPT)
    Raw(port, CTR).keyed().log_in(key)


def cve_2025_8277():
    """Wrong guesses leak: prints the memory of the process PID, before and after very many."""
    def resident():
        with open("/proc/%s/statm" % sys.argv[4]) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024

    def guess_wrong(times):
        raw = Raw(port, strict=False)
        raw.keyed().log_in(key)
        for i in range(times):
            raw.begin_kex(kex=b"nonsense,curve25519-sha256", follows=True)
            raw.send(b"\x1e" + text(b"wrong"))
            raw.hear_kex()
            raw.ecdh()
            raw.new_keys()
        raw.to_the_end()  # and so freed

    # Before the login there is no second exchange at all, so a stranger has one guess a connection.
    for state in (Raw.keyed, lambda raw: raw.keyed().ask_service()):
        raw = state(Raw(port))
        raw.begin_kex()
        cut_off(raw, "a rekey before the login")
    guess_wrong(300)
    before = resident()
    guess_wrong(1000)
    print(resident() - before)


def cve_2026_59847():
    """What was altered on its way is taken: each byte of length, ciphertext and tag, each bit of the tag's last."""
    service = b"\x05" + text(b"ssh-userauth")
    for cipher in (GCM, GCM256, CTR):
        with Raw(port, cipher).keyed() as raw:
            size = len(raw.packet(service))
        changes = [(at, 0x80 if at < 4 else 1) for at in range(size)] + [(size - 1, 1 << bit) for bit in range(1, 8)]
        for at, flip in changes:
            raw = Raw(port, cipher).keyed()
            packet = bytearray(raw.packet(service))
            packet[at] ^= flip
            raw.send_bytes(bytes(packet))
            ended(raw, ACCEPT)
            raw.sock.close()
        for missing in range(1, raw.out.after + 1):  # a tag that is cut, and bytes of the next packet in its place
            raw = Raw(port, cipher).keyed()
            packet = raw.packet(service)
            raw.send_bytes(packet[:-missing] + raw.packet(service))
            ended(raw, ACCEPT)
            raw.sock.close()


def cve_2026_59843():
    """A channel whose packets may hold nothing."""
    raw = Raw(port).keyed().log_in(key)
    sizes = (0, 1, 10, 255, 0xffffffff)
    for here, packet in enumerate(sizes):
        raw.send(raw.open_session(here=here, packet=packet))
    opened = []
    while 4 not in opened:  # the answers come in order, if they come: libssh drops the first without a word
        payload = raw.expect(OPENED, REFUSED)
        if payload[0] == OPENED:
            opened.append(int.from_bytes(payload[1:5], "big"))
    assert opened == [4], opened
    still_good(raw)


def cve_2026_59850():
    """Data for a channel that is closed, or never was."""
    for first in (b"", b"\x61", b"\x60"):
        raw = Raw(port).keyed().log_in(key).open().execute(b"cat")
        there = u32(raw.channel)
        late = [b"\x5e" + there + text(b"late"), b"\x5f" + there + u32(1) + text(b"late"), b"\x60" + there,
                b"\x5d" + there + u32(9), raw.channel_request(b"exec", text(b"cat")),
                raw.channel_request(b"break", u32(0)), b"\x61" + there, b"\x5e" + u32(77) + text(b"nobody")]
        said = ([first + there] if first else []) + [bytes([CLOSE]) + there] + late * 50
        burst = b"".join(map(raw.packet, said))
        try:
            raw.send_bytes(burst)
        except Ended:
            pass
        ended(raw)
    raw = Raw(port).keyed().log_in(key)
    for i in range(100):
        raw.open(here=i).execute(b"both")
        raw.send(bytes([CLOSE]) + u32(raw.channel))
        raw.send(b"\x5e" + u32(raw.channel) + text(b"late"))
        while raw.expect(DATA, 95, 96, 98, CLOSE)[0] != CLOSE:
            pass
    still_good(raw)


def cve_2026_0966():
    """The identifiers of GSSAPI mechanisms: empty, cut short, of odd lengths, many."""
    krb5 = b"\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
    lists = [[b""], [b"\x06"], [b"\x06\0"], [b"\x06\xff"], [b"\x06\x09"], [krb5[:-1]], [krb5 + b"x"],
             [b"\x05" + krb5[1:]], [krb5] * 64, [bytes(20000)], [krb5, b""]]
    requests = [u32(len(one)) + b"".join(map(text, one)) for one in lists]
    requests += [u32(0), u32(0xffffffff), u32(2) + text(krb5), u32(1) + u32(0xffffffff), b""]
    for rest in requests:
        raw = Raw(port).keyed().ask_service()
        try:
            for i in range(20):
                raw.send(b"\x32" + text(b"alice") + text(b"ssh-connection") + text(b"gssapi-with-mic") + rest)
        except Ended:
            pass
        cut_off(raw, "%r, twenty times" % rest[:40])


def cve_2026_3731():
    """The names of SFTP extensions: the library's SFTP is not used, and the core gets them as bytes."""
    raw = Raw(port).keyed().log_in(key).open()
    raw.send(raw.channel_request(b"subsystem", text(b"sftp")))
    raw.expect(99)
    names = b"".join(text(b"posix-rename@openssh.com" + b"x" * i) + text(b"1") for i in range(200))
    raw.send(b"\x5e" + u32(raw.channel) + text(text(b"\x01" + u32(3) + names)))
    still_good(raw)


globals()[case]()
