"""Films that people rated, from a published data set or made up, without those that few rated or rated well.

python examples/community/load.py                                        a made-up world of films
python examples/community/load.py --set movietweetings --from FOLDER     or movielens-1m and the like
python examples/community/load.py --set amazon-books --from FOLDER --above 0.2
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from serendip.flows.bring import bring_dataset, bring_world
from serendip.settings import read_settings
from serendip.store import Store

ABOVE = 0.12
"""The popularity that films must exceed; 0.2 was usual for books."""


def load(store: Store, name: str | None, folder: Path | None, above: float, now: datetime, seed: int = 7) -> None:
    """Bring the data in and keep what is popular; says how much."""
    if name is not None and folder is not None:
        reports = bring_dataset(store, name, folder, above=above)
    else:
        reports = bring_world(store, seed, now, above)
    for report in reports:
        left_out = sum(report.left_out.values())
        print(f"{report.what}: {report.added:,} added, {left_out:,} left out, {report.refused:,} refused")
    print(*reports[-1].notes, sep="\n")


def main() -> None:
    """Read the command line."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--set", metavar="NAME", help="as `serendip datasets` lists them; without: a made-up world")
    told.add_argument("--from", dest="folder", type=Path, metavar="FOLDER")
    told.add_argument("--above", type=float, default=ABOVE, help=f"the popularity to exceed; default {ABOVE}")
    told.add_argument("--seed", type=int, default=7, help="of the made-up world")
    given = told.parse_args()
    if (given.set is None) != (given.folder is None):
        told.error("--set and --from belong together")
    store = Store.open(read_settings().database_url)
    try:
        load(store, given.set, given.folder, given.above, datetime.now(UTC), given.seed)
    finally:
        store.close()


if __name__ == "__main__":
    main()
