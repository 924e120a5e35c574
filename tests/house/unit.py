"""etc/oobd.service holds what it promises: systemd finds no fault in it, and its exposure is 1.5 of 10 at the most."""

import re
import subprocess
import tempfile
from pathlib import Path

import sources

UNIT = "etc/oobd.service"
MOST = 15  # tenths


def analyze(*arguments):
    run = subprocess.run(["systemd-analyze", "--no-pager", *arguments], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, errors="replace")
    return run.returncode, run.stdout


def check(root):
    unit = root / UNIT
    try:
        status, said = analyze("security", "--offline=true", f"--threshold={MOST}", str(unit))
    except FileNotFoundError:
        yield f"{UNIT}: systemd-analyze is not installed"
        return
    if status != 0:
        overall = re.search(r"Overall exposure.*", said)
        yield f"{UNIT}: {overall[0] if overall else said.strip()}: more than {MOST / 10}"
        for line in said.splitlines():
            if line.startswith("✗"):
                yield f"{UNIT}: {' '.join(line[1:].split())}"
    # What the unit starts need not be installed here.
    text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text())
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / unit.name
        copy.write_text(text)
        status, said = analyze("verify", "--man=no", str(copy))
    for line in said.splitlines():
        if unit.name in line:
            yield f"{UNIT}: {line}"


if __name__ == "__main__":
    sources.main(check)
