"""The half of verifier.py that looks at what the journal binds: recordings and transcripts (docs/formats.md)."""
import glob, hashlib, os, pathlib

def fitting(name, marks, redacted, at, check):
    """Ranges of marks that fit; one that does not is a fault, save where a redaction meets it and others cover it."""
    good, bad = [], []
    for m in marks:
        allowed = {m["sha256"]}
        for r in redacted:
            if (r["from"], r["to"]) == (m["from"], m["to"]) and r["before"] in allowed: allowed.add(r["after"])
        data = at(m["from"], m["to"])
        if data is not None: (good if hashlib.sha256(data).hexdigest() in allowed else bad).append((m["from"], m["to"]))
    for begin, end in bad:
        met = any(r["from"] < end and begin < r["to"] for r in redacted)
        check(met and reach(good, begin) >= end, name, "is altered between", begin, "and", end)
    return good + bad

def reach(ranges, begin):
    for a, b in sorted(ranges): begin = max(begin, b) if a <= begin else begin
    return begin

def files(state, rows, check, pruned):
    mine = lambda ev, key, value: [r for r in rows if r["ev"] == ev and r.get(key) == value]
    names = {r["recording"] for r in rows if r["ev"].startswith("recording.") and "recording" in r}
    path_of = lambda id: f"{state}/recordings/{id[0:4]}/{id[4:6]}/{id[6:8]}/{id}.cast"
    for id in sorted(names):
        live = os.path.exists(f"{state}/recordings/open/{id}")
        retired = any(r.get("kind") == "recording" for r in mine("retention", "recording", id))
        marks, closed = mine("recording.mark", "recording", id), mine("recording.close", "recording", id)
        if not os.path.exists(path_of(id)):
            check(retired or live and not marks and not closed, id, "is missing")
            continue
        data = pathlib.Path(path_of(id)).read_bytes()
        held = fitting(id, marks, mine("redaction", "recording", id), lambda a, b: data[a:b] if b <= len(data) else b"cut", check)
        check(not closed or closed[-1]["size"] == len(data), id, "has another size")
        tail = len(data) - reach(held, 0)
        check(tail == 0 or not closed and tail <= (4 << 20) + 65536, id, "has", tail, "bytes that no mark covers")
    for path in glob.glob(f"{state}/recordings/**/*.cast", recursive=True):
        id = os.path.basename(path)[:-5]
        check(path == path_of(id) and (id in names or pruned) or os.path.exists(f"{state}/recordings/open/{id}"), path, "nobody began")
    for device in sorted({r["device"] for r in rows if r["ev"] == "transcript.mark"}):
        name = "".join(f"%{ord(c):02X}" if c in "/%\0" or c == "." and i == 0 else c for i, c in enumerate(device))
        starts = sorted(glob.glob(f"{glob.escape(f'{state}/transcripts/{name}')}/*.log"))
        have = [(int(os.path.basename(f)[:20]), pathlib.Path(f).read_bytes()) for f in starts]
        retired = [r for r in mine("retention", "device", device) if r.get("kind") == "transcript"]
        def at(a, b):
            got = b"".join(d[max(a - s, 0):max(b - s, 0)] for s, d in have)
            spared = any(r["from"] < b and a < r["to"] for r in retired)
            return got if len(got) == b - a or not spared else None
        fitting(device, mine("transcript.mark", "device", device), [], at, check)
