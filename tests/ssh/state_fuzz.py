"""Every message number in every state of an SSH connection, in several shapes: state_fuzz.py PORT KEY GROUP [full].

GROUP is strangers (nobody has logged in), halfway (a key was right, a code is to come) or known (logged in). Without
"full" each number meets each state once, in a shape that rotates. Exit 0: nobody got what was not theirs, and no
connection was left hanging. The last line: how many cases and connections there were.
"""
import contextlib
import collections, random, sys, time
from raw_client import AUTH_SUCCESS, DATA, DONE, FAILURE, INFO_REQUEST, OPENED, UNIMPLEMENTED
from raw_client import Ended, Raw, strange_key, text, u32, user_key

PING = b"\xc0"  # 192 is nobody's: the answer is UNIMPLEMENTED, with this packet's number
# Messages after which a connection may no longer be in its state: the next number has one of its own.
CHANGING = {1, 5, 6, 20, 21, 30, 31, 32, 33, 34, 50, 51, 52, 53, 60, 61, 90, 96, 97, 98}
MOST_ON_ONE = 12  # numbers on a connection that stays: what may come before the login has a bound

port, key = int(sys.argv[1]), user_key(sys.argv[2])
group, full = sys.argv[3], sys.argv[4:] == ["full"]
stranger = strange_key()
dice = random.Random(4253)


def plausible(raw, number):
    """What an honest client could send with that number, if there is such a thing."""
    channel = u32(raw.channel)
    return {1: u32(11) + text(b"bye") + text(b""), 2: text(b"ignored"), 3: u32(0), 4: b"\0" + text(b"x") + text(b""),
            5: text(b"ssh-connection"), 6: text(b"ssh-userauth"), 7: u32(1) + text(b"server-sig-algs") + text(b"x"),
            20: raw.kexinit()[1:], 30: text(b"\x09" + bytes(31)),
            31: text(b"k" * 51) + text(b"\x09" + bytes(31)) + text(b"s" * 83),
            50: raw.request(stranger, session_id=b"another")[1:], 51: text(b"none") + b"\0",
            53: text(b"banner") + text(b""), 60: text(b"ssh-ed25519") + text(b"k" * 51),
            61: u32(1) + text(b"000000"), 80: text(b"tcpip-forward") + b"\1" + text(b"") + u32(0), 81: u32(22),
            90: raw.open_session(here=7)[1:], 91: channel + u32(0) + u32(1 << 20) + u32(1 << 15),
            92: channel + u32(1) + text(b"no") + text(b""), 93: channel + u32(0xffffffff), 94: channel + text(b"typed"),
            95: channel + u32(1) + text(b"typed"), 96: channel, 97: channel,
            98: channel + text(b"env") + b"\1" + text(b"A") + text(b"B"), 99: channel, 100: channel,
            }.get(number, text(b"what") + channel)


# A shape: the payload's rest and what the packet's fields say.
SHAPES = {
    "plausible": lambda raw, number: (plausible(raw, number), {}),
    "empty": lambda raw, number: (b"", {}),
    "zero": lambda raw, number: (b"\0", {}),
    "random": lambda raw, number: (dice.randbytes(8), {}),
    "huge string": lambda raw, number: (u32(raw.channel) + u32(0xffffffff) + b"x", {}),
    "cut": lambda raw, number: (plausible(raw, number)[:dice.randrange(1, 9)], {}),
    "channel of nobody": lambda raw, number: (u32(0xfffffffe) + plausible(raw, number)[4:], {}),
    "35000 bytes": lambda raw, number: (dice.randbytes(35000), {}),
    "length 0": lambda raw, number: (plausible(raw, number), {"length": 0}),
    "length 1": lambda raw, number: (plausible(raw, number), {"length": 1}),
    "length 2^32-1": lambda raw, number: (plausible(raw, number), {"length": 0xffffffff}),
    "padding above all": lambda raw, number: (b"", {"padding": 255}),
}
KEEPING = ("plausible", "empty", "zero", "random", "huge string", "cut", "channel of nobody")  # whole packets, not long


def fresh():
    return Raw(port, dice.choice((b"aes128-gcm@openssh.com", b"aes256-ctr")), strict=dice.random() < 0.5)


def before_version():
    return fresh()


def after_version():
    raw = fresh()
    raw.versions()
    return raw


def after_kexinit():
    raw = after_version()
    raw.begin_kex()
    raw.hear_kex()
    return raw


def amid_kex():
    raw = after_kexinit()
    raw.ecdh()
    return raw


def keyed():
    return fresh().keyed()


def in_service():
    return keyed().ask_service()


def refused():
    raw = in_service()
    raw.send(raw.request(stranger, b"mallory", signed=False))
    raw.expect(FAILURE)
    return raw


def partial():
    raw = in_service()
    raw.send(raw.request(key, b"further"))
    assert raw.expect(FAILURE)[-1] == 1, "no partial success"
    return raw


