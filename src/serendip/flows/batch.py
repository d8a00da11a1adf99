"""Recommendations for many users at once, into a file or a table; all of one version, and seen whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from serendip.domain import Invalid, NotReady, Slate
from serendip.flows.live import Live
from serendip.flows.recommend import Ask, recommend_many
from serendip.store import Artifacts, Store
from serendip.store.outside import replace_rows, shown

CHUNK = 500
"""Users that are answered at a time."""

SCHEMA: dict[str, Any] = {
    "user": pl.String,
    "place": pl.Int32,
    "item": pl.String,
    "score": pl.Float64,
    "source": pl.String,
    "scenario": pl.String,
    "version": pl.String,
    "at": pl.Datetime("us", "UTC"),
}
"""The columns of a row, which is one place of one user's slate; ``place`` counts from 1."""

Progress = Callable[[int, int], None]
"""Told how many users of how many are answered."""


def recommend_batch(
    store: Store,
    artifacts: Artifacts,
    ask: Ask,
    to: str,
    now: datetime,
    users: Sequence[str] | None = None,
    progress: Progress = lambda _done, _total: None,
) -> dict[str, Any]:
    """Answer ``users``, or all there are, as of ``now``; ``to`` is a file or ``sqlite:///x.db?table=name``.

    A file is written beside itself and renamed when it is whole. In a table the scenario's rows are replaced in one
    transaction. The slates are not kept as shown, for nobody may ever see them.
    """
    live = Live(store, artifacts)
    live.catch_up(now)
    version = live.scenario(ask.scenario).version
    total = store.counts().users if users is None else len(users)
    slates = _answers(store, live, ask, now, users, lambda done: progress(done, total))
    counted = Counted()
    if "://" in to:
        rows = (frame.to_dicts() for frame in map(_frame, counted.over(slates)))
        replace_rows(to, list(SCHEMA), {"scenario": ask.scenario}, rows, store.url)
    else:
        write_file(Path(to), counted.over(slates))
    return {
        "to": shown(to) if "://" in to else to,
        "scenario": ask.scenario,
        "version": version,
        "users": counted.users,
        "rows": counted.rows,
    }


class Counted:
    """How many users and rows went by."""

    users = 0
    rows = 0

    def over(self, chunks: Iterator[list[Slate]]) -> Iterator[list[Slate]]:
        """The chunks, counted."""
        for slates in chunks:
            self.users += len(slates)
            self.rows += sum(len(slate.items) for slate in slates)
            yield slates


def _answers(
    store: Store, live: Live, ask: Ask, now: datetime, users: Sequence[str] | None, progress: Callable[[int], None]
) -> Iterator[list[Slate]]:
    done = 0
    for chunk in _chunks(store, users):
        yield recommend_many(store, live, chunk, ask, now, shown=False)
        done += len(chunk)
        progress(done)


def _chunks(store: Store, users: Sequence[str] | None) -> Iterator[list[str]]:
    if users is not None:
        yield from (list(users[start : start + CHUNK]) for start in range(0, len(users), CHUNK))
        return
    after = None
    while True:
        page = store.list_users(after=after, limit=CHUNK)
        if page.records:
            yield [user.id for user in page.records]
        after = page.next
        if after is None:
            return


def _frame(slates: Sequence[Slate]) -> pl.DataFrame:
    rows = [
        (slate.user, place, one.item, one.score, one.source, slate.scenario, slate.version, slate.at)
        for slate in slates
        for place, one in enumerate(slate.items, start=1)
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def write_file(file: Path, chunks: Iterator[list[Slate]]) -> None:
    """A line a user in .jsonl, a row a place in .csv and .parquet; what was there is replaced when all is written."""
    if file.suffix not in (".jsonl", ".csv", ".parquet"):
        raise Invalid(f"{file} ends in none of .jsonl, .csv, .parquet; the ending says the format", field="to")
    draft = file.with_name(file.name + ".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".parquet":
            pl.concat([pl.DataFrame(schema=SCHEMA), *map(_frame, chunks)]).write_parquet(draft)
        else:
            with draft.open("wb") as out:
                if file.suffix == ".csv":
                    pl.DataFrame(schema=SCHEMA).write_csv(out)
                for slates in chunks:
                    if file.suffix == ".csv":
                        _frame(slates).write_csv(out, include_header=False)
                    else:
                        out.writelines(orjson.dumps(_line(slate), option=orjson.OPT_APPEND_NEWLINE) for slate in slates)
        draft.replace(file)
    except OSError as error:
        raise NotReady(f"{file} could not be written: {error.strerror}; check the disk's room and rights") from None
    finally:
        draft.unlink(missing_ok=True)


def _line(slate: Slate) -> dict[str, Any]:
    return {
        "user": slate.user,
        "scenario": slate.scenario,
        "version": slate.version,
        "at": slate.at,
        "known": slate.known,
        "items": [{"item": one.item, "score": one.score, "source": one.source} for one in slate.items],
    }
