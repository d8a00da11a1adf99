"""Requests that come at the same time are answered by one batch, and nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from serendip.domain import Interaction, Invalid, NotFound, Slate
from serendip.flows.live import FOR_YOU, HOME
from serendip.flows.recommend import Ask
from serendip.store import Store
from serendip.web.together import Asked, answer_each

from .conftest import NOON, Server


def places(_: Store, slates: Sequence[Slate]) -> list[Any]:
    return [(slate.user, slate.known, [(one.item, one.score) for one in slate.items]) for slate in slates]


def users(_: Store, slates: Sequence[Slate]) -> list[str | None]:
    return [slate.user for slate in slates]


def asked(user: str, scenario: str = FOR_YOU, told: Any = places, **more: Any) -> Asked:
    return Asked(user, Ask(scenario, 5), told, more.pop("time", None), NOON + timedelta(days=1), **more)


def both(server: Server, questions: Sequence[Asked]) -> tuple[list[Any], list[Any]]:
    """The answers of one batch, and of each question by itself."""
    store, live = server.store, server.app.state.services.live
    alone = [answer_each(store, live, [one])[0] for one in questions]
    return answer_each(store, live, questions), alone


def test_a_batch_answers_each_question_as_if_it_had_come_alone(server: Server) -> None:
    questions = [asked(f"user-{n}") for n in range(12)]
    questions += [
        asked("user-3", HOME),
        asked("nobody"),
        asked("user-4", told=users),
        asked("user-5", time=NOON - timedelta(days=30)),
    ]
    together, alone = both(server, questions)
    assert together == alone
    assert together[-2] == "user-4"
    assert len({str(answer) for answer in together}) == len(together)


def test_what_is_wrong_with_one_question_is_not_the_others_business(server: Server) -> None:
    def stop() -> None:
        raise NotFound("not today")

    questions = [asked("user-1"), asked("x" * 600), asked("user-2"), asked("user-3", check=stop), asked("user-4", "no")]
    together, alone = both(server, questions)
    assert [type(answer) for answer in together] == [tuple, Invalid, tuple, NotFound, NotFound]
    assert [str(answer) for answer in together] == [str(answer) for answer in alone]


def test_what_was_recorded_a_moment_ago_counts_for_everybody_of_the_batch(server: Server) -> None:
    before, _ = both(server, [asked("user-1"), asked("user-2")])
    clicked = [user[2][0][0] for user in before]
    server.store.add_interactions(
        [
            Interaction(f"user-{n}", item, NOON + timedelta(hours=1), "rating", 5.0)
            for n, item in zip((1, 2), clicked, strict=True)
        ]
    )
    after, alone = both(server, [asked("user-1"), asked("user-2")])
    assert after == alone
    for item, user in zip(clicked, after, strict=True):
        assert item not in [place[0] for place in user[2]]


def test_many_clients_at_once_get_what_each_gets_alone(server: Server) -> None:
    def items(user: int) -> list[str]:
        answer = server.client.get("/v1/recommendations", params={"user": f"user-{user}", "scenario": FOR_YOU, "n": 5})
        assert answer.status_code == 200, answer.text
        assert answer.json()["user"] == f"user-{user}"
        return [one["item"] for one in answer.json()["items"]]

    alone = [items(user) for user in range(16)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(items, range(16))) == alone
