"""clang-format 14 has nothing to change."""

import re
import shutil
import subprocess

import sources


def check(root):
    program = shutil.which("clang-format-14") or shutil.which("clang-format")
    if not program:
        yield "clang-format-14 is not installed"
        return
    files = sources.files(root, ".h", ".cc")
    if not files:
        return
    names = [str(path.relative_to(root)) for path in files]
    run = subprocess.run([program, "--dry-run", "-Werror", *names], cwd=root, stderr=subprocess.PIPE, text=True)
    places = {}
    for line in run.stderr.splitlines():
        found = re.match(r"([^:]+):(\d+):\d+: error: code should be clang-formatted", line)
        if found:
            places.setdefault(found[1], set()).add(int(found[2]))
    for name, lines in places.items():
        yield f"{name}:{min(lines)}: clang-format -i would change this" + (
            f" and {len(lines) - 1} lines more" if len(lines) > 1 else "")
    if run.returncode != 0 and not places:
        yield run.stderr


if __name__ == "__main__":
    sources.main(check)
