"""No file above 600 lines (docs/conventions.md, "Files")."""

import sources

MOST = 600


def check(root):
    for path in sources.files(root, ".h", ".cc", ".py"):
        lines = path.read_text().count("\n")
        if lines > MOST:
            yield f"{path.relative_to(root)}:{MOST}: {lines} lines: split it by noun"


if __name__ == "__main__":
    sources.main(check)
