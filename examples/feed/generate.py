"""A made feed of text posts: who reads, what there is to read, and every view and like in order of time.

Three tables: ``user_data.parquet``, ``post_text_df.parquet`` and ``feed_data-000.parquet`` and on, a few million rows
each. The same seed, sizes and moment make the same tables. What people like follows their age, gender and city, their
own bent for topics and themes, the post, the hour, and the wave of attention that a post rides for some days.
Blocks of a day are made one after the other, so that any number of rows needs little memory.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numba import njit
from words import COUNTRIES, NAMES, SENTENCES, TOPICS

DAYS = 90
"""The log spans so many days before its end."""
DAY = 86_400
"""Seconds."""
LIKED = 0.11
"""The share of views that a like follows."""
VIEWS_A_SESSION = 16.0
BY_TASTE = 0.4
"""This share of the posts shown was chosen by the reader's taste, the rest by attention alone."""
PART_ROWS = 4_000_000
FIRST_USER, FIRST_POST = 200, 1
THEMES = [(topic, theme) for topic, themes in TOPICS.items() for theme in themes]
OF_TOPIC = np.array([list(TOPICS).index(topic) for topic, _ in THEMES])
SEEN = {"second": np.int64, "user": np.int32, "post": np.int32, "of": np.int64}
AGES = (0, 20, 26, 36, 120)
"""Bands within which people like alike."""


@dataclass(frozen=True)
class Size:
    """How large the world is."""

    users: int = 2000
    posts: int = 700
    rows: int = 200_000


@dataclass(frozen=True)
class Readers:
    """Everybody who reads, as the table has it, and what the table does not say."""

    table: pl.DataFrame
    taste: np.ndarray
    """How much each theme draws, of shape (n_users, n_themes)."""
    shown: np.ndarray
    """Cumulative share of the themes that are shown for the taste's sake, (n_users, n_themes)."""
    activity: np.ndarray
    """Sessions a day beside others', of mean 1; (n_users,)."""
    rhythm: np.ndarray
    """Which of the daily rhythms each follows; (n_users,)."""


@dataclass(frozen=True)
class Posts:
    """Everything there is to read, ordered by theme, and how it is received."""

    table: pl.DataFrame
    theme: np.ndarray
    """(n_posts,), ascending."""
    draw: np.ndarray
    """How much it pleases whoever sees it; (n_posts,)."""
    base: np.ndarray
    """How often it is shown without a wave, beside others; (n_posts,)."""
    waves: np.ndarray
    """Start in days, height and duration in days of its two waves; (n_posts, 2, 3)."""

    def attention(self, day: float) -> np.ndarray:
        """How many times as often as usual each is shown; (n_posts,)."""
        since = day - self.waves[:, :, 0]
        risen = np.where(since >= 0, self.waves[:, :, 1] * np.exp(-np.maximum(since, 0) / self.waves[:, :, 2]), 0)
        return np.asarray(1 + risen.sum(axis=1))


def readers(rng: np.random.Generator, n: int) -> Readers:
    """Users with profiles, and tastes that follow them in part."""
    countries = list(COUNTRIES)
    share = np.array([COUNTRIES[one][0] for one in countries])
    country = rng.choice(len(countries), n, p=share / share.sum())
    cities = [city for one in countries for city in COUNTRIES[one][1]]
    city = np.empty(n, np.int64)
    first = 0
    for i, one in enumerate(countries):
        own, here = np.flatnonzero(country == i), len(COUNTRIES[one][1])
        weight = 1 / (1 + np.arange(here))
        city[own] = first + rng.choice(here, len(own), p=weight / weight.sum())
        first += here
    age = np.clip(14 + rng.gamma(2.2, 6.5, n), 14, 95).astype(np.int64)
    gender = rng.integers(0, 2, n)
    band = np.digitize(age, AGES[1:-1])
    k = len(THEMES)
    taste = (
        rng.normal(0, 0.55, (len(AGES) - 1, k))[band]
        + rng.normal(0, 0.4, (2, k))[gender]
        + rng.normal(0, 0.4, (len(cities), len(TOPICS)))[city][:, OF_TOPIC]
        + rng.normal(0, 0.6, (n, len(TOPICS)))[:, OF_TOPIC]
        + rng.normal(0, 0.5, (n, k))
    )
    shown = np.cumsum(np.exp(1.2 * taste), axis=1)
    # How readily somebody likes anything at all.
    taste += rng.normal(0, 0.5, (n, 1))
    activity = rng.lognormal(0, 0.8, n)
    table = pl.DataFrame(
        {
            "user_id": np.arange(FIRST_USER, FIRST_USER + n),
            "gender": gender,
            "age": age,
            "country": [countries[i] for i in country],
            "city": [cities[i] for i in city],
            "exp_group": rng.integers(0, 5, n),
            "os": np.where(rng.random(n) < 0.65, "Android", "iOS"),
            "source": np.where(rng.random(n) < 0.62, "ads", "organic"),
        }
    )
    return Readers(
        table,
        taste.astype(np.float32),
        (shown / shown[:, -1:]).astype(np.float32),
        activity / activity.mean(),
        rng.integers(0, 3, n),
    )


