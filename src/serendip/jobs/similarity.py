"""Jobs that find who is like whom, and let recommenders read it."""

from __future__ import annotations

from functools import partial
from typing import Any

from pydantic import Field, field_validator

from serendip import models
from serendip.flows.similarity import KEEP, NAMES, refresh_similarity
from serendip.jobs.kind import JobKind, Refreshing, Work


class SimilarityArguments(Refreshing):
    """How many neighbours are kept, and how they are found."""

    n_users: int = Field(default=50, ge=1, le=1000)
    """Nearest users kept of every user."""
    n_items: int = Field(default=50, ge=1, le=1000)
    """Nearest items kept of every item."""
    keep: int = Field(default=KEEP, ge=1, le=100)
    """Versions that stay, the one that is read among them."""
    seed: int = Field(default=0, ge=0)
    measure: bool = True
    """Models of ratings are measured on a tenth of the ratings before they learn from all."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Of the model."""


def _arguments(kind: str) -> type[SimilarityArguments]:
    """Arguments whose ``settings`` are those of ``kind``."""

    class Arguments(SimilarityArguments):
        @field_validator("settings")
        @classmethod
        def _of_the_kind(cls, settings: dict[str, Any]) -> dict[str, Any]:
            models.kind_of(kind).config(**settings)
            return settings

    return Arguments


def run(kind: str, work: Work, told: SimilarityArguments) -> dict[str, Any]:
    """The next version of the kind's matrices."""
    return refresh_similarity(
        work.store,
        kind,
        told.settings,
        n_users=told.n_users,
        n_items=told.n_items,
        keep=told.keep,
        seed=told.seed,
        measure=told.measure,
        tell=lambda stage: work.tell(stage),
    ).to_dict()


KINDS = [
    JobKind(
        f"{kind.removesuffix('-knn')}-similarity",
        f"Find the nearest {what} by {kind}, as the next version of the matrices of the recommender {NAMES[kind]}.",
        _arguments(kind),
        partial(run, kind),
        skips_unchanged=True,
        reads_scenarios=False,
    )
    for kind, what in (
        ("svd", "users and items"),
        ("nmf", "users and items"),
        ("content-knn", "items"),
        ("profile-knn", "users"),
    )
]
