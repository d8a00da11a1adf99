"""What an asker is taken to like, in the few things that a model counts histories by."""

from __future__ import annotations

import numpy as np

from serendip.data import Queries
from serendip.domain import Interest
from serendip.models import HasInterests
from serendip.pipeline.answering import Pipeline


def interests_of(pipeline: Pipeline, queries: Queries) -> list[tuple[Interest, ...]]:
    """For each query, what the first source that counts histories has counted and expects, the most expected first.

    Nothing for a history that holds none of it, and where no source counts.
    """
    model = next((source.model for source in pipeline.sources if isinstance(source.model, HasInterests)), None)
    if model is None:
        return [()] * len(queries)
    names, counts, expected = model.interests(queries)
    found = []
    for have, expects in zip(counts, expected, strict=True):
        order = [] if np.isnan(expects).any() else np.argsort(-expects, kind="stable").tolist()
        found.append(tuple(Interest(names[t], float(have[t]), float(expects[t])) for t in order))
    return found
