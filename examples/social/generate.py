"""A made social network in Spanish: people whose tastes follow what they study and like, events, who joins what.

Four files: ``users.jsonl``, ``events.jsonl``, ``follows.csv``, ``participations.csv``, as of a moment: events lie
before it and after it, what people did lies before it. The same seed and moment make the same files.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from words import (
    ACTIVITIES,
    CITIES,
    CLOSINGS,
    CLUSTERS,
    DEGREES,
    FIRST_NAMES,
    FORMS,
    GUESTS,
    HOBBIES,
    MEETINGS,
    MIDDLES,
    OPENINGS,
    OUTSIDE,
    SEASONS,
    SURNAMES,
    TAGS,
    TOPICS,
    VENUES,
)

DAYS_BEFORE, DAYS_AFTER = 420, 60
"""Events take place from so long before the moment until so long after it."""
EAGERNESS = 3.0
"""How much taste decides among the open events, beside their being known and liked by many."""
NEWCOMERS = ("nuevo-1", "nuevo-2")
"""Two people of whom nothing is known and who did nothing."""


@dataclass(frozen=True)
class Size:
    """How large the world is."""

    users: int = 600
    events: int = 800
    participations: int = 8000


@dataclass(frozen=True)
class Person:
    """Somebody, as the file has it, and what the file does not say."""

    record: dict[str, Any]
    taste: np.ndarray
    """How much each tag draws, of shape (n_tags,)."""
    activity: float
    since: datetime


@dataclass(frozen=True)
class Event:
    """An event, as the file has it, and when it was announced and takes place."""

    record: dict[str, Any]
    tags: np.ndarray
    """Which tags it has, of shape (n_tags,), summing to 1; all 0 for tags outside the table."""
    draw: float
    announced: datetime
    date: datetime


def people(rng: np.random.Generator, n: int, until: datetime) -> list[Person]:
    """Users with profiles; ``taste`` follows studies and hobbies, and differs a little in everybody."""
    place = {tag: i for i, tag in enumerate(TAGS)}
    made = []
    for number in range(1, n + 1):
        gender = str(rng.choice(["mujer", "hombre", "no binario"], p=[0.5, 0.46, 0.04]))
        kind = str(rng.choice(["Estudiante", "Antiguo alumno", "Profesor", "Empresa"], p=[0.68, 0.2, 0.08, 0.04]))
        degree = str(rng.choice(list(DEGREES)))
        leanings, known = DEGREES[degree]
        hobbies = _hobbies(rng, leanings)
        taste = rng.gumbel(0, 0.25, len(TAGS))
        taste[[place[tag] for tag in leanings]] += rng.uniform(1.0, 2.0, len(leanings))
        for hobby in hobbies:
            taste[[place[tag] for tag in HOBBIES[hobby]]] += rng.uniform(0.8, 1.6)
        youngest, spread = {"Estudiante": (18, 5), "Antiguo alumno": (24, 12)}.get(kind, (30, 25))
        skills = rng.permutation(known)[: rng.integers(1, len(known) + 1)].tolist()
        first, last = rng.choice(FIRST_NAMES[gender].split()), rng.choice(SURNAMES.split(), 2)
        record = {
            "id": str(number), "name": f"{first} {last[0]} {last[1]}",
            "age": int(youngest + rng.integers(0, spread + 1)), "gender": gender,
            "degree": degree, "hobbies": hobbies, "skills": skills, "userType": kind,
        }  # fmt: skip
        for field in ("age", "gender", "skills"):
            if rng.random() < 0.05:
                del record[field]
        since = until - timedelta(days=float(rng.uniform(5, DAYS_BEFORE)))
        made.append(Person(record, taste, float(rng.lognormal(0, 0.7)), since))
    nothing = np.zeros(len(TAGS))
    return [*made, *(Person({"id": one, "name": None}, nothing, 0.0, until) for one in NEWCOMERS)]


def _hobbies(rng: np.random.Generator, leanings: tuple[str, ...]) -> list[str]:
    """A few hobbies, more likely those near to the studies."""
    weight = np.array([3.0 if set(tags) & set(leanings) else 1.0 for tags in HOBBIES.values()])
    return rng.choice(list(HOBBIES), int(rng.integers(1, 5)), replace=False, p=weight / weight.sum()).tolist()  # type: ignore[no-any-return]


def events(rng: np.random.Generator, n: int, until: datetime) -> list[Event]:
    """Events by their dates, more of a tag in its seasons."""
    first = until - timedelta(days=DAYS_BEFORE)
    days = np.sort(rng.uniform(0, DAYS_BEFORE + DAYS_AFTER, n))
    made = []
    for number, day in enumerate(days, start=1001):
        date = (first + timedelta(days=float(day))).replace(
            hour=int(rng.integers(9, 21)), minute=int(rng.choice([0, 30]))
        )
        date = date.replace(second=0, microsecond=0)
        tags = _tags(rng, date.month)
        draw = float(rng.normal(0, 0.6))
        announced = date - timedelta(days=float(rng.uniform(8, 45)))
        vector = np.array([tag in tags for tag in TAGS], float)
        record = {
            "id": str(number), "catalogue": "events", **_texts(rng, tags), "tags": tags, "date": date.isoformat(),
            "published": announced.isoformat(timespec="seconds"),
            "place": _place(rng, tags),
        }  # fmt: skip
        made.append(Event(record, vector / max(1.0, vector.sum()), draw, announced, date))
    return made


def _tags(rng: np.random.Generator, month: int) -> list[str]:
    """One to five tags: the first by season, the next mostly from its cluster; seldom one that no cluster has."""
    if rng.random() < 0.03:
        return [str(rng.choice(OUTSIDE))]
    weight = np.array([3.0 if month in SEASONS.get(tag, ()) else 1.0 for tag in TAGS])
    found = [str(rng.choice(TAGS, p=weight / weight.sum()))]
    beside = next(tags for tags in CLUSTERS.values() if found[0] in tags)
    for _ in range(int(rng.choice(5, p=[0.3, 0.35, 0.2, 0.1, 0.05]))):
        tag = str(rng.choice(beside if rng.random() < 0.7 else TAGS))
        if tag not in found:
            found.append(tag)
    return found


def _texts(rng: np.random.Generator, tags: list[str]) -> dict[str, str]:
    """A title and a description for an event of these tags."""
    topics, details = TOPICS[tags[0]]
    also = TOPICS[tags[1]][1] if len(tags) > 1 else details
    topic = str(rng.choice(topics))
    forms = MEETINGS if tags[0] in ACTIVITIES else FORMS
    form, this = forms[int(rng.integers(len(forms)))]
    one = str(rng.choice(details))
    other = str(rng.choice([detail for detail in also if detail != one]))
    guest = str(rng.choice(GUESTS))
    sentences = (
        str(rng.choice(OPENINGS)).format(topic=topic, this=this),
        str(rng.choice(MIDDLES)).format(one=one, other=other, guest=guest).replace(" de el ", " del "),
        str(rng.choice(CLOSINGS)),
    )
    return {"title": f"{form}: {topic}", "description": " ".join(part[:1].upper() + part[1:] for part in sentences)}


def _place(rng: np.random.Generator, tags: list[str]) -> str:
    """A venue and a city, or nowhere for what can be heard from home."""
    if tags[0] not in ACTIVITIES and rng.random() < 0.2:
        return "En línea"
    return f"{rng.choice(VENUES)}, {rng.choice(CITIES)}"


def follows(rng: np.random.Generator, persons: list[Person]) -> Iterator[tuple[str, str]]:
    """Who follows whom: mostly people of like tastes, some of whom everybody knows."""
    known = [one for one in persons if one.activity]
    tastes = np.stack([one.taste - one.taste.mean() for one in known])
    tastes /= np.linalg.norm(tastes, axis=1, keepdims=True)
    fame = rng.gumbel(0, 1, len(known))
    for i, one in enumerate(known):
        pull = 4 * tastes @ tastes[i] + fame + rng.gumbel(0, 1, len(known))
        pull[i] = -np.inf
        for other in np.argsort(-pull)[: rng.poisson(6)]:
            yield one.record["id"], known[int(other)].record["id"]


def participations(
    rng: np.random.Generator, persons: list[Person], made: list[Event], n: int, until: datetime
) -> list[tuple[str, str, str, datetime]]:
    """User, event, kind and moment, in order of time; everybody chooses among what is announced and not over.

    A quarter only intend to come, and some of these join some days later.
    """
    first = until - timedelta(days=DAYS_BEFORE)
    at = np.sort(rng.uniform(0, DAYS_BEFORE, n) * 86_400)
    opens = np.array([(one.announced - first).total_seconds() for one in made])
    closes = np.array([(one.date - first).total_seconds() for one in made])
    since = np.array([(one.since - first).total_seconds() for one in persons])
    activity = np.array([one.activity for one in persons])
    tags, draw = np.stack([one.tags for one in made]), np.array([one.draw for one in made])
    liking = EAGERNESS * np.stack([one.taste for one in persons]) @ tags.T + draw
    met = np.zeros(liking.shape, bool)
    rows: list[tuple[str, str, str, datetime]] = []
    for second in at:
        here = np.cumsum(np.where(since <= second, activity, 0))
        open_now = np.flatnonzero((opens <= second) & (second < closes))
        if not here[-1] or not len(open_now):
            continue
        user = int(np.searchsorted(here, rng.uniform(0, here[-1]), side="right"))
        open_now = open_now[~met[user, open_now]]
        if not len(open_now):
            continue
        event = int(open_now[np.argmax(liking[user, open_now] + rng.gumbel(0, 1, len(open_now)))])
        met[user, event] = True
        ids = persons[user].record["id"], made[event].record["id"]
        moment = first + timedelta(seconds=int(second))
        kind = "intend" if rng.random() < 0.25 else "join"
        rows.append((*ids, kind, moment))
        later = moment + timedelta(days=float(rng.uniform(0.5, 6)))
        if kind == "intend" and rng.random() < 0.4 and later < min(until, made[event].date):
            rows.append((*ids, "join", later.replace(microsecond=0)))
    return sorted(rows, key=lambda row: row[3])


def generate(folder: Path, until: datetime, seed: int = 7, size: Size | None = None) -> None:
    """Write the four files of a world into ``folder``."""
    size = size or Size()
    rng = np.random.default_rng(seed)
    persons, made = people(rng, size.users, until), events(rng, size.events, until)
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in (("users", persons), ("events", made)):
        lines = (json.dumps(one.record, ensure_ascii=False) + "\n" for one in records)
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    with (folder / "follows.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("follower", "followed"), *follows(rng, persons)])
    rows = participations(rng, persons, made, size.participations, until)
    with (folder / "participations.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(("user", "event", "kind", "at"))
        out.writerows((user, event, kind, at.isoformat()) for user, event, kind, at in rows)


def midnight() -> datetime:
    """The beginning of this day."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def main() -> None:
    """Read the command line and write the files."""
    told = argparse.ArgumentParser(description="A made social network in Spanish, as four files.")
    told.add_argument("folder", type=Path)
    told.add_argument("--until", type=datetime.fromisoformat, default=None, help="an ISO moment; this day's midnight")
    told.add_argument("--seed", type=int, default=7)
    told.add_argument("--users", type=int, default=Size.users)
    told.add_argument("--events", type=int, default=Size.events)
    told.add_argument("--participations", type=int, default=Size.participations)
    given = told.parse_args()
    until = given.until or midnight()
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    generate(given.folder, until, given.seed, Size(given.users, given.events, given.participations))
    print(f"users.jsonl, events.jsonl, follows.csv and participations.csv are in {given.folder}")


if __name__ == "__main__":
    main()
