"""A similarity job of one's own, over the wire alone: any program that can count may bring its matrices.

It reads all votes page by page, compares items by the cosine of their votes less each person's mean, writes the nearest
of each as the next version of a matrix, lets readers see that version, and deletes the versions before the last two.

    python examples/community/sample_job.py http://127.0.0.1:8000 TOKEN
"""

from __future__ import annotations

import sys

import numpy as np

from serendip.client import RecSysApi

NAME = "Cosine items"
NEAREST = 10
KEEP = 2
PAGE = 1000


def run(api: RecSysApi, nearest: int = NEAREST) -> dict[str, int]:
    """One run; what was written, switched to and deleted."""
    votes = {(vote["user"], vote["item"]): vote["rating"] for vote in api.interactions(limit=PAGE)}
    users = {user: place for place, user in enumerate(dict.fromkeys(user for user, _ in votes))}
    items = {item: place for place, item in enumerate(dict.fromkeys(item for _, item in votes))}
    names = list(items)

    rated = np.full((len(users), len(items)), np.nan)
    for (user, item), value in votes.items():
        rated[users[user], items[item]] = value
    rest = np.nan_to_num(rated - np.nanmean(rated, axis=1, keepdims=True))
    length = np.linalg.norm(rest, axis=0)
    unit = rest / np.where(length > 0, length, 1)
    likeness = unit.T @ unit
    np.fill_diagonal(likeness, -np.inf)

    found = api.similarity_matrix(name=NAME).body.results
    matrix = found[0] if found else api.add_similarity_matrix(NAME, 2, "By the cosine of votes").body
    kept = [one["version"] for one in api.versions(matrix["id"]).body]
    version = max([matrix["version"], *kept]) + 1
    cells = [
        {
            "row": names[row],
            "column": names[column],
            "value": float(likeness[row, column]),
            "matrix": matrix["id"],
            "version": version,
        }
        for row in range(len(names))
        for column in np.argsort(-likeness[row], kind="stable")[:nearest]
        if likeness[row, column] > 0
    ]
    api.bulk_add_similarity_cells(cells)
    api.update_similarity_matrix({**matrix, "version": version})
    told = {"name": "Cosine", "item_similarity_matrix": matrix["id"]}
    same = api.recommenders(name="Cosine").body.results
    if same:
        api.update_recommender({**told, "id": same[0]["id"]})
    else:
        api.add_recommender(told)
    old = sorted([*kept, version])[:-KEEP]
    deleted = sum(api.remove_version(matrix["id"], one).body["deleted"] for one in old)
    return {"votes": len(votes), "cells": len(cells), "version": version, "deleted": deleted}


def main() -> None:
    """Run against a server."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with RecSysApi(sys.argv[2], sys.argv[1]) as api:
        print(run(api))


if __name__ == "__main__":
    main()
