"""A folder includes only folders below it and no neighbour (docs/architecture.md, "Floors"); what is foreign and
belongs to one floor stays there."""

import re

import sources

BELOW = {
    "base": set(),
    "auth": {"base"},
    "audit": {"base", "auth"},
    "recipe": {"base"},
    "uplink": {"base"},
    "notice": {"base", "auth"},
    "console": {"base", "auth", "audit", "recipe", "uplink", "notice"},
    "serial": {"base", "auth", "audit", "recipe", "uplink", "notice", "console"},
    "ipmi": {"base", "auth", "audit", "recipe", "uplink", "notice", "console"},
    "snapshot": {"base", "auth", "audit", "recipe", "uplink", "notice", "console"},
    "ssh": {"base"},
    "oobd": {"base", "auth", "audit", "recipe", "uplink", "notice", "console", "serial", "ipmi", "snapshot", "ssh"},
}
FOREIGN = {
    "libssh/": "ssh",
    "libserialport.h": "serial",
    "toml++/": "oobd",
    "vterm.h": "audit",
    "zlib.h": "recipe",
    "curl/": "notice",
    "git2": "snapshot",
    "expat.h": "snapshot",
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]*)"|<([^>\n]*)>)', re.MULTILINE)


def complaint(place, floor, ours, foreign):
    """Why a file of `floor` may not include this, or None. Tests of a floor see what the floor sees, and more:
    `floor` is None for a test of the whole."""
    if foreign is not None:
        if foreign == "boost/asio.hpp":
            return f"{place}: <boost/asio.hpp> takes seconds to compile; include the parts that are used"
        for prefix, owner in FOREIGN.items():
            if foreign.startswith(prefix) and floor not in (owner, None):
                return f"{place}: <{foreign}> belongs to {owner}/ alone"
        return None
    target = ours.split("/")[0] if "/" in ours else ""
    if target == "tests":
        return None
    if target not in BELOW:
        return f'{place}: "{ours}" is not named from the root of the project'
    if floor is None or target == floor or target in BELOW[floor]:
        return None
    kind = "a floor above it" if floor in BELOW[target] else "a neighbour"
    return f'{place}: {floor}/ includes "{ours}": {target}/ is {kind}'


def check(root):
    for path in sources.files(root, ".h", ".cc"):
        parts = path.relative_to(root).parts
        floor = parts[0]
        in_tests = floor == "tests"
        if in_tests:
            floor = parts[1] if parts[1] in BELOW else None
        text = path.read_text()
        for found in INCLUDE.finditer(text):
            place = f"{path.relative_to(root)}:{sources.line_of(text, found.start())}"
            ours, foreign = found.groups()
            if not in_tests and ours is not None and ours.startswith("tests/"):
                yield f'{place}: "{ours}": the program does not know its tests'
                continue
            # A test may look at what it tests with a library that the floor itself must not know.
            wrong = complaint(place, None if in_tests and foreign else floor, ours, foreign)
            if wrong:
                yield wrong
    for folder in sorted(root.iterdir()):
        if folder.name not in (*BELOW, "tests", "build") and not folder.name.startswith("."):
            if folder.is_dir() and any(folder.rglob("*.cc")):
                yield f"{folder.name}/: has sources, but is no floor of docs/architecture.md"


if __name__ == "__main__":
    sources.main(check)
