"""Only what many people rated well: a data set without the other items and what was done to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import polars as pl

from serendip.domain import Invalid
from serendip.sources import Checked
from serendip.sources.datasets import LoadedSet, Part, Rows
from serendip.sources.source import BATCH_ROWS, digest_of
from serendip.store.votes import popularity

NAMED_BY = {"items": "id", "interactions": "item", "vectors": "item"}
"""For rows that are of an item, the column with its id."""


@dataclass(frozen=True)
class PopularRows(Rows):
    """Rows without those of items that are not popular, which are counted as left out."""

    popular: pl.Series = field(default_factory=lambda: pl.Series([], dtype=pl.String))
    """Ids of the items that stay."""
    above: float = 0.0

    def read(self, skip: int = 0, size: int = BATCH_ROWS) -> Iterator[Checked]:
        """All batches of popular items."""
        reason = f"{self.as_} of no popularity above {self.above:g}"
        for checked in super().read(skip, size):
            good = checked.frame[NAMED_BY[self.as_]].is_in(self.popular.implode())
            others = int((~good).sum())
            left_out = {**checked.left_out, **({reason: others} if others else {})}
            yield replace(
                checked, frame=checked.frame.filter(good), lines=checked.lines[good.to_numpy()], left_out=left_out
            )

    @property
    def digest(self) -> str:
        """Changes with the rows and with which items stay."""
        return digest_of(super().digest, f"above {self.above!r}", *self.popular)


def popular_only(loaded: LoadedSet, above: float, kind: str = "rating") -> LoadedSet:
    """``loaded`` with only those items whose popularity is above ``above``; those nobody rated go too.

    Popularity is minmax(mean rating x minmax(number of votes)) over all items with votes, from 0 to 1. It is told from
    the ratings that would be accepted, before anything is stored.
    """
    if not 0 <= above < 1:
        raise Invalid(f"a popularity is from 0 to 1, and {above:g} is no bound to exceed; take 0.12", field="above")
    votes = _votes(loaded, kind)
    share = popularity(votes["mean"].to_numpy(), votes["votes"].to_numpy())
    popular = votes["item"].filter(pl.Series(share > above, dtype=pl.Boolean))
    if not len(popular):
        why = "all its items are as popular as each other" if len(votes) else f"it has no {kind} that is accepted"
        raise Invalid(f"nothing of {loaded.name} has a popularity above {above:g}: {why}; leave it out", field="above")
    parts = [_part(part, popular, above) for part in loaded.parts]
    note = f"popularity above {above:g}: {len(popular):,} of {len(votes):,} items with a {kind} stay"
    return replace(loaded, parts=parts, notes=[*loaded.notes, note])


def _part(part: Part, popular: pl.Series, above: float) -> Part:
    told = part.rows
    if part.as_ not in NAMED_BY:
        return part
    kept = PopularRows(
        told.source, told.mapping, told.as_, told.timezone, told.scale, told.defaults, popular.sort(), above
    )
    return Part(part.as_, kept)


def _votes(loaded: LoadedSet, kind: str) -> pl.DataFrame:
    """Columns item, mean, votes of all items with values; of several of a user the newest counts, as in the store.

    Only a hash of who rated what is kept of each row, so that tens of millions fit into memory.
    """
    codes: dict[str, int] = {}
    frames = []
    for part in loaded.parts:
        for checked in part.rows if part.as_ == "interactions" else []:
            rated = checked.frame.filter((pl.col("kind") == kind) & pl.col("value").is_not_null())
            for item in rated["item"].unique():
                codes.setdefault(item, len(codes))
            frames.append(
                rated.select(
                    pl.struct("user", "item").hash(seed=7).alias("pair"),
                    pl.col("item").replace_strict(codes, return_dtype=pl.Int32).alias("code"),
                    "at",
                    "value",
                )
            )
    if not codes:
        return pl.DataFrame(
            {"item": [], "mean": [], "votes": []}, {"item": pl.String, "mean": pl.Float64, "votes": pl.Int64}
        )
    newest = pl.concat(frames).sort("at", maintain_order=True).unique("pair", keep="last")
    counted = newest.group_by("code").agg(pl.col("value").mean().alias("mean"), pl.len().cast(pl.Int64).alias("votes"))
    ids = pl.Series("item", list(codes), dtype=pl.String)
    ordered = counted.sort("code")
    return ordered.with_columns(ids.gather(ordered["code"]))