def posts(rng: np.random.Generator, n: int) -> Posts:
    """Posts with texts, themes, quality and waves of attention."""
    theme = np.sort(rng.choice(len(THEMES), n, p=(share := rng.dirichlet(np.full(len(THEMES), 8.0))) / share.sum()))
    waves = np.stack(
        [
            rng.uniform(-6, DAYS + 2, (n, 2)),
            rng.lognormal(2.6, 0.9, (n, 2)),
            rng.uniform(0.5, 3.0, (n, 2)),
        ],
        axis=2,
    )
    waves[:, 1, 1] *= rng.random(n) < 0.4
    number = rng.permutation(n) + FIRST_POST
    table = pl.DataFrame(
        {"post_id": number, "text": [_text(rng, int(one)) for one in theme], "topic": [THEMES[i][0] for i in theme]}
    )
    return Posts(table, theme, rng.normal(0, 0.5, n), rng.lognormal(0, 0.6, n), waves)


def _text(rng: np.random.Generator, theme: int) -> str:
    """Two to seven sentences in the words of a theme."""
    topic, name = THEMES[theme]
    words = TOPICS[topic][name].split()
    cities = [city for _, here in COUNTRIES.values() for city in here]
    said = []
    for form in rng.choice(len(SENTENCES), int(rng.integers(2, 8)), replace=False):
        a, b, c = rng.choice(words, 3, replace=False)
        one = SENTENCES[form].format(a=a, b=b, c=c, city=rng.choice(cities), name=rng.choice(NAMES))
        said.append(one[:1].upper() + one[1:])
    return " ".join(said)


def rhythms() -> np.ndarray:
    """Cumulative share of a day's sessions by hour: early risers, office hours, night owls; (3, 24)."""
    hour = np.arange(24)
    peaks = ((7, 13, 20), (9, 13, 18), (13, 21, 24))
    share = np.stack(
        [sum(np.exp(-0.5 * (np.minimum(abs(hour - p), 24 - abs(hour - p)) / 2.2) ** 2) for p in one) for one in peaks]
    )
    return np.asarray(np.cumsum(share + 0.03, axis=1) / (share + 0.03).sum(axis=1, keepdims=True))


