"""Questions and answers of a Stack Exchange site as a file of reviews: the text is real, what the stars mean is ours.

An answer is the review of a question by who answers. Its score makes the stars: below 0 is one, 0 two, 1 three, 2 or 3
four; 4 and more, or the answer that the asker accepted, five. There are no prices.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

from serendip.domain import NotFound, SerendipError
from serendip.sources.datasets.stackexchange import POSTS, USERS, XmlRows

HEADER = (
    "reviewerID", "userName", "asin", "itemName", "description", "price", "rating", "reviewTime", "summary",
    "reviewText",
)  # fmt: skip


def stars(score: int, accepted: bool) -> int:
    """From 1 to 5."""
    if accepted or score >= 4:
        return 5
    return 1 if score < 0 else 2 + (score > 0) + (score > 1)


def convert(site: Path, file: Path) -> int:
    """Write the answers of a site's folder into ``file``; how many there are."""
    if not (site / "Posts.xml").is_file():
        raise NotFound(f"there is no Posts.xml in {site}; name a site's folder of the dump")
    names: dict[str, str] = {}
    if (site / "Users.xml").is_file():
        for batch in XmlRows(site / "Users.xml", USERS).batches():
            names |= dict(batch.frame.select("Id", "DisplayName").iter_rows())
    posts = [row for batch in XmlRows(site / "Posts.xml", POSTS).batches() for row in batch.frame.iter_rows(named=True)]
    asked = {row["Id"]: row for row in posts if row["PostTypeId"] == "1"}
    answers = [row for row in posts if row["PostTypeId"] == "2" and row["ParentId"] in asked and row["OwnerUserId"]]
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(HEADER)
        for row in sorted(answers, key=lambda row: row["CreationDate"]):
            about, user = asked[row["ParentId"]], row["OwnerUserId"]
            given = stars(int(row["Score"] or 0), about["AcceptedAnswerId"] == row["Id"])
            writer.writerow(
                [
                    user, names.get(user, ""), about["Id"], about["Title"], about["Body"], "", given,
                    row["CreationDate"], "", row["Body"],
                ]
            )  # fmt: skip
    return len(answers)


def main() -> None:
    """Read the command line and write the file."""
    told = argparse.ArgumentParser(description="Answers of a Stack Exchange site as a CSV file of reviews.")
    told.add_argument("site", type=Path, help="the folder that holds Posts.xml")
    told.add_argument("file", type=Path)
    given = told.parse_args()
    print(f"{given.file} has {convert(given.site, given.file):,} reviews")


if __name__ == "__main__":
    try:
        main()
    except SerendipError as error:
        sys.exit(str(error))