def prompted():
    raw = partial()
    raw.send(b"\x32" + text(b"further") + text(b"ssh-connection") + text(b"keyboard-interactive") + text(b"") * 2)
    raw.expect(INFO_REQUEST)
    return raw


def logged_in():
    return keyed().log_in(key)


def channel_open():
    return logged_in().open()


def in_shell():
    raw = channel_open()
    raw.send(raw.channel_request(b"pty-req", text(b"xterm") + u32(80) + u32(24) + u32(0) + u32(0) + text(b"\0")))
    raw.expect(DONE)
    raw.send(raw.channel_request(b"shell"))
    raw.expect(DONE)
    return raw


def channel_closed():
    return channel_open().close_channel()


def rekeying():
    raw = channel_open()
    raw.begin_kex()
    raw.hear_kex()
    return raw


def amid_rekey():
    raw = rekeying()
    raw.ecdh()
    return raw


GROUPS = {
    "strangers": (before_version, after_version, after_kexinit, amid_kex, keyed, in_service, refused),
    "halfway": (partial, prompted),
    "known": (logged_in, channel_open, in_shell, channel_closed, rekeying, amid_rekey),
}
LASTING = {keyed, in_service, refused, partial, prompted, logged_in, channel_open, in_shell, channel_closed}
FORBIDDEN = {AUTH_SUCCESS, 81, OPENED, DATA, DONE}  # nobody gets these who has not logged in


def look(seen, where):
    """Ends the run when a stranger was given something."""
    if group != "known":
        given = FORBIDDEN & {payload[0] for payload in seen}
        assert not given, "%s: %s was given" % (where, given)


def heard_to(raw, sequence):
    """What comes up to the answer to the packet of that number."""
    seen = []
    while True:
        seen.append(raw.next())
        if seen[-1] == bytes([UNIMPLEMENTED]) + u32(sequence):
            return seen


def part(raw, where):
    """The connection's end: it asks for a channel, whatever it has been through."""
    try:
        if group != "known":
            raw.send(raw.open_session(here=9))
        look(raw.to_the_end(), where)
        return "ended"
    except Ended:
        return "cut off"
    finally:
        raw.sock.close()


def no_version(raw, packet):
    """A packet in the place of the version line: at the most the server's own version comes."""
    try:
        raw.send_bytes(packet)
        with contextlib.suppress(OSError):  # the server may have hung up already
            raw.sock.shutdown(1)
        while True:
            raw.fill()
    except Ended:
        assert raw.came.count(b"\n") <= 1, raw.came
    finally:
        raw.sock.close()


def reach(state):
    try:
        return state()
    except (Ended, TimeoutError):
        raise AssertionError(state.__name__ + " is not reached any more") from None


def run(state):
    """All numbers in one state. Returns (cases, connections, what became of them)."""
    cases = connections = met = 0
    fates = collections.Counter()
    raw = None
    names = list(SHAPES)
    for number in range(256):
        # 5 is no multiple of the count of shapes: each shape meets each kind of number in some state.
        turn = (number * 5 + ALL.index(state)) % len(names)
        for name in names if full else (names[turn],):
            where = "%s, number %d, %s" % (state.__name__, number, name)
            lasting = state in LASTING and number not in CHANGING and name in KEEPING
            try:
                if raw and (not lasting or met >= MOST_ON_ONE):
                    fates[part(raw, where)] += 1
                    raw = None
                if not raw:
                    raw, met = reach(state), 0
                    connections += 1
                cases, met = cases + 1, met + 1
                rest, fields = SHAPES[name](raw, number)
                packet = raw.packet(bytes([number]) + rest, **fields)
                if state is before_version:
                    no_version(raw, packet)
                    fates["ended"] += 1
                    raw = None
                elif lasting:
                    ping = raw.sent
                    raw.send_bytes(packet + raw.packet(PING))
                    look(heard_to(raw, ping), where)
                    fates["goes on"] += 1
                else:
                    raw.send_bytes(packet)
                    fates[part(raw, where)] += 1
                    raw = None
            except Ended:
                fates["cut off"] += 1
                raw.sock.close()
                raw = None
            except TimeoutError:
                raise AssertionError(where + ": neither answered nor ended") from None
    if raw:
        part(raw, state.__name__)
    return cases, connections, fates


ALL = [state for states in GROUPS.values() for state in states]
begun, all_cases, all_connections = time.monotonic(), 0, 0
for each in GROUPS[group]:
    started = time.monotonic()
    cases_, connections_, fates_ = run(each)
    all_cases += cases_
    all_connections += connections_
    print("%s: %d cases, %d connections, %.1f s, %s" % (each.__name__, cases_, connections_,
                                                        time.monotonic() - started, dict(fates_)), flush=True)
print("%d cases, %d connections, %.1f s" % (all_cases, all_connections, time.monotonic() - begun))
