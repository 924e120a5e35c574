"""Holds `oobd verify` against verifier.py, which was made from docs/formats.md alone: over whole, damaged and forged trails
both must come to the same verdict, and to the right one. OOBD is the program; without it, ask ctest."""

import contextlib
import copy
import io
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import make_journal  # noqa: E402

WHOLE, NOT_WHOLE, UNREAD = 0, 1, 2


def spread(size, count):
    """`count` places over `size`, the ends among them."""
    return sorted({round(i * (size - 1) / (count - 1)) for i in range(count)})


class Verdicts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.pattern = Path(cls.folder.name) / "pattern"
        cls.board = make_journal.busy(cls.pattern)

    def setUp(self):
        self.state = Path(self.folder.name) / "state"
        self.addCleanup(shutil.rmtree, self.state, ignore_errors=True)
        self.restore()

    def restore(self):
        shutil.rmtree(self.state, ignore_errors=True)
        shutil.copytree(self.pattern, self.state)

    def judge(self, wanted, what, anchors="", keys=""):
        files = {}
        for name, text in (("anchors", anchors), ("keys", keys)):
            files[name] = Path(self.folder.name) / name
            files[name].write_text(text)
        options = (["--anchor", files["anchors"]] if anchors else []) + (["--key", files["keys"]] if keys else [])
        run = subprocess.run([os.environ["OOBD"], "verify", *options, self.state], capture_output=True, text=True)
        said, before, status = io.StringIO(), sys.argv, WHOLE
        sys.argv = ["verifier.py", str(self.state), str(files["anchors"]), str(files["keys"])]
        try:
            with contextlib.redirect_stdout(said):
                runpy.run_path(str(HERE / "verifier.py"), run_name="__main__")
        except SystemExit as end:
            status = NOT_WHOLE if isinstance(end.code, str) else end.code or WHOLE
            said.write(str(end.code))
        finally:
            sys.argv = before
        words = f"{what}\n--- oobd verify\n{run.stdout}{run.stderr}--- verifier.py\n{said.getvalue()}"
        self.assertEqual((run.returncode, status), (wanted, wanted), words)
        return run.stdout

    def change(self, path, content, what):
        before = path.read_bytes()
        path.write_bytes(content)
        self.judge(NOT_WHOLE, f"{path.name}: {what}")
        path.write_bytes(before)

    def test_a_whole_trail_is_whole(self):
        said = self.judge(WHOLE, "whole", self.board.anchor(), self.board.key.vkey(self.board.origin))
        self.assertIn(f"remember: {self.board.anchor()}\n", said)
        self.assertIn("1 of 1 that were remembered", said)

    def test_no_flipped_bit_goes_unseen(self):
        for path in sorted(self.state.rglob("*")):
            if path.suffix in (".jsonl", ".cast", ".log") or path.name == "checkpoints":
                content = path.read_bytes()
                for number, place in enumerate(spread(len(content), 12)):
                    flipped = bytearray(content)
                    flipped[place] ^= 1 << number % 8
                    self.change(path, bytes(flipped), f"bit {number % 8} of byte {place}")

    def test_no_record_can_be_dropped_doubled_moved_or_renumbered(self):
        path = self.state / "journal/000000000000.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        for at in spread(len(lines), 4):
            self.change(path, b"".join(lines[:at] + lines[at + 1:]), f"without {at}")
            self.change(path, b"".join(lines[:at + 1] + lines[at:]), f"{at} twice")
        self.change(path, b"".join(lines[:2] + [lines[3], lines[2]] + lines[4:]), "2 and 3 swapped")
        last = self.state / "journal/000000000010.jsonl"
        lines = last.read_bytes().splitlines(keepends=True)
        renumbered = [line.replace(b'"n":%d,' % n, b'"n":%d,' % (n - 1)) for n, line in enumerate(lines[5:], 15)]
        self.change(last, b"".join(lines[:4] + renumbered), "one dropped and the others renumbered")

    def test_no_cut_of_the_journal_goes_unseen(self):
        for name in ("000000000000.jsonl", "000000000010.jsonl"):
            path = self.state / "journal" / name
            content = path.read_bytes()
            for place in spread(len(content), 10):
                self.change(path, content[:place], f"cut to {place}")

    def test_checkpoints_that_are_cut_leave_records_unsealed_or_are_no_row(self):
        path = self.state / "journal/checkpoints"
        content = path.read_bytes()
        ends = [at + 1 for at in range(len(content)) if content[:at + 1].endswith(b"=\n") and b"\n\n" in content[at - 200:at]]
        for place in spread(len(content), 20):
            if place not in ends:
                self.change(path, content[:place], f"cut to {place}")
        self.change(path, content[:ends[0]], "one alone")

    def test_setting_all_back_is_seen_by_who_remembers(self):
        board = make_journal.Board(Path(self.folder.name) / "old")
        self.addCleanup(shutil.rmtree, board.state)
        make_journal.visit(board, 1)
        board.seal()
        shutil.rmtree(self.state)
        shutil.copytree(board.state, self.state)
        earlier = board.anchor()
        make_journal.visit(board, 2)
        board.seal()
        self.judge(WHOLE, "nobody remembers")
        self.judge(WHOLE, "an older one is remembered", earlier)
        self.judge(NOT_WHOLE, "the newest is remembered", f"[oobd: journal {board.anchor()}]")
        note = (board.folder / "checkpoints").read_text()
        self.judge(NOT_WHOLE, "as a note", f"mail from the board:\n\n{note}")

    def test_a_fork_with_a_key_of_its_own_is_seen_by_who_has_the_key(self):
        forged = make_journal.Board(Path(self.folder.name) / "forged")
        self.addCleanup(shutil.rmtree, forged.state)
        make_journal.visit(forged, 1)
        forged.seal()
        shutil.rmtree(self.state)
        shutil.copytree(forged.state, self.state)
        self.judge(WHOLE, "nobody has the key")
        self.judge(NOT_WHOLE, "the key is known", keys=self.board.key.vkey(self.board.origin))
        self.judge(NOT_WHOLE, "a checkpoint is remembered", self.board.anchor())

    def test_a_key_is_followed_from_the_first_to_the_newest(self):
        first = self.board.lines[0].decode().split('"vkey":"')[1].split('"')[0]
        self.judge(WHOLE, "the first", keys=f"# of the board\n{first}\n")

    def test_recordings_are_neither_cut_nor_added_nor_taken_away(self):
        path = self.state / "recordings/2026/11/22/20261122-160311-1.cast"
        self.change(path, path.read_bytes()[:-1], "cut by a byte")
        self.change(path, path.read_bytes() + b"[9.0]\n", "longer")
        path.rename(path.with_name("20261122-160311-9.cast"))
        self.judge(NOT_WHOLE, "renamed")
        path.with_name("20261122-160311-9.cast").rename(path)
        path.with_name("20261122-160311-8.cast").write_bytes(make_journal.HEAD)
        self.judge(NOT_WHOLE, "one that nobody began")
        path.with_name("20261122-160311-8.cast").unlink()
        (path.with_name("20261122-160312-2.cast")).unlink()
        self.judge(NOT_WHOLE, "deleted")

    def test_what_retention_removes_and_redactions_hide_is_said_and_whole(self):
        board = make_journal.Board(Path(self.folder.name) / "aged")
        self.addCleanup(shutil.rmtree, board.state)
        board.recording("20261122-160311-1", [make_journal.HEAD, b'[1.0, "o", "a b c"]\n'])
        begin, end = len(make_journal.HEAD), len(make_journal.HEAD) + 20
        board.redact("20261122-160311-1", begin, end, b"a b")
        board.mark("20261122-160311-1", 0, end)
        board.redact("20261122-160311-1", begin, end, b"c")
        board.rotate()
        board.seal()
        before = board.anchor()
        board.new_file()
        make_journal.visit(board, 3)
        board.retire_oldest()
        board.seal()
        shutil.rmtree(self.state)
        shutil.copytree(board.state, self.state)
        self.judge(WHOLE, "the oldest file was removed", f"{before}\n{board.anchor()}")
        path = next((self.state / "journal").glob("*.jsonl"))
        self.change(path, path.read_bytes().replace(b'"tree":"', b'"tree":"00', 1), "another tree")

    def test_a_tail_without_a_checkpoint_is_held_to_its_form_and_number(self):
        for _ in range(3):
            self.board.note("note", text="the last")  # in the pattern's folder, of which the state is a copy
        self.addCleanup(self.cut_back, 3)
        self.restore()
        self.judge(WHOLE, "as a crash leaves it")
        path = self.state / "journal/000000000010.jsonl"
        content = path.read_bytes()
        for old, new in ((b'"ev":"note"', b'"ev": "note"'), (b'"ev":"note"', b'"Ev":"note"'), (b'"ev":"note"', b'"ev":"n\u006fte"'),
                         (b'last"', b'last'), (b'{"boot"', b'{"zone":"x","boot"')):
            at = content.rindex(old)
            self.change(path, content[:at] + new + content[at + len(old):], f"{new} for {old}")
        lines = content.splitlines(keepends=True)
        self.change(path, b"".join(lines[:-2] + lines[-1:]), "the last but one is dropped")
        self.change(path, content + lines[-1], "the last is doubled")
        path.write_bytes(content[:-7])
        self.judge(WHOLE, "the last is torn")

    def cut_back(self, count):
        path = self.pattern / "journal/000000000010.jsonl"
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-count]))
        del self.board.lines[-count:]

    def test_a_key_is_replaced_only_where_the_one_before_signed_all_up_to_it(self):
        path = self.state / "journal/checkpoints"
        notes = path.read_text().split("\n\n")  # each checkpoint's three lines, after the signature of the one before
        rotate = next(n for n, line in enumerate(self.board.lines) if b'"ev":"key.rotate"' in line)
        text = path.read_text()
        note = next(piece for piece in self.notes(text) if piece.split("\n")[1] == str(rotate + 1))
        self.assertGreater(len(notes), 3)
        self.change(path, text.replace(note, "").encode(), "without the checkpoint at the rotation")
        signature = note.rstrip("\n").rsplit(" ", 1)[1]
        other = next(piece for piece in self.notes(text) if piece != note).rstrip("\n").rsplit(" ", 1)[1]
        self.change(path, text.replace(signature, other).encode(), "with the signature of another")
        body = note[:note.index("\n\n") + 1]
        raw = self.board.key.id(self.board.origin) + self.board.key.private.sign(body.encode())
        forged = make_journal.base64.b64encode(raw).decode()
        self.change(path, text.replace(signature, forged).encode(), "signed by the key that comes after it")

    def notes(self, text):
        lines = text.splitlines(keepends=True)
        return ["".join(lines[at:at + 5]) for at in range(0, len(lines), 5)]

    def test_a_lost_life_is_kept_and_proves_what_it_holds(self):
        lost = self.board
        (self.state / "journal").rename(self.state / "journal.lost-1")
        board = make_journal.Board(self.state, life=2, why="there was no key", previous=lost.origin, lost_size=len(lost.lines),
                                   lost_root=lost.anchor().split()[1], kept="journal.lost-1")
        make_journal.visit(board, 1)
        board.seal()
        self.judge(WHOLE, "a second life", f"{lost.anchor()}\n{board.anchor()}")
        for name in ("journal.lost-1/000000000010.jsonl", "journal.lost-1/checkpoints", "journal/000000000000.jsonl"):
            content = (self.state / name).read_bytes()
            for place in spread(len(content), 4):
                flipped = bytearray(content)
                flipped[place] ^= 2
                self.change(self.state / name, bytes(flipped), f"a bit of byte {place}")
        shutil.rmtree(self.state / "journal.lost-1")
        self.judge(NOT_WHOLE, "the lost life is gone")

    def test_transcripts_are_held_to_their_marks_save_what_retention_removed(self):
        later = self.state / "transcripts/edge1/00000000000000000013.log"
        self.change(later, later.read_bytes().replace(b"more", b"less"), "other text")
        self.change(later, later.read_bytes()[:-1], "cut")
        later.unlink()
        self.judge(NOT_WHOLE, "a segment that no retention names is gone")

    def test_what_nobody_signed_excuses_nothing(self):
        name = "20261122-160311-1"
        board = copy.copy(self.board)
        board.state, board.folder, board.lines = self.state, self.state / "journal", [*board.lines]
        board.retire(name)
        self.judge(NOT_WHOLE, "a retention without a checkpoint")

    def test_a_mark_as_live_begins_no_recording(self):
        path = self.state / "recordings/2026/11/22/20261122-160311-9.cast"
        shutil.copy(path.with_name("20261122-160311-1.cast"), path)
        (self.state / "recordings/open" / path.stem).touch()
        self.judge(NOT_WHOLE, "no recording.open tells of it")

    def test_without_a_journal_there_is_nothing_to_read(self):
        shutil.rmtree(self.state / "journal")
        self.judge(UNREAD, "no journal")


if __name__ == "__main__":
    unittest.main()
