"""Holds `oobd verify` against verifier.py, which was made from docs/formats.md alone: over whole, damaged and forged trails
both must come to the same verdict, and to the right one. OOBD is the program; without it, ask ctest."""

import contextlib
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
        options = ["--anchor", files["anchors"]] + (["--key", files["keys"]] if keys else [])
        run = subprocess.run([os.environ["OOBD"], "verify", *options, self.state], capture_output=True, text=True)
        said, before = io.StringIO(), sys.argv
        sys.argv = ["verifier.py", str(self.state), str(files["anchors"]), str(files["keys"])]
        try:
            with contextlib.redirect_stdout(said):
                runpy.run_path(str(HERE / "verifier.py"), run_name="__main__")
        except SystemExit as end:
            status = end.code
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

    def test_without_a_journal_there_is_nothing_to_read(self):
        shutil.rmtree(self.state / "journal")
        self.judge(UNREAD, "no journal")


if __name__ == "__main__":
    unittest.main()
