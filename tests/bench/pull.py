"""A configuration over a console at 115200 baud: oobd's way against `cat` and the way of RANCID and Netmiko."""

import json
import statistics
import subprocess

WAYS = ("posix-block", "cat", "expect")
SIZES = (212_000, 300_000)
NOISE = {"clean": (0, 0), "2 messages/s, 2 in 10,000 bytes damaged": (2, 2e-4)}


def measure(tools, runs, quick, note):
    figures = []
    for size in SIZES[:1] if quick else SIZES:
        for name, (messages, damage) in NOISE.items():
            for way in WAYS:
                rounds = []
                for seed in range(1, runs + 1):
                    done = subprocess.run([tools / "bench_pull", way, str(size), str(messages), str(damage), str(seed)],
                                          stdout=subprocess.PIPE, check=True, timeout=600)
                    rounds.append(json.loads(done.stdout))
                figure = {"way": way, "bytes": size, "noise": name, "runs": runs,
                          "seconds": statistics.median(run["seconds"] for run in rounds),
                          "wire": statistics.median(run["wire"] for run in rounds),
                          "exact": sum(run["exact"] for run in rounds)}
                figures.append(figure)
                note(f"pull: {figure}")
    return figures
