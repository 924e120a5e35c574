"""Nothing is built inside a co_await (docs/conventions.md, "Async"): g++ 12 destroys such temporaries twice. So no
brace and no bracket stands between a co_await and its semicolon."""

import re

import sources

AWAIT = re.compile(r"\bco_await\b([^;]*?)[\[{]")


def check(root):
    for path in sources.files(root, ".h", ".cc"):
        code = sources.code_only(path.read_text())
        for found in AWAIT.finditer(code):
            place = f"{path.relative_to(root)}:{sources.line_of(code, found.start())}"
            yield f"{place}: builds something inside a co_await: name it first, then move it in"


if __name__ == "__main__":
    sources.main(check)
