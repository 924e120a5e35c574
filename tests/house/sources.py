"""The project's own sources, and C++ text with its comments and literals blanked out."""

import re
import sys
from pathlib import Path

FLOORS = ("base", "auth", "audit", "recipe", "uplink", "notice", "console", "serial", "ipmi", "snapshot", "ssh", "oobd")


def files(root, *suffixes):
    """All files below the floors' folders and tests/ whose name ends so, sorted."""
    found = []
    for top in (*FLOORS, "tests"):
        for path in (root / top).rglob("*"):
            if path.suffix in suffixes and path.is_file():
                found.append(path)
    return sorted(found)


# Raw strings, strings, characters (not the quotes in 10'000), line and block comments.
_BLANK = re.compile(
    r'R"(?P<d>[^()\\\s]{0,16})\(.*?\)(?P=d)"|"(?:[^"\\\n]|\\.)*"|(?<![0-9A-Za-z_])\'(?:[^\'\\\n]|\\.)+\'|//[^\n]*|/\*.*?\*/',
    re.DOTALL)


def code_only(text):
    """`text` with comments and literals as blanks, newlines kept: line numbers stay true."""
    return _BLANK.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def main(check):
    """Runs check(root), which yields complaints; prints them and exits 1 where there are any."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    complaints = list(check(root))
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)
