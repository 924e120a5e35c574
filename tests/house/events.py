"""Every event the sources write into the journal is in its closed list (auth/journal_events.cc) and in docs/formats.md
("Events"), in the same words; and the other way round."""

import re

import sources

LIST, DOCUMENT = "auth/journal_events.cc", "docs/formats.md"
NAME = re.compile(r"[a-z]+(?:\.[a-z]+)*")
# What takes an event's name. An Entry that is handed to event() or object_of() goes into a recording, not the journal.
CALL = re.compile(r"(?<!event\()(?<!event\(auth::)(?<!object_of\()\b(?:Entry(?: \w+)?|event_of|event_?|note|entry)[({]")
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
# KIND.request and KIND.result: what is done to a machine (docs/formats.md).
DEED = re.compile(r"\.(?:request|result)$")


def without_comments(text):
    return re.sub(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*', lambda found: found[1] or "", text)


def arguments(text, at):
    """Literals that are themselves arguments, or arms of one, of the call whose parenthesis is before `at`."""
    depth = 1
    while at < len(text) and depth > 0:
        literal = LITERAL.match(text, at)
        if literal:
            if depth == 1 and NAME.fullmatch(literal[1]):
                yield at, literal[1]
            at = literal.end()
            continue
        depth += {"(": 1, "{": 1, ")": -1, "}": -1, ";": -depth}.get(text[at], 0)
        at += 1


def check(root):
    listed = dict(re.findall(r'\{"([a-z.]+)",\s*"([^"]*)"\}', (root / LIST).read_text()))
    table = (root / DOCUMENT).read_text().partition("\n### Events\n")[2].partition("\n## ")[0]
    told = dict(re.findall(r"(?m)^\| `([a-z.]+)` \| (.*) \|$", table))
    for name in sorted(listed.keys() | told.keys()):
        if name not in told:
            yield f"{DOCUMENT}: '{name}' of {LIST} is not among the events"
        elif name not in listed:
            yield f"{LIST}: '{name}' of {DOCUMENT} is missing"
        elif listed[name] != told[name]:
            yield f"{LIST}: '{name}' is \"{listed[name]}\", and \"{told[name]}\" in {DOCUMENT}"
    literals = set()
    for path in sources.files(root, ".cc"):
        place = path.relative_to(root)
        if place.parts[0] == "tests" or str(place) == LIST:
            continue
        text = without_comments(path.read_text())
        literals.update(LITERAL.findall(text))
        if "journal" not in text and "Entry" not in text and "event" not in text:
            continue
        for call in CALL.finditer(text):
            for at, name in arguments(text, call.end()):
                deed = name in ("request", "result")  # Deeds put the kind before it
                if name not in listed and not deed:
                    yield f"{place}:{sources.line_of(text, at)}: '{name}' is not among the events of {LIST}"
    for name in sorted(listed):
        stem, dot, last = name.rpartition(".")
        joined = {stem + dot, last} <= literals  # str("writer.", taken)
        if name not in literals and DEED.sub("", name) not in literals and not joined:
            yield f"{LIST}: '{name}' is written nowhere"


if __name__ == "__main__":
    sources.main(check)