@njit(nogil=True)  # type: ignore[untyped-decorator]
def views(seed, rate, rhythm, of_hour, shown, taste, starts, cumulative, log_attention, draw, by_hour, of_topic, theme):  # type: ignore[no-untyped-def]
    """The views of one day in the order of readers: second of the day, reader, post, and the log-odds of a like.

    rate (n_users,) sessions; of_hour (3, 24); shown, taste (n_users, n_themes); starts (n_themes + 1,) rows of the
    posts of each theme; cumulative (24, n_posts + 1) and log_attention (24, n_posts) by hour; draw, theme (n_posts,);
    by_hour (n_topics, 24).
    """
    np.random.seed(seed)
    room = int(rate.sum() * VIEWS_A_SESSION * 1.3) + 10_000
    second, user, post = np.empty(room, np.int64), np.empty(room, np.int32), np.empty(room, np.int32)
    odds = np.empty(room, np.float32)
    n = 0
    for u in range(len(rate)):
        for _ in range(np.random.poisson(rate[u])):
            hour = min(23, np.searchsorted(of_hour[rhythm[u]], np.random.random()))
            at = hour * 3600 + np.random.randint(0, 3600)
            for _ in range(np.random.geometric(1 / VIEWS_A_SESSION)):
                if n == room:
                    return second, user, post, odds
                low, high = 0, len(draw)
                if np.random.random() < BY_TASTE:
                    t = min(len(starts) - 2, np.searchsorted(shown[u], np.random.random()))
                    if starts[t] < starts[t + 1]:
                        low, high = starts[t], starts[t + 1]
                ladder = cumulative[hour]
                level = ladder[low] + np.random.random() * (ladder[high] - ladder[low])
                p = min(high - 1, max(low, np.searchsorted(ladder[low : high + 1], level, side="right") - 1 + low))
                topic = of_topic[theme[p]]
                second[n], user[n], post[n] = at, u, p
                liking = 0.9 * taste[u, theme[p]] + draw[p] + 0.3 * log_attention[hour, p]
                odds[n] = liking + by_hour[topic, (at // 3600) % 24]
                n += 1
                at += 4 + int(np.random.exponential(25.0))
    return second[:n], user[:n], post[:n], odds[:n]


def bias_for(odds: np.ndarray, share: float) -> float:
    """What must be added to log-odds so that they mean ``share`` on average."""
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        if (1 / (1 + np.exp(-(odds + middle)))).mean() < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def days(rng: np.random.Generator, people: Readers, made: Posts, n_rows: int) -> Iterator[pl.DataFrame]:
    """The log, a day at a time in order of time: second, user, post, like, target, and the view's number as ``of``.

    There are ``n_rows`` in all: each day has its share of what is left, and the last one is thinned out to the rest.
    """
    starts = np.searchsorted(made.theme, np.arange(len(THEMES) + 1))
    by_hour = rng.normal(0, 0.35, (len(TOPICS), 24))
    bias, number, written = None, 0, 0
    nobody = {name: np.empty(0, kind) for name, kind in SEEN.items()}
    late = _rows(rng, nobody, np.empty(0, np.bool_))
    for day in range(DAYS):
        attention = np.stack([made.attention(day + hour / 24) for hour in range(24)])
        cumulative = np.zeros((24, len(made.draw) + 1))
        np.cumsum(attention * made.base, axis=1, out=cumulative[:, 1:])
        last = day == DAYS - 1
        left = n_rows - written - len(late)
        sessions = left / (DAYS - day) / (1 + LIKED) / VIEWS_A_SESSION * (1.3 if last else rng.uniform(0.9, 1.1))
        rate = people.activity * (max(0.0, sessions) / len(people.activity))
        block = late
        while True:
            second, user, post, odds = views(
                int(rng.integers(2**31)), rate, people.rhythm, rhythms(), people.shown, people.taste, starts,
                cumulative, np.log(attention), made.draw, by_hour, OF_TOPIC, made.theme,
            )  # fmt: skip
            bias = bias_for(odds, LIKED) if bias is None and len(odds) else bias
            liked = rng.random(len(odds)) < 1 / (1 + np.exp(-(odds + (bias or 0.0))))
            seen = {"second": second + day * DAY, "user": user, "post": post, "of": number + np.arange(len(odds))}
            number += len(odds)
            block = pl.concat([block, _rows(rng, seen, liked)]).sort("second", "of", "like")
            # What a session that began before midnight did after it belongs to the next day.
            over = int(block["second"].search_sorted((day + 1) * DAY))
            if not last or over >= n_rows - written:
                break
        block, late = block[:over], block[over:]
        if len(block) > n_rows - written or last:
            block = _thinned(rng, block, n_rows - written)
        written += len(block)
        yield block
        if written == n_rows:
            return


def _rows(rng: np.random.Generator, seen: dict[str, np.ndarray], liked: np.ndarray) -> pl.DataFrame:
    """Views, and behind some of them, within 20 seconds, a like."""
    after = {name: column[liked] for name, column in seen.items()}
    after["second"] = after["second"] + rng.integers(1, 20, len(after["second"]))
    return pl.concat(
        [
            pl.DataFrame(seen).with_columns(like=pl.lit(False), target=pl.Series(liked.astype(np.int8))),
            pl.DataFrame(after).with_columns(like=pl.lit(True), target=pl.lit(0, pl.Int8)),
        ]
    )


def _thinned(rng: np.random.Generator, block: pl.DataFrame, n: int) -> pl.DataFrame:
    """``n`` rows of the block, drawn as views with their likes; a view whose like is not here was not liked."""
    named, place = np.unique(block["of"].to_numpy(), return_inverse=True)
    like = block["like"].to_numpy()
    # A like of just after midnight, whose view is of the day before, stays.
    alone = np.bincount(place, ~like) == 0
    turn = np.where(alone, -1, rng.permutation(len(named)))[place]
    kept = block[np.sort(np.lexsort((like, turn))[:n])]
    told = kept.filter(pl.col("like"))["of"].implode()
    return kept.with_columns(target=pl.when(pl.col("of").is_in(told)).then(pl.col("target")).otherwise(0).cast(pl.Int8))


def feed_rows(block: pl.DataFrame, people: Readers, made: Posts, start: datetime) -> pl.DataFrame:
    """A block as the table has it; moments are UTC, without saying so."""
    begin = int(start.timestamp())
    return pl.DataFrame(
        {
            "timestamp": ((block["second"] + begin) * 1_000_000).cast(pl.Datetime("us")),
            "user_id": people.table["user_id"].cast(pl.Int32)[block["user"]],
            "post_id": made.table["post_id"].cast(pl.Int32)[block["post"]],
            "action": pl.Series(np.where(block["like"], "like", "view")),
            "target": block["target"],
        }
    )


def generate(folder: Path, until: datetime, seed: int = 7, size: Size | None = None) -> list[Path]:
    """Write the three tables into ``folder``; the parts of the log, in order of time."""
    size = size or Size()
    rng = np.random.default_rng(seed)
    people, made = readers(rng, size.users), posts(rng, size.posts)
    start = (until - timedelta(days=DAYS)).astimezone(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("feed_data-*.parquet"):
        old.unlink()
    people.table.write_parquet(folder / "user_data.parquet")
    made.table.sort("post_id").write_parquet(folder / "post_text_df.parquet")
    parts: list[Path] = []
    waiting: list[pl.DataFrame] = []
    for block in days(rng, people, made, size.rows):
        waiting.append(feed_rows(block, people, made, start))
        if sum(map(len, waiting)) >= PART_ROWS:
            parts.append(_write(folder, len(parts), waiting))
            waiting = []
    if waiting:
        parts.append(_write(folder, len(parts), waiting))
    return parts


def _write(folder: Path, number: int, blocks: list[pl.DataFrame]) -> Path:
    path = folder / f"feed_data-{number:03}.parquet"
    pl.concat(blocks).write_parquet(path, row_group_size=500_000)
    return path


def to_sql(folder: Path, url: str) -> None:
    """The same three tables in an SQL database, as an older system would have them; tables of these names go."""
    import sqlalchemy as sa

    kinds = {pl.String: sa.Text, pl.Datetime("us"): sa.DateTime}
    engine, metadata = sa.create_engine(url), sa.MetaData()
    try:
        for name, pattern in (
            ("user_data", "user_data.parquet"),
            ("post_text_df", "post_text_df.parquet"),
            ("feed_data", "feed_data-*.parquet"),
        ):
            paths = sorted(folder.glob(pattern))
            schema = pl.read_parquet_schema(paths[0])
            columns = [sa.Column(one, kinds.get(kind, sa.BigInteger)) for one, kind in schema.items()]
            table = sa.Table(name, metadata, *columns)
            with engine.begin() as c:
                table.drop(c, checkfirst=True)
                table.create(c)
                for path in paths:
                    for rows in pl.read_parquet(path).iter_slices(50_000):
                        c.execute(table.insert(), rows.to_dicts())
    finally:
        engine.dispose()


def midnight() -> datetime:
    """The beginning of this day."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def main() -> None:
    """Read the command line and write the tables."""
    told = argparse.ArgumentParser(description="A made feed of text posts, as three tables.")
    told.add_argument("folder", type=Path)
    told.add_argument("--until", type=datetime.fromisoformat, help="the log's end; default: this day's midnight")
    told.add_argument("--seed", type=int, default=7)
    told.add_argument("--users", type=int, default=Size.users)
    told.add_argument("--posts", type=int, default=Size.posts)
    told.add_argument("--rows", type=int, default=Size.rows, help="of feed_data: views and likes together")
    told.add_argument("--sql", metavar="URL", help="write them into this SQL database too, as SQLAlchemy names it")
    given = told.parse_args()
    if min(given.users, given.posts, given.rows) < 1:
        told.error("--users, --posts and --rows must be at least 1")
    until = given.until or midnight()
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    parts = generate(given.folder, until, given.seed, Size(given.users, given.posts, given.rows))
    print(f"user_data.parquet, post_text_df.parquet and {len(parts)} parts of feed_data are in {given.folder}")
    if given.sql:
        to_sql(given.folder, given.sql)
        print(f"the same as tables user_data, post_text_df and feed_data in {given.sql.partition('://')[0]}")


if __name__ == "__main__":
    main()
