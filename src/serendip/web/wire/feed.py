"""The wire format ``feed``: posts for one user at a moment, best first.

It answers from the scenario ``home``; where the settings declare an experiment, from the scenario of the user's group,
which the answer then names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from serendip.domain import Item, NotFound, NotReady, Slate
from serendip.flows.groups import Experiment
from serendip.flows.live import HOME
from serendip.flows.recommend import MOST, Ask
from serendip.store import Store
from serendip.web.json import Json, StrictRoute
from serendip.web.sent import Moment
from serendip.web.services import Parts, Services
from serendip.web.together import Asked
from serendip.web.wire.community.shared import READING, ShownId, refusals, told

USUAL = 5


class Post(BaseModel):
    """A post."""

    id: ShownId
    text: str
    topic: str


class GroupsPosts(BaseModel):
    """The answer where there is an experiment."""

    exp_group: str = Field(description="Which group of the experiment the user is in.")
    recommendations: list[Post]


class Routes(APIRouter):
    """Routes that answer with a last slash, as they are documented, and without one."""

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Both addresses."""
        super().add_api_route(f"{path}/", endpoint, **options)
        super().add_api_route(path, endpoint, **{**options, "include_in_schema": False})


router = Routes(route_class=StrictRoute, tags=["feed"])


@router.get(
    "/post/recommendations",
    operation_id="feed_recommendations",
    response_model=list[Post] | GroupsPosts,
    responses=refusals(*READING, 400, 404),
)
async def recommendations(
    parts: Parts,
    id: Annotated[int, Query(description="The user.")],
    time: Annotated[Moment | None, Query(description="Answer as of this moment instead of now.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many posts, at most.")] = USUAL,
) -> Response:
    """Posts for a user, best first; with their group where there is an experiment."""
    settings, user = parts.settings, str(id)
    groups = settings.experiment_groups
    experiment = Experiment.parse(settings.experiment_salt, groups) if groups else None

    scenario = HOME if experiment is None else experiment.scenarios[experiment.group(user)]

    def check() -> None:
        if not (settings.cold_start or parts.store.known_user(user)):
            raise NotFound("User not found")
        _check_there(parts, scenario)

    slate, items = await parts.answers.run(Asked(user, Ask(scenario, limit), with_items, time, parts.clock(), check))
    parts.metrics.slates.labels(slate.scenario, slate.version, str(slate.known).lower()).inc()
    posts = [_post(items.get(place.item) or Item(place.item)) for place in slate.items]
    return Json(posts if experiment is None else {"exp_group": experiment.group(user), "recommendations": posts})


def with_items(store: Store, slates: Sequence[Slate]) -> list[tuple[Slate, dict[str, Item]]]:
    """Each slate beside the records of the items of all of them."""
    items = store.items_by_id({place.item for slate in slates for place in slate.items})
    return [(slate, items) for slate in slates]


def _check_there(parts: Services, scenario: str) -> None:
    """A scenario that is missing is no user that is missing, which is all that 404 says to clients of this format."""
    if scenario not in parts.live.known:
        raise NotReady(
            f"experiment_groups names the scenario {scenario!r}, and there is none; declare it in serendip.toml"
        )


def _post(item: Item) -> dict[str, Any]:
    topic = item.attributes.get("topic") or next(iter(item.tags), "")
    return {"id": told(item.id), "text": item.text or item.title or "", "topic": str(topic)}
