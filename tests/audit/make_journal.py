"""Makes a small audit trail by docs/formats.md, whole and with every kind of record that binds something, for tests:
make_journal.py STATE. Nothing of oobd's own is in it either."""

import base64
import hashlib
import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECOND = 1_000_000


def sha(data):
    return hashlib.sha256(data).digest()


def tree(leaves):
    """RFC 6962, 2.1, as it is written there."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha(b"")
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha(b"\1" + tree(leaves[:half]) + tree(leaves[half:]))


def text(value):
    if isinstance(value, int):
        return str(value)
    out = ""
    for char in value:
        if char in '"\\':
            out += "\\" + char
        elif " " <= char <= "~":
            out += char
        else:
            units = char.encode("utf-16-be").hex()
            out += "".join(f"\\u{units[at:at + 4]}" for at in range(0, len(units), 4))
    return f'"{out}"'


class Key:
    def __init__(self):
        self.private = Ed25519PrivateKey.generate()
        self.public = b"\1" + self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def id(self, name):
        return sha(name.encode() + b"\n" + self.public)[:4]

    def vkey(self, name):
        return f"{name}+{self.id(name).hex()}+{base64.b64encode(self.public).decode()}"


class Board:
    """A state folder with one life of a journal. `first` records may have been removed by retention."""

    def __init__(self, state, name="board1", life=1, **begin):
        self.state, self.folder = Path(state), Path(state) / "journal"
        self.folder.mkdir(parents=True)
        self.key, self.next_key = Key(), None
        self.board = name
        self.origin = f"{name}/oobd/{self.key.id(name).hex()}/{life}"
        self.lines, self.starts, self.sealed = [], [0], 0
        self.boot, self.mono, self.wall = "8e0e3e2c-51d5-4b0a-8d5c-1f6f34a3a1cd", 5 * SECOND, "2026-11-22T16:03:%02d.%06dZ"
        self.note("journal.begin", format=1, origin=self.origin, vkey=self.key.vkey(self.origin), **begin)
        self.note("start", version="oobd 0.1.0", dropped_bytes=0)

    def note(self, ev, **fields):
        self.mono += 600_000  # so that no 16 records and those of one second are many
        time = self.wall % divmod(self.mono, SECOND)
        fields |= {"boot": self.boot, "ev": ev, "mono": self.mono, "n": len(self.lines), "t": time}
        line = "{" + ",".join(f'"{key}":{text(fields[key])}' for key in sorted(fields)) + "}"
        self.lines.append(line.encode())
        with open(self.folder / f"{self.starts[-1]:012d}.jsonl", "ab") as file:
            file.write(line.encode() + b"\n")
        if len(self.lines) - self.sealed >= 16:
            self.seal()

    def root(self, size=None):
        return tree([sha(b"\0" + line) for line in self.lines[:size]])

    def anchor(self):
        return f"{len(self.lines)} {base64.b64encode(self.root()).decode()}"

    def seal(self):
        body = f"{self.origin}\n{len(self.lines)}\n{base64.b64encode(self.root()).decode()}\n"
        raw = self.key.id(self.origin) + self.key.private.sign(body.encode())
        with open(self.folder / "checkpoints", "ab") as file:
            file.write(f"{body}\n— {self.origin} {base64.b64encode(raw).decode()}\n".encode())
        self.sealed = len(self.lines)

    def rotate(self):
        following = Key()
        self.note("key.rotate", next=following.vkey(self.origin))
        self.seal()
        self.key = following

    def new_file(self):
        self.starts.append(len(self.lines))

    def retire_oldest(self):
        """Retention of the journal's first file."""
        begin, end = self.starts[0], self.starts[1]
        path = self.folder / f"{begin:012d}.jsonl"
        leaves, roots = [sha(b"\0" + line) for line in self.lines[:end]], []
        for bit in reversed(range(end.bit_length())):
            if end >> bit & 1:
                roots.append(tree(leaves[:1 << bit]).hex())
                leaves = leaves[1 << bit:]
        whole = path.read_bytes()
        self.note("retention", kind="journal", **{"from": begin, "to": end}, sha256=hashlib.sha256(whole).hexdigest(),
                  bytes=len(whole), why="age", vkey=self.key.vkey(self.origin), tree=" ".join(roots))
        path.unlink()
        self.starts.pop(0)

    def recording(self, name, pieces, close=True, opened=True):
        """A recording of these pieces, each a marked range."""
        below = f"{name[0:4]}/{name[4:6]}/{name[6:8]}/{name}.cast"
        path = self.state / "recordings" / below
        path.parent.mkdir(parents=True, exist_ok=True)
        (self.state / "recordings/open").mkdir(exist_ok=True)
        if opened:
            self.note("recording.open", recording=name, device="edge1", path=below)
        at = 0
        for piece in pieces:
            with open(path, "ab") as file:
                file.write(piece)
            self.mark(name, at, at + len(piece))
            at += len(piece)
        if close:
            self.note("recording.close", recording=name, size=at)
        else:
            (self.state / "recordings/open" / name).touch()
        return path

    def mark(self, name, begin, end):
        path = self.path(name)
        self.note("recording.mark", recording=name, **{"from": begin, "to": end},
                  sha256=hashlib.sha256(path.read_bytes()[begin:end]).hexdigest())

    def path(self, name):
        return self.state / "recordings" / name[0:4] / name[4:6] / name[6:8] / f"{name}.cast"

    def redact(self, name, begin, end, hide, done=True):
        """`*` for `hide` in the marked range from `begin` to `end`."""
        path = self.path(name)
        whole = path.read_bytes()
        after = whole[begin:end].replace(hide, b"*" * len(hide))
        self.note("redaction", recording=name, **{"from": begin, "to": end}, why="a password", user="alice",
                  before=hashlib.sha256(whole[begin:end]).hexdigest(), after=hashlib.sha256(after).hexdigest())
        if done:
            path.write_bytes(whole[:begin] + after + whole[end:])

    def retire(self, name):
        whole = self.path(name).read_bytes()
        self.note("retention", kind="recording", recording=name, sha256=hashlib.sha256(whole).hexdigest(),
                  bytes=len(whole), why="age")
        self.path(name).unlink()

    def transcript(self, device, pieces, at=0, segment=0):
        folder = self.state / "transcripts" / device
        folder.mkdir(parents=True, exist_ok=True)
        for piece in pieces:
            with open(folder / f"{segment:020d}.log", "ab") as file:
                file.write(piece)
            self.note("transcript.mark", device=device, **{"from": at, "to": at + len(piece)},
                      sha256=hashlib.sha256(piece).hexdigest())
            at += len(piece)

    def retire_transcript(self, device, segment):
        path = self.state / "transcripts" / device / f"{segment:020d}.log"
        whole = path.read_bytes()
        self.note("retention", kind="transcript", device=device, **{"from": segment, "to": segment + len(whole)},
                  sha256=hashlib.sha256(whole).hexdigest(), bytes=len(whole), why="size")
        path.unlink()


