"""Checks what an audit trail proves by docs/formats.md alone, without any code of oobd: verifier.py STATE [ANCHORS [KEYS]].
Says what is wrong, a line each; exits 0 (whole), 1 (not whole) or 2 (nothing to read)."""
import base64, glob, hashlib, json, os, pathlib, re, sys, verifier_files
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

state, anchor_text, key_text = sys.argv[1], *[pathlib.Path(f).read_text() for f in sys.argv[2:4]], *[""] * (4 - len(sys.argv))
ANCHOR = r"(?m)^(\S+)\n([0-9]{1,18})\n([\w+/]{43}=)\n\n— |(?<![\w+/=.-])([0-9]{1,18}) ([\w+/]{43}=)(?![\w+/=])"
NOTE = "(([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n)\n— ([^\n ]+) ([A-Za-z0-9+/]{91}=)\n"
anchors = {(a or None, int(b or d), c or e): int(b or d) == 0 for a, b, c, d, e in re.findall(ANCHOR, anchor_text)}
wrong, rows, heads, newest = [], [], {}, {}
sha, b64 = lambda data: hashlib.sha256(data).digest(), lambda data: base64.b64encode(data).decode()
check = lambda right, *what: right or wrong.append(" ".join(map(str, what)))
read = lambda path: pathlib.Path(state, path).read_bytes() if os.path.exists(f"{state}/{path}") else b""

def quoted(v):  # the one form that a value has
    one = lambda c: "\\" + c if c in '"\\' else c if " " <= c <= "~" else re.sub("....", r"\\u\g<0>", c.encode("utf-16-be").hex())
    return '"' + "".join(map(one, v)) + '"' if type(v) is str else str(v) if type(v) is int and -2**63 <= v < 2**63 else "?"

def parse(line):
    r = json.loads(line)
    form = "{" + ",".join(f'"{k}":{quoted(r[k])}' for k in sorted(r) if re.fullmatch("[a-z0-9_]+", k)) + "}"
    kinds = [type(r.get(k)) for k in ("boot", "ev", "t", "n", "mono")] == [str, str, str, int, int]
    return r if kinds and form.encode() == line and re.fullmatch(r"(?a)\d{4}(-\d\d){2}T\d\d(:\d\d){2}\.\d{6}Z", r["t"]) else 1 / 0

def tree_root(subtrees, top=b""):
    for one in reversed(subtrees): top = sha(b"\1" + one + top) if top else one
    return b64(top or sha(b""))

def life(folder):
    lines, mine, names = [], [], sorted(os.path.basename(f) for f in glob.glob(f"{state}/{folder}/*.jsonl"))
    first, seal = int(names[0][:12]), read(f"{folder}/checkpoints").decode(errors="replace")
    for name in names:
        *whole, torn = read(f"{folder}/{name}").split(b"\n")
        check(int(name[:12]) == first + len(lines) and (not torn or name == names[-1]), folder, name, "does not follow")
        lines += whole
    for n, line in enumerate(lines, first):
        try: mine.append(parse(line))
        except Exception: mine.append({"ev": "none", "n": None, "boot": n, "mono": 0})
        same = n > first and mine[-2]["boot"] == mine[-1]["boot"]
        check(mine[-1]["n"] == n and not (same and mine[-1]["mono"] < mine[-2]["mono"]), folder, n, "is altered")
    rows.extend(mine)
    pruned = lambda r: r["ev"] == "retention" and r.get("kind") == "journal" and r.get("to") == first
    heads[folder] = head = next((r for r in mine if pruned(r)), {}) if first else mine[0]
    if not first and folder != "journal" and not seal and head["ev"] != "journal.begin": return  # older than the seal
    vkey, subtrees = head.get("vkey", "++"), [bytes.fromhex(h) for h in head.get("tree", "").split()]
    origin, size, last, trusted, notes = vkey.split("+")[0], first, first, not key_text, re.findall(NOTE, seal)
    check(first or head["ev"] == "journal.begin" and head.get("format") == 1 and head.get("origin") == origin, folder, "has no begin")
    check(len(subtrees) == bin(first).count("1"), folder, "has no tree of what was removed")
    check("".join(f"{a}\n— {k} {s}\n" for a, _, _, _, k, s in notes) == seal, folder, "checkpoints that are none")
    while True:
        while notes and (int(notes[0][2]) <= size or size == first + len(lines)):
            body, name, count, root, signer, signature = notes.pop(0)
            newest[folder] = (name, int(count), root)
            if first and int(count) <= first: continue  # of what retention removed: a later one holds it
            try:
                raw, public = base64.b64decode(signature), base64.b64decode(vkey.split("+", 2)[2])
                keyid = sha(f"{origin}\n".encode() + public)[:4]
                Ed25519PublicKey.from_public_bytes(public[1:]).verify(raw[4:], body.encode())
                named = f"{origin}+{keyid.hex()}+{b64(public)}" == vkey and public[0] == 1 and raw[:4] == keyid and b64(raw) == signature
                last = size if named and name == signer == origin and int(count) == size and root == tree_root(subtrees) else 1 / 0
                trusted = trusted or vkey in key_text.split()
            except Exception: check(False, folder, "the checkpoint of", count, "does not fit")
        for a in anchors: anchors[a] |= a[1] < first or a[0] in (None, origin) and a[1:] == (size, tree_root(subtrees))
        if size > first and mine[size - first - 1]["ev"] == "key.rotate":
            check(last == size or size == first + len(lines), folder, "has no checkpoint at the key.rotate", size - 1)
            vkey = mine[size - first - 1]["next"]
        if size == first + len(lines): break
        node, n, size = sha(b"\0" + lines[size - first]), size, size + 1
        while n & 1: node, n = sha(b"\1" + subtrees.pop() + node), n >> 1
        subtrees.append(node)
    recent = [r for r in mine[last - first:] if r["boot"] == mine[-1]["boot"] and mine[-1]["mono"] - r["mono"] <= 10**6]
    check(size - last - len(recent) <= 16, folder, size - last, "records after the last checkpoint")
    check(trusted, folder, "no trusted key has signed it")

def main():
    lost = sorted((os.path.basename(f) for f in glob.glob(f"{state}/journal.lost-*")), key=lambda f: int(f.rsplit("-", 1)[1]))
    if not glob.glob(f"{state}/journal/*.jsonl"): return 2
    for folder in (*lost, "journal"): life(folder)
    for folder in lost:
        then = next((h for h in heads.values() if h.get("kept") == folder), None)
        said = then and (then.get("previous"), then.get("lost_size"), then.get("lost_root"))
        check(then or "journal.begin" != heads["journal"]["ev"], folder, "is not what a later life named")
        check(not then or folder not in newest or newest[folder] == said, folder, "has another newest checkpoint")
    for head in heads.values(): check(head.get("kept") in (None, *lost), head.get("kept"), "is missing")
    for anchor, fits in anchors.items(): check(fits, "what is remembered of", anchor[1], "does not fit")
    try: verifier_files.files(state, rows, check, "journal.begin" != heads["journal"]["ev"])
    except (KeyError, TypeError) as lack: check(False, "a record that binds a file lacks", lack)
    print("\n".join(wrong) or "whole")
    return 1 if wrong else 0

if __name__ == "__main__": sys.exit(main())
