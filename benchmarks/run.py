"""Every benchmark in turn, each in a process of its own; what fails is named at the end.

    python benchmarks/run.py [--full] [--datasets FOLDER] [--only als,knn]

Quick sizes unless ``--full``; the tables on real data only with ``--datasets``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from made import SIZES

HERE = Path(__file__).parent
NO_TABLES = {"run.py", "made.py"}
QUICK: dict[str, list[str]] = {
    "als.py": ["--size", "1M"],
    "knn.py": ["--size", "1M"],
    "ease.py": ["--items", "5000"],
    "ratings.py": ["--made", "100000", "--folds", "1"],
    "feed.py": ["--rows", "60000", "--seconds", "3"],
    "feed_large.py": "--folder var/feed-small --rows 100000 --users 1000 --posts 300 --share 0.3 --seconds 2".split(),  # noqa: SIM905
    "shop.py": "--folder var/shop-small --rows 500000 --customers 6000 --products 2000 --numbers 64".split(),  # noqa: SIM905
}
FULL: dict[str, list[str]] = {
    "als.py": ["--size", *SIZES],
    "knn.py": ["--size", *SIZES],
    "ease.py": ["--items", "5000", "10000", "20000"],
    "topk.py": ["--items", "10000", "100000", "1000000"],
    "ratings.py": ["--made", "1000000"],
}
"""Where nothing is said a script's own sizes are meant."""

REAL_ONLY = {"time_split.py", "published.py", "ranker.py", "neural.py"}
REAL_TOO = {"ratings.py"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--datasets", type=Path)
    parser.add_argument("--only", default="", help="names of scripts, with commas between")
    chosen = parser.parse_args()
    only = {name.strip().removesuffix(".py") for name in chosen.only.split(",") if name.strip()}
    if unknown := only - {script.stem for script in HERE.glob("*.py")}:
        known = sorted(script.stem for script in HERE.glob("*.py") if script.name not in NO_TABLES)
        sys.exit(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    failed = []
    for script, arguments in planned(chosen.full, chosen.datasets):
        if only and script.removesuffix(".py") not in only:
            continue
        command = " ".join(["python", f"benchmarks/{script}", *arguments])
        print(f"\n## {command}\n", flush=True)
        began = time.perf_counter()
        code = subprocess.run([sys.executable, str(HERE / script), *arguments], check=False).returncode
        print(
            f"\n{command}: {'done' if code == 0 else f'exit code {code}'}, {time.perf_counter() - began:.0f} s",
            flush=True,
        )
        if code:
            failed.append(command)
    if failed:
        sys.exit("these failed: " + "; ".join(failed))


def planned(full: bool, datasets: Path | None) -> Iterator[tuple[str, list[str]]]:
    """The scripts and what each is told."""
    for script in sorted(path.name for path in HERE.glob("*.py")):
        if script in NO_TABLES:
            continue
        if script not in REAL_ONLY:
            yield script, (FULL if full else QUICK).get(script, [])
        if datasets is not None and script in REAL_ONLY | REAL_TOO:
            yield script, ["--datasets", str(datasets)]


if __name__ == "__main__":
    main()
