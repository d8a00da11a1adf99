"""Stack Exchange dumps: people who ask and answer, questions with their text and tags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl

from serendip.domain import InteractionKind, NotFound
from serendip.sources.datasets.known import LoadedSet, Part, rows
from serendip.sources.datasets.wording import plain_text
from serendip.sources.json_lines import line_blocks
from serendip.sources.source import Batch, Reshaped, RowError, Source, file_digest, with_frame

KINDS = [InteractionKind("asks"), InteractionKind("answers")]

POSTS = [
    "Id",
    "PostTypeId",
    "ParentId",
    "OwnerUserId",
    "CreationDate",
    "Title",
    "Body",
    "Tags",
    "Score",
    "ViewCount",
    "AnswerCount",
    "AcceptedAnswerId",
]
USERS = ["Id", "DisplayName", "Reputation", "Location"]


class XmlRows(Source):
    """A file of ``<row .../>`` elements, one a line, as the dumps are written; a line that is no XML is an error."""

    format = "xml"

    def __init__(self, path: Path, columns: list[str]) -> None:
        self.path, self.name, self.columns = path, str(path), columns
        self.notes, self.digest = [], file_digest(path)

    def read(self) -> Iterator[Batch]:
        """The attributes of every row."""
        for lines, first_line, done in line_blocks(self.path):
            cells: list[dict[str, str]] = []
            at: list[int] = []
            errors = []
            for line, raw in enumerate(lines, first_line):
                if not raw.lstrip().startswith(b"<row"):
                    continue
                try:
                    cells.append(ElementTree.fromstring(raw.decode()).attrib)
                    at.append(line)
                except (ElementTree.ParseError, UnicodeDecodeError) as error:
                    what = f"the line is not XML: {error}"
                    errors.append(RowError(line, None, what, raw[:80].decode("utf-8", "replace")))
            data = {name: pl.Series([row.get(name) for row in cells], dtype=pl.String) for name in self.columns}
            yield Batch(pl.DataFrame(data), np.array(at, np.int64), errors, done=done)


def stackexchange(folder: Path) -> LoadedSet:
    """A site's folder with ``Posts.xml`` (and ``Users.xml``, if there), or a folder of such folders."""
    if (folder / "Posts.xml").is_file():
        return LoadedSet("stackexchange", _site(folder, ""), KINDS)
    sites = sorted(path.parent for path in folder.glob("*/Posts.xml"))
    if not sites:
        raise NotFound(f"there is no Posts.xml in {folder} nor in its folders; name a site's folder with --from")
    notes = [f"several sites: their ids begin with {', '.join(f'{site.name}/' for site in sites)}"]
    parts = [part for site in sites for part in _site(site, f"{site.name}/")]
    return LoadedSet("stackexchange", parts, KINDS, notes=notes)


def _site(folder: Path, prefix: str) -> list[Part]:
    posts = XmlRows(folder / "Posts.xml", POSTS)
    site = re.sub(r"\.stackexchange\.com$", "", folder.name)
    parts = []
    if (folder / "Users.xml").is_file():
        raw = XmlRows(folder / "Users.xml", USERS)
        users = Reshaped(raw, ["id", "name", "reputation", "location"], partial(_people, prefix=prefix), "people")
        parts.append(rows(users, "users", "id name", attributes=["reputation", "location"]))
    columns = ["id", "title", "text", "tags", "url", "score", "views", "answers", "available_from"]
    items = Reshaped(posts, columns, partial(_questions, prefix=prefix, site=site), "questions")
    fields = "id title text tags url available_from"
    parts.append(
        rows(items, "items", fields, attributes=["score", "views", "answers"], defaults={"catalogue": "questions"})
    )
    done = Reshaped(posts, ["user", "item", "at", "kind"], partial(_deeds, prefix=prefix), "asks and answers")
    return [*parts, rows(done, "interactions", "user item at kind")]


def _people(batch: Batch, prefix: str) -> Batch:
    names = {"Id": "id", "DisplayName": "name", "Reputation": "reputation", "Location": "location"}
    prefixed = batch.frame.with_columns(pl.lit(prefix) + pl.col("Id"))
    return with_frame(batch, prefixed.rename(names))


def _questions(batch: Batch, prefix: str, site: str) -> Batch:
    posts = batch.frame
    asked = posts["PostTypeId"].fill_null("") == "1"
    own = posts.filter(asked)
    frame = own.select(
        (pl.lit(prefix) + pl.col("Id")).alias("id"),
        pl.col("Title").alias("title"),
        pl.col("Body").map_elements(plain_text, return_dtype=pl.String).alias("text"),
        pl.col("Tags").str.replace_all(r"^\||\|$", "").alias("tags"),
        (pl.lit(f"https://{site}.stackexchange.com/q/") + pl.col("Id")).alias("url"),
        pl.col("Score").alias("score"),
        pl.col("ViewCount").alias("views"),
        pl.col("AnswerCount").alias("answers"),
        pl.col("CreationDate").alias("available_from"),
    )
    lines = batch.lines[asked.to_numpy()]
    others = posts.height - own.height
    return Batch(frame, lines, batch.errors, {"answers and other posts": others} if others else {}, batch.done)


def _deeds(batch: Batch, prefix: str) -> Batch:
    posts = batch.frame
    asked, answered = (posts["PostTypeId"].fill_null("") == code for code in "12")
    known = posts["OwnerUserId"].is_not_null()
    keep = (asked | answered) & known
    frame = posts.select(
        (pl.lit(prefix) + pl.col("OwnerUserId")).alias("user"),
        (pl.lit(prefix) + pl.when(asked).then("Id").otherwise("ParentId")).alias("item"),
        pl.col("CreationDate").alias("at"),
        pl.when(asked).then(pl.lit("asks")).otherwise(pl.lit("answers")).alias("kind"),
    )
    left_out = {
        "tag wikis and other posts": posts.height - int((asked | answered).sum()),
        "posts whose author is gone": int(((asked | answered) & ~known).sum()),
    }
    counted = {reason: n for reason, n in left_out.items() if n}
    return Batch(frame.filter(keep), batch.lines[keep.to_numpy()], batch.errors, counted, batch.done)
