"""Checks an audit trail by docs/formats.md alone, with no code of oobd: verifier.py STATE [ANCHORS [KEYS]].
Exits with 0 (all is whole), 1 (it is not: what was found first is said) or 2 (there is no journal)."""
import base64, cryptography.exceptions, hashlib, json, pathlib, re, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
STATE, (ANCHORS, KEYS) = pathlib.Path(sys.argv[1]), [*(pathlib.Path(f).read_text() for f in sys.argv[2:]), "", ""][:2]
FIELD = rb'"[a-z0-9_]+":(0|-?[1-9]\d*|"([ !#-[\]-~]|\\["\\]|\\u(?!00[2-6]|007[0-9a-e])[0-9a-f]{4})*")'
NOTE = "((([^\n]+)\n(0|[1-9]\\d*)\n([A-Za-z0-9+/]{43}=)\n)\n— ([^\n ]+) ([A-Za-z0-9+/]{91}=)\n)"
sha, b64 = lambda data: hashlib.sha256(data).digest(), lambda data: base64.b64encode(data).decode()
check = lambda right, *words: right or sys.exit(" ".join(map(str, words)))
records, lives, roots = [], {}, {}  # all of them; how each life begins; root and key at each (origin, size)
def signed(text, vkey, signature):
    (_, key_id, public), raw = vkey.split("+", 2), base64.b64decode(signature)
    try: Ed25519PublicKey.from_public_bytes(base64.b64decode(public)[1:]).verify(raw[4:], text.encode())
    except cryptography.exceptions.InvalidSignature: return False
    return b64(bytes.fromhex(key_id) + raw[4:]) == signature
def life(folder):
    lines, mine, paths, seal = [], [], sorted((STATE / folder).glob("*.jsonl")), STATE / folder / "checkpoints"
    for path in paths:  # a crash may tear the last line of the last file
        *whole, torn = path.read_bytes().split(b"\n")
        check(int(path.stem) == int(paths[0].stem) + len(lines), path, "does not follow on the file before")
        lines += [] if torn and path != paths[-1] else whole
    size = first = sealed = int(paths[0].stem) if paths else 0
    for n, line in enumerate(lines, first):
        mine.append(json.loads(line) if re.fullmatch(rb"{%b(,%b)*}" % (FIELD, FIELD), line) else {})
        check(mine[-1].get("n") == n and [*mine[-1]] == sorted(mine[-1]), folder, "record", n, "is altered")
    heads = [r for r in mine if r["ev"] == "retention" and "tree" in r and r["to"] == first] if first else mine
    check(heads and (first or heads[0]["ev"] == "journal.begin") and seal.exists(), folder, "has no begin or no seal")
    subtrees, vkey = [bytes.fromhex(root) for root in heads[0].get("tree", "").split()], heads[0]["vkey"]
    lives[folder], origin, trusted = heads[0] | {"first": first}, vkey.split("+")[0], not KEYS
    for line, r in zip(lines, mine):
        node, top, size = sha(b"\0" + line), b"", size + 1
        while len(subtrees) >= size.bit_count(): node = sha(b"\1" + subtrees.pop() + node)  # RFC 6962, 2.1
        subtrees.append(node)
        for one in reversed(subtrees): top = sha(b"\1" + one + top) if top else one
        roots[origin, size] = b64(top), vkey
        vkey = r["next"] if r["ev"] == "key.rotate" else vkey
    notes = re.findall(NOTE, seal.read_bytes().decode(errors="replace"))
    check("".join(note[0] for note in notes).encode() == seal.read_bytes(), seal, "has what is no checkpoint")
    for _, text, name, count, root, signer, signature in notes:
        if first and int(count) <= first: continue  # its records were removed; a later one holds them too
        is_root, key = roots.get((name, int(count)), (None, None))
        fits = root == is_root and signer == name == origin and int(count) >= sealed and signed(text, key, signature)
        check(fits, folder, "checkpoint of", count, "does not fit")
        sealed, trusted = int(count), trusted or key in KEYS.split()
    turns = {r["n"] + 1 for r in mine if r["ev"] == "key.rotate" and r["n"] < sealed}
    check(turns <= {int(note[3]) for note in notes}, folder, "a key.rotate has no checkpoint")
    late = [r for r in mine[sealed - first:] if r["boot"] != mine[-1]["boot"] or mine[-1]["mono"] - r["mono"] > 10**6]
    check(len(late) <= 16 and size - sealed <= 4096 and trusted, folder, "lacks checkpoints, or one by a trusted key")
    records.extend(r for r in mine if r["n"] < sealed or r["ev"] not in ("retention", "redaction"))  # else anybody's
def bound(kind, name, said):  # the bytes of a recording or transcript against what is told of them
    of, proven, marked = lambda ev: [r for r in said if r["ev"].endswith(ev)], set(), set()
    folder = STATE / "transcripts" / re.sub(r"^\.|[/%\0]", lambda m: f"%{ord(m[0]):02X}", name)
    paths = sorted(folder.glob("*.log")) if kind == "transcript" else [cast(name)] * cast(name).exists()
    if kind == "recording" and not paths: return check(of("retention") or not of("mark"), name, "is missing")
    held = [(int(path.stem) if kind == "transcript" else 0, path.read_bytes()) for path in paths]
    for m in of("mark"):
        data = b"".join(data[max(m["from"] - at, 0):max(m["to"] - at, 0)] for at, data in held)
        hashes, span = [m["sha256"]], {*range(m["from"], m["to"])}
        for r in of("redaction"):
            if (r["from"], r["to"], r["before"] in hashes) == (m["from"], m["to"], True): hashes.append(r["after"])
        gone = len(data) < len(span) and any(span & {*range(r.get("from", 0), r.get("to", 0))} for r in of("retention"))
        marked, proven = marked | span, proven | (span if gone or sha(data).hex() in hashes else set())
    check(marked <= proven, name, "is altered at", min(marked - proven, default=0))  # what no mark that fits covers
    check(all(r["size"] == len(held[0][1]) for r in of("close")), name, "has another size than when it was closed")
cast = lambda id: STATE / "recordings" / id[:4] / id[4:6] / id[6:8] / f"{id}.cast"
if not any((STATE / "journal").glob("*.jsonl")): sys.exit(2)
for folder in (*STATE.glob("journal.lost-*"), STATE / "journal"): life(folder.name)
for one in lives.values(): check(one.get("kept", "journal") in lives, one.get("kept"), "is missing")
first, said = max(one["first"] for one in lives.values()), {}
for size, root in re.findall(r"(?<![\w+/=.-])(\d{1,18})[ \n]([A-Za-z0-9+/]{43}=)", ANCHORS):
    fits = int(size) <= first or root in (known for (_, at), (known, _) in roots.items() if at == int(size))
    check(fits, "what is remembered of", size, "does not fit")
for r in records:
    kind = "recording" if r["ev"] == "redaction" else r.get("kind", r["ev"].split(".")[0])
    if kind in ("recording", "transcript"): said.setdefault((kind, r.get("recording", r.get("device"))), []).append(r)
for (kind, name), some in said.items(): bound(kind, name, some)
for path in (STATE / "recordings").rglob("*.cast"):
    live = (STATE / "recordings/open" / path.stem).exists() and path.read_bytes().count(b"\n") < 2
    begun = first or any(r["ev"] == "recording.open" for r in said.get(("recording", path.stem), ()))
    check((begun or live) and path == cast(path.stem), path, "is no recording of the journal's")
