"""Who does what when, as arrays: latent tastes, drifting popularity, seasons, sessions, newcomers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DAY = 86_400_000_000
"""Microseconds."""

WEEKDAYS = np.array([0.85, 0.8, 0.85, 0.95, 1.2, 1.45, 1.3])
"""How busy each day of the week is, Monday first."""

HOURS = np.array([3, 2, 1, 1, 1, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 7, 8, 10, 13, 16, 17, 15, 10, 6], float)
"""How busy each hour of the day is."""

SESSION_EVENTS = 4.0
"""Mean number of items in a session."""

SAME_MOOD = 0.6
"""How often the next item of a session is of the taste that the session began with."""

ASTRAY = 0.1
"""How often somebody takes what everybody takes, whatever their taste."""

RATED = 0.45
"""Share of viewed items that are rated."""

VIEW, RATING = 0, 1

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tastes:
    """The hidden truth of a world: what items are like and what people like."""

    genre: Ints
    """Of each item, of shape (n_items,)."""
    mood: Ints
    """Of each item, of shape (n_items,)."""
    favourites: Ints
    """Three genres and two moods of each user, moods counted on from the genres, of shape (n_users, 5)."""
    shares: Floats
    """Share of each favourite in what a user takes, of shape (n_users, 5); a row sums to 1."""
    appeal: Floats
    """Lasting popularity of each item, of shape (n_items,)."""
    quality: Floats
    """How much an item's ratings lie above its taste's, of shape (n_items,)."""
    premiere: Floats
    """Day on which an item appears, negative for those that were there before, of shape (n_items,)."""
    joined: Floats
    """Day from which a user is active, of shape (n_users,)."""
    activity: Floats
    """How much a user does beside others, of shape (n_users,)."""

    n_genres: int
    n_moods: int

    def liking(self, user: Ints, item: Ints) -> Floats:
        """How much each user likes the item beside them, from 0 to 1."""
        of_item = np.stack([self.genre[item], self.n_genres + self.mood[item]], axis=1)
        fits = (self.favourites[user][:, :, None] == of_item[:, None, :]).any(axis=2)
        total: Floats = (self.shares[user] * fits).sum(axis=1)
        return total


@dataclass(frozen=True)
class Events:
    """What happened, in the order of time."""

    user_ix: NDArray[np.int32]
    item_ix: NDArray[np.int32]
    kind: NDArray[np.int8]
    """VIEW or RATING."""
    value: NDArray[np.float32]
    """1 to 5 for a rating; NaN for a view."""
    at: Ints
    """Microseconds since 1970."""

    def __len__(self) -> int:
        return len(self.at)


def draw_tastes(
    n_users: int, n_items: int, days: float, rng: np.random.Generator, n_genres: int | None = None
) -> Tastes:
    """Items with a genre and a mood each, and people who like two or three of them."""
    n_genres = n_genres or int(np.clip(np.sqrt(n_items) / 2, 10, 150))
    n_moods = max(6, n_genres // 4)
    early = rng.random(n_users) < 0.6
    return Tastes(
        genre=rng.permutation(np.arange(n_items) % n_genres),
        mood=rng.integers(0, n_moods, n_items),
        favourites=np.stack(
            [_spread(n_users, n_genres, rng) for _ in range(3)]
            + [n_genres + _spread(n_users, n_moods, rng) for _ in range(2)],
            axis=1,
        ),
        shares=rng.dirichlet([3.0, 1.5, 0.5, 1.2, 0.4], n_users),
        appeal=rng.permutation((np.arange(n_items) + 4.0) ** -0.75),
        quality=rng.normal(0.0, 0.45, n_items),
        premiere=np.where(rng.random(n_items) < 0.85, -1.0, rng.uniform(0, 0.9 * days, n_items)),
        joined=np.where(early, 0.0, rng.uniform(0, 0.95 * days, n_users)),
        activity=rng.lognormal(0.0, 0.9, n_users),
        n_genres=n_genres,
        n_moods=n_moods,
    )


def _spread(n: int, n_tastes: int, rng: np.random.Generator) -> Ints:
    """A taste for each of ``n`` people; some are commoner than others."""
    common = np.cumsum((np.arange(n_tastes) + 3.0) ** -0.4)
    taste: Ints = np.searchsorted(common, rng.random(n) * common[-1])
    return taste


def draw_events(tastes: Tastes, n_events: int, days: float, until: int, rng: np.random.Generator) -> Events:
    """``n_events`` views and ratings in the ``days`` before ``until`` (microseconds since 1970).

    Nobody views an item twice. Where people and items are too few for that
    many events there are fewer.
    """
    # Some ratings fall after the end; a few views more make up for them.
    wanted = int(1.02 * n_events / (1 + RATED)) + 10
    start = until - int(days * DAY)
    user, item, at = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    n_items = len(tastes.appeal)
    for _ in range(12):
        short = wanted - len(user)
        if short <= 0:
            break
        more = _draw_views(tastes, int(short * 1.15) + 200, days, start, rng)
        user, item = np.concatenate([user, more[0]]), np.concatenate([item, more[1]])
        at = np.concatenate([at, more[2]])
        _, first = np.unique(user * n_items + item, return_index=True)
        first.sort()
        user, item, at = user[first], item[first], at[first]
    chosen = rng.permutation(len(user))[:wanted]
    return _with_ratings(tastes, user[chosen], item[chosen], at[chosen], start, until, n_events, rng)


def _draw_views(tastes: Tastes, n: int, days: float, start: int, rng: np.random.Generator) -> tuple[Ints, Ints, Floats]:
    """About ``n`` views: user, item, and days since the start."""
    n_sessions = int(n / SESSION_EVENTS) + 1
    lasting = days - tastes.joined
    weight = np.cumsum(tastes.activity * np.sqrt(lasting / days))
    user = np.searchsorted(weight, rng.random(n_sessions) * weight[-1])
    begin = _moments(tastes.joined[user], days, start, rng)
    first_taste = _tastes_of(tastes, user, begin, start, rng)
    length = rng.geometric(1 / SESSION_EVENTS, n_sessions)
    session = np.repeat(np.arange(n_sessions), length)
    place = np.arange(len(session)) - np.repeat(np.cumsum(length) - length, length)
    at = begin[session] + place * rng.uniform(2, 25, len(session)) / 1440
    user = user[session]
    drawn = _tastes_of(tastes, user, at, start, rng)
    taste = np.where(rng.random(len(session)) < SAME_MOOD, first_taste[session], drawn)
    item = _items_of(tastes, taste, at, days, rng)
    known = (item >= 0) & (at < days)
    return user[known], item[known], at[known]


def _moments(earliest: Floats, days: float, start: int, rng: np.random.Generator) -> Floats:
    """Days since the start after ``earliest``: busier at weekends, in the evening, and as the place grows."""
    n, n_days = len(earliest), max(int(np.ceil(days)), 1)
    weekday = ((start // DAY) + 3 + np.arange(n_days)) % 7
    busy = np.concatenate([[0.0], np.cumsum(WEEKDAYS[weekday] * np.linspace(0.8, 1.2, n_days))])
    from_ = np.interp(earliest, np.arange(n_days + 1), busy)
    drawn = from_ + rng.random(n) * (busy[-1] - from_)
    day = np.searchsorted(busy, drawn, side="right") - 1
    hours = np.cumsum(HOURS)
    hour = np.searchsorted(hours, rng.random(n) * hours[-1])
    at = np.minimum(day, n_days - 1) + (hour + rng.random(n)) / 24 - (start % DAY) / DAY
    inside: Floats = np.clip(at, earliest, days - 1e-3)
    return inside


def _tastes_of(tastes: Tastes, user: Ints, at: Floats, start: int, rng: np.random.Generator) -> Ints:
    """A taste for each asker, after their likes and the season; -1 for those who go astray."""
    upto = np.cumsum(tastes.shares, axis=1)[:, :-1]
    n_tastes = tastes.n_genres + tastes.n_moods

    def pick(who: Ints) -> Ints:
        place = (rng.random(len(who))[:, None] > upto[who]).sum(axis=1)
        found: Ints = tastes.favourites[who, place]
        return found

    taste = pick(user)
    # Each taste has its time of the year; out of season, half of the wishes for it are thought over.
    year = 2 * np.pi * ((start / DAY + at) % 365.25) / 365.25
    out_of_season = (1 - np.cos(year - 2 * np.pi * taste / n_tastes)) / 2
    again = rng.random(len(taste)) < 0.5 * out_of_season
    taste[again] = pick(user[again])
    return np.where(rng.random(len(taste)) < ASTRAY, -1, taste)


def _items_of(tastes: Tastes, taste: Ints, at: Floats, days: float, rng: np.random.Generator) -> Ints:
    """An item of each taste, the popular ones of that week likelier; -1 where there is none yet."""
    n_items, n_genres = len(tastes.appeal), tastes.n_genres
    n_tastes = n_genres + tastes.n_moods
    # Every item stands in three lists: of all items, of its genre, of its mood.
    owner = np.concatenate([np.full(n_items, -1), tastes.genre, n_genres + tastes.mood])
    member = np.tile(np.arange(n_items), 3)
    order = np.argsort(owner, kind="stable")
    owner, member = owner[order], member[order]
    begin = np.searchsorted(owner, np.arange(-1, n_tastes))
    end = np.searchsorted(owner, np.arange(-1, n_tastes), side="right")
    swing = np.random.default_rng(n_items).uniform(0, 2 * np.pi, n_items)
    period = 30 + 60 * np.random.default_rng(n_items + 1).random(n_items)
    week = (at // 7).astype(np.int16)
    item = np.full(len(taste), -1)
    by_week = np.argsort(week, kind="stable")
    for rows in np.split(by_week, np.searchsorted(week[by_week], np.arange(1, int(days // 7) + 1))):
        if not rows.size:
            continue
        day = 7.0 * week[rows[0]] + 3.5
        age = day - tastes.premiere
        drift = np.exp(0.9 * np.sin(2 * np.pi * day / period + swing))
        fresh = 1 + 5 * np.exp(-np.maximum(age, 0) / 15) * (tastes.premiere >= 0)
        weight = np.where(age >= 0, tastes.appeal * drift * fresh, 0.0)
        total = np.concatenate([[0.0], np.cumsum(weight[member])])
        low, high = total[begin[taste[rows] + 1]], total[end[taste[rows] + 1]]
        found = np.searchsorted(total, low + rng.random(len(rows)) * (high - low), side="right") - 1
        item[rows] = np.where(high > low, member[np.clip(found, 0, len(member) - 1)], -1)
    return np.where((item >= 0) & (at >= tastes.premiere[item]), item, -1)


def _with_ratings(
    tastes: Tastes, user: Ints, item: Ints, at: Floats, start: int, until: int, n_events: int, rng: np.random.Generator
) -> Events:
    """The views, and ratings of some an hour or two later; what one likes is rated higher."""
    rated = np.flatnonzero(rng.random(len(user)) < RATED)
    leaning = np.random.default_rng(len(tastes.activity)).normal(0, 0.4, len(tastes.activity))[user[rated]]
    liking = 2.7 + 2.2 * tastes.liking(user[rated], item[rated]) + tastes.quality[item[rated]] + leaning
    stars = np.clip(np.rint(liking + rng.normal(0, 0.6, len(rated))), 1, 5)
    later = at[rated] + rng.uniform(1.2, 2.6, len(rated)) / 24
    who, what = np.concatenate([user, user[rated]]), np.concatenate([item, item[rated]])
    kind = np.repeat(np.array([VIEW, RATING], np.int8), [len(user), len(rated)])
    value = np.concatenate([np.full(len(user), np.nan), stars])
    when = start + (np.concatenate([at, later]) * DAY / 1e6).astype(np.int64) * 1_000_000
    order = np.argsort(when, kind="stable")
    order = order[when[order] < until][-n_events:]
    return Events(
        who[order].astype(np.int32),
        what[order].astype(np.int32),
        kind[order],
        value[order].astype(np.float32),
        when[order],
    )
