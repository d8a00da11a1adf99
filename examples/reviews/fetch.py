"""Data sets from the addresses of a settings file, each with its checksum: whole and unchanged, or not at all.

[reviews]
url = "https://example.org/reviews.csv.gz"
sha256 = "…"
file = "reviews.csv.gz"
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from serendip.domain import Invalid, SerendipError
from serendip.sources.datasets.fetching import fetch_file

FIELDS = {"url": r"https?://\S+", "sha256": r"[0-9a-f]{64}", "file": r"[^/\\\0]+"}
"""What a table says, and what that looks like."""


def read(file: Path) -> dict[str, dict[str, str]]:
    """The tables of a settings file; what is wrong with one is named."""
    try:
        content: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Invalid(f"{file} cannot be read: {error}") from None
    for name, table in content.items():
        for field, form in FIELDS.items():
            value = table.get(field) if isinstance(table, dict) else None
            if not isinstance(value, str) or not re.fullmatch(form, value) or value in (".", ".."):
                raise Invalid(f"{file}: [{name}] needs {field}, as in {FIELDS[field]}; it is {value!r}")
    return content


def fetch_all(file: Path, to: Path) -> list[Path]:
    """Every file of the settings, in ``to``; those that are there already are not fetched again."""
    done = []
    for name, table in read(file).items():
        path = to / table["file"]
        fresh = fetch_file(table["url"], table["sha256"], path)
        print(f"{name}: {path} {'is whole' if fresh else 'is there already, unchanged'}")
        done.append(path)
    return done


def main() -> None:
    """Read the command line and fetch."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("settings", type=Path, help="a TOML file with url, sha256 and file of each data set")
    told.add_argument("--to", type=Path, default=Path("var/data"))
    given = told.parse_args()
    fetch_all(given.settings, given.to)


if __name__ == "__main__":
    try:
        main()
    except SerendipError as error:
        sys.exit(str(error))
