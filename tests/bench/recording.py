"""What recording costs the core, and what a durable commit of the journal costs: in-process, see *_bench.cc."""

import json
import subprocess
import tempfile

# What is said, by how many consoles, at which rate, how much by each.
LOADS = {
    "48 at 115200 baud": (48, 11520, 34560),
    "one that never stops": (1, 0, 32_000_000),
}
TEXTS = ("plain", "coloured", "utf8", "binary")


def once(tools, kind, records, load):
    with tempfile.TemporaryDirectory(prefix="oobd-bench-") as folder:
        run = subprocess.run([tools / "bench_recording", folder, kind, records, *map(str, load)], check=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=120)
    return json.loads(run.stdout)["cpu_s_per_mb"]


def measure(tools, runs, note):
    """[{load, text, with, without}], each the runs' CPU seconds per MB shown, taken in turns."""
    figures = []
    for load, numbers in LOADS.items():
        for kind in TEXTS:
            both = {"without": [], "with": []}
            for _ in range(runs):
                both["without"].append(once(tools, kind, "no", numbers))
                both["with"].append(once(tools, kind, "yes", numbers))
            figures.append({"load": load, "text": kind, **both})
            note(f"recording: {figures[-1]}")
    return figures


def journal(tools):
    """The lines of bench_journal, which takes medians of five by itself."""
    with tempfile.TemporaryDirectory(prefix="oobd-bench-", dir=tools) as folder:
        run = subprocess.run([tools / "bench_journal", folder], check=True, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, text=True)
    return run.stdout
