"""Medians of several runs, and tables of them in Markdown."""

import statistics


def medians(runs):
    """One dictionary from several alike: the median of each number."""
    first = runs[0]
    return {key: statistics.median(run[key] for run in runs) if isinstance(first[key], (int, float)) else first[key]
            for key in first}


def table(head, rows):
    lines = ["| " + " | ".join(map(str, head)) + " |", "| --- " + "| ---: " * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def grid(figures, sizes, cell):
    """A row for each subject, a column for each number of consoles."""
    subjects = list(dict.fromkeys(figure["subject"] for figure in figures))
    found = {(figure["subject"], figure["consoles"]): figure for figure in figures}
    rows = [[subject] + [cell(found[subject, size]) if (subject, size) in found else "" for size in sizes]
            for subject in subjects]
    return table(["consoles", *sizes], rows)


def consoles(figures):
    sizes = sorted({figure["consoles"] for figure in figures})

    def lag(figure):
        return f"{figure['lag_p50_ms']:.1f} / {figure['lag_p99_ms']:.1f}"

    return "\n".join([
        "CPU seconds per MB logged:\n", grid(figures, sizes, lambda figure: f"{figure['cpu_s_per_mb']:.4f}"),
        "Lag to the file, p50 / p99 in ms:\n", grid(figures, sizes, lag),
        "Resident memory of all its processes, MiB:\n", grid(figures, sizes, lambda figure: f"{figure['rss_kib'] / 1024:.1f}"),
        "Logs that hold exactly what was said:\n",
        grid(figures, sizes, lambda figure: f"{figure['whole']:g} of {figure['consoles']}"),
        "Longest time that a console could not hand on what it said, ms:\n",
        grid(figures, sizes, lambda figure: f"{figure['held_ms']:.0f}"),
    ])


def flood(figures):
    return table(
        ["subject", "MB/s", "CPU s per MB", "log"],
        [[figure["subject"], f"{figure['mb_per_s']:.1f}", f"{figure['cpu_s_per_mb']:.4f}",
          "whole" if figure["whole"] == 1 else "not whole"] for figure in figures])


def pull(figures):
    return table(
        ["way", "bytes", "line", "s", "bytes on the wire", "exact"],
        [[figure["way"], figure["bytes"], figure["noise"], f"{figure['seconds']:.1f}", f"{figure['wire']:.0f}",
          f"{figure['exact']} of {figure['runs']}"] for figure in figures])


SESSIONS = (
    ("echo p50 / p99, ms", lambda row: f"{row['echo_p50_ms']:.2f} / {row['echo_p99_ms']:.2f}"),
    ("echo with 48 consoles talking, p50 / p99, ms",
     lambda row: f"{row['busy_echo_p50_ms']:.2f} / {row['busy_echo_p99_ms']:.2f}"),
    ("from ssh to the first echo, ms", lambda row: f"{row['attach_ms']:.0f}"),
    ("the same with 48 consoles talking, ms", lambda row: f"{row['busy_attach_ms']:.0f}"),
    ("CPU of one login, ms", lambda row: f"{row['login_cpu_ms']:.1f}"),
    ("one login after another, ms each", lambda row: f"{row['login_ms']:.0f}"),
    ("memory of an idle session, KiB", lambda row: f"{row['idle_session_kib']:.0f}"),
)

VIEWERS = (
    ("the log", lambda row: "whole" if row["log_whole"] == 1 else "not whole"),
    ("viewers that got everything", lambda row: f"{row['viewers_whole']:g} of {row['viewers']:g}"),
    ("longest time the console was held up, ms", lambda row: f"{row['held_ms']:.0f}"),
    ("CPU s", lambda row: f"{row['cpu_s']:.2f} in {row['seconds']:.0f} s"),
    ("memory, and what it grew by, MiB",
     lambda row: f"{row['rss_kib'] / 1024:.1f}, {row['rss_growth_kib'] / 1024:.1f}"),
    ("echo on another console, p50 / p99, ms",
     lambda row: f"{row['echo_p50_ms']:.2f} / {row['echo_p99_ms']:.2f}" if "echo_p50_ms" in row else ""),
)


SOL = (
    ("echo p50 / p99, ms", lambda row: f"{row['echo_p50_ms']:.2f} / {row['echo_p99_ms']:.2f}"),
    ("output, KB/s", lambda row: f"{row['sol_kb_per_s']:.1f}" if "sol_kb_per_s" in row else ""),
)


DOOR = (
    ("logins with a good key, refused ones", lambda row: f"{row['logins']}, {row['refused']}"),
    ("such a login p50 / p99, ms", lambda row: f"{row['p50_ms']:.0f} / {row['p99_ms']:.0f}"),
    ("strangers", lambda row: f"{row['done']} of {row['tried']} in {row['seconds']:.0f} s" if "done" in row else "none"),
    ("memory, journal: grew by, MiB",
     lambda row: f"{row['rss_kib_more'] / 1024:.1f}, {row['journal_kib_more'] / 1024:.2f}" if "done" in row else ""),
    ("descriptors more", lambda row: f"{row['descriptors_more']}" if "done" in row else ""),
)


def named(rows, figures):
    """A row for each of `rows`, a column for each name in `figures`."""
    return table(["", *figures], [[what, *(cell(row) for row in figures.values())] for what, cell in rows])


def bmcs(figures):
    ask = [[client, *(f"{fleet[client]['wall_s']:.2f} / {fleet[client]['cpu_s']:.2f}" for fleet in figures["ask"].values())]
           for client in next(iter(figures["ask"].values()))]
    memory = [[name, *(f"{figures['memory'][f'{field}_{which}_kib']:.0f}" for which in ("0", "200", "per_bmc"))]
              for name, field in (("Rss", "rss"), ("Pss", "pss"), ("Pss_Anon", "pss_anon"))]
    return "\n".join([
        "The power state of 200, wall / CPU seconds:\n", table(["client", *figures["ask"]], ask),
        "Memory of the core, KiB:\n", table(["", "no BMC", "200 with SOL open, idle", "a BMC"], memory),
        "SOL of one ipmi_sim:\n", named(SOL, figures["sol"]),
    ])


def audit(figures):
    def ratio(row):
        return statistics.median(row["with"]) / statistics.median(row["without"])

    recording = [[row["load"], row["text"], f"{statistics.median(row['without']):.4f}",
                  f"{statistics.median(row['with']):.4f}", f"{ratio(row):.2f}"] for row in figures["recording"]]
    search = []
    for what, row in figures["search"]["asked"].items():
        for who, runs in row.items():
            median = medians(runs)
            search.append([what, who, f"{median['wall_s']:.2f}", f"{median['cpu_s']:.2f}"])
    return "\n".join([
        "Recording, CPU seconds of the core per MB shown to an attached person:\n",
        table(["consoles", "text", "not recorded", "recorded", "ratio"], recording),
        "Commits of the journal, each on the disk, against a write and fdatasync of as much (in brackets: times that):\n",
        f"```\n{figures['journal']}```\n",
        f"Searching a transcript of {figures['search']['mb']:.0f} MB in the page cache (CPU: of the core, or of grep):\n",
        table(["what is looked for", "by", "wall s", "CPU s"], search),
    ])


def markdown(figures):
    where = figures["machine"]
    parts = [f"Medians of {figures['runs']} runs on {where['cores']} cores of {where['cpu']}, Linux {where['kernel']}, "
             f"at revision {where['revision']}.\n"]
    if "consoles" in figures:
        parts.append(f"## Consoles at 115200 baud, {figures['seconds']:g} s\n\n" + consoles(figures["consoles"]))
    if "flood" in figures:
        parts.append("## One console that never stops\n\n" + flood(figures["flood"]))
    if "sessions" in figures:
        parts.append("## Sessions by ssh\n\n" + named(SESSIONS, figures["sessions"]))
    if "viewers" in figures:
        parts.append("## One console at 1 MB/s in front of many\n\n" + named(VIEWERS, figures["viewers"]))
    if "bmcs" in figures:
        parts.append("## BMCs\n\n" + bmcs(figures["bmcs"]))
    if "door" in figures:
        parts.append("## A door under attack from 1,000 addresses\n\n" + named(DOOR, figures["door"]))
    if "audit" in figures:
        parts.append("## The audit trail\n\n" + audit(figures["audit"]))
    if "pull" in figures:
        parts.append("## A configuration over a console at 115200 baud\n\n" + pull(figures["pull"]))
    return "\n".join(parts)