HEAD = b'{"version":2,"width":80,"height":24}\n'


def visit(board, number):
    who = {"user": "alice", "key": "SHA256:x", "source": "192.0.2.7", "session": number}
    board.note("session.open", **who, tty=1)
    board.note("note", **who, device="edge1", text='the "night" \\ shift: \U0001f600 é\n')
    board.note("session.close", **who, status=0)


def busy(state):
    """All that a verifier has to judge, whole: two keys, two files, recordings that are redacted, removed and live."""
    board = Board(state)
    visit(board, 1)
    board.recording("20261122-160311-1", [HEAD, b'[0.5, "o", "login: hunter2"]\n', b'[0.7, "o", "ok"]\n'])
    board.new_file()
    board.rotate()
    board.recording("20261122-160312-2", [HEAD, b'[0.1, "o", "secret"]\n'])
    board.redact("20261122-160312-2", len(HEAD), len(HEAD) + 21, b"secret")
    board.recording("20261121-160312-3", [HEAD])
    board.retire("20261121-160312-3")
    board.recording("20261122-160313-4", [HEAD], close=False)
    board.transcript("edge1", [b"boot\r\n", b"panic\r\n"])
    board.transcript("edge1", [b"more\r\n"], at=13, segment=13)
    board.retire_transcript("edge1", 0)
    visit(board, 2)
    board.note("stop")
    board.seal()
    return board


if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    print(busy(sys.argv[1]).anchor())
