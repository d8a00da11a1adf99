"""How long a fresh process takes: to import, to show its help, and for the first call of every kind's kernels.

    python benchmarks/start.py [--rounds 7]

Each time is of a process of its own; medians. Kernels are compiled before (`serendip doctor --warm` does that once), so
that the first call reads them from Numba's cache. The library's names are loaded when they are first used; that has a
row of its own. Goals: import 150 ms, help 300 ms, a first fit and answer 1 s.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from made import heading

from serendip import models

GOALS = {"import": 0.150, "help": 0.300, "kind": 1.0}
IMPORT = "import time; began = time.perf_counter(); import serendip; print(time.perf_counter() - began)"
NAMES = IMPORT.replace("import serendip;", "import serendip; serendip.fit;")
FIRST = """
import time
import numpy as np
import serendip as sd
from serendip import models
rng = np.random.default_rng(0)
n = 400
data = {{"user": rng.integers(0, 30, n), "item": rng.integers(0, 50, n), "value": rng.integers(1, 6, n) * 1.0,
        "at": np.arange(n)}}
sd.fit("random", data).recommend(["1"], k=3)  # what every kind shares: polars, vocabularies, the choice of the best
began = time.perf_counter()
sd.fit({kind!r}, data).recommend(["1", "2"], k=3)
print(time.perf_counter() - began)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    heading("click", "polars")
    python = [sys.executable, "-c"]
    print("\n| what | median ms | least ms | goal ms | |\n|---|---|---|---|---|")
    row("import serendip", [said([*python, IMPORT]) for _ in range(chosen.rounds)], GOALS["import"])
    named = [said([*python, NAMES]) for _ in range(chosen.rounds)]
    print(f"| the same and serendip.fit | {1000 * statistics.median(named):.0f} | {1000 * min(named):.0f} | | |")
    bare = [wall([*python, "pass"]) for _ in range(chosen.rounds)]
    print(f"| python -c pass | {1000 * statistics.median(bare):.0f} | {1000 * min(bare):.0f} | | |")
    helped = [wall([sys.executable, "-m", "serendip", "--help"]) for _ in range(chosen.rounds)]
    row("serendip --help, whole process", helped, GOALS["help"])
    from serendip.flows.warm import warm

    warm()
    for kind in models.KINDS:
        try:
            times = [said([*python, FIRST.format(kind=kind)]) for _ in range(max(3, chosen.rounds // 2))]
        except subprocess.CalledProcessError:
            print(f"| {kind} | | | | left out: it needs more than interactions |")
            continue
        row(f"first fit and answer of {kind}", times, GOALS["kind"])


def said(command: list[str]) -> float:
    """The seconds that a process says it took."""
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def wall(command: list[str]) -> float:
    """The seconds from start to end of a process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def row(name: str, times: list[float], goal: float) -> None:
    middle = statistics.median(times)
    verdict = "met" if middle <= goal else "NOT met"
    print(f"| {name} | {1000 * middle:.0f} | {1000 * min(times):.0f} | {1000 * goal:.0f} | {verdict} |", flush=True)


if __name__ == "__main__":
    main()
