"""Similarity matrices: what there is, who is alike, versions; and recommenders, with their rows of recommendations."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypedDict, Unpack

from serendip.client.answers import Shown, Slate
from serendip.client.call import Call, nothing, reads

ONE = "/v1/matrices/{matrix}"


class Matrix(Shown):
    """A similarity matrix of users or of items."""

    name: str
    of: str
    description: str | None = None
    version: int = 0
    """The one that readers see; 0 before there is any."""


class Matrices(Shown):
    """All of them."""

    matrices: tuple[Matrix, ...]


class MatrixVersion(Shown):
    """A version that has rows."""

    version: int
    read: bool = False
    """Whether it is the one that readers see."""


class MatrixVersions(Shown):
    """Versions of a matrix, rising."""

    matrix: str
    versions: tuple[MatrixVersion, ...]


class VersionDeleted(Shown):
    """A version that is gone, and how many cells it had."""

    matrix: str
    version: int
    deleted: int


class Neighbour(Shown):
    """Somebody, or something, alike."""

    id: str
    likeness: float


class MatrixRow(Shown):
    """Who is alike, best first."""

    matrix: str
    version: int
    row: str
    neighbours: tuple[Neighbour, ...]


class Recommender(Shown):
    """A row of recommendations made from matrices, which stand here by their names."""

    name: str
    description: str | None = None
    user_matrix: str | None = None
    item_matrix: str | None = None


class Recommenders(Shown):
    """All of them."""

    recommenders: tuple[Recommender, ...]


class MatrixChanges(TypedDict, total=False):
    """What can be changed of a matrix; another version is read from then on."""

    name: str
    description: str | None
    version: int


class RecommenderFields(TypedDict, total=False):
    """What is kept of a recommender beside its name."""

    description: str | None
    user_matrix: str | None
    item_matrix: str | None


def matrices() -> Call[Matrices]:
    """Every similarity matrix, oldest first."""
    return Call("list_matrices", "GET", "/v1/matrices", reads(Matrices))


def matrix(matrix: str) -> Call[Matrix]:
    """One matrix."""
    return Call("read_matrix", "GET", ONE, reads(Matrix), {"matrix": matrix})


def create_matrix(name: str, of: Literal["users", "items"], description: str | None = None) -> Call[Matrix]:
    """A new matrix without rows; Conflict when the name is taken."""
    body = {"name": name, "of": of, "description": description}
    return Call("create_matrix", "POST", "/v1/matrices", reads(Matrix), body=body)


def update_matrix(matrix: str, **fields: Unpack[MatrixChanges]) -> Call[Matrix]:
    """Change what is named. Going back to an older version is naming it."""
    return Call("update_matrix", "PATCH", ONE, reads(Matrix), {"matrix": matrix}, body=dict(fields))


def delete_matrix(matrix: str) -> Call[None]:
    """Forget a matrix with all its versions; recommenders that name it do without."""
    return Call("delete_matrix", "DELETE", ONE, nothing, {"matrix": matrix})


def matrix_versions(matrix: str) -> Call[MatrixVersions]:
    """The versions that have rows, rising."""
    return Call("list_matrix_versions", "GET", f"{ONE}/versions", reads(MatrixVersions), {"matrix": matrix})


def delete_matrix_version(matrix: str, version: int) -> Call[VersionDeleted]:
    """Forget a version; Conflict for the one that is read."""
    named = {"matrix": matrix, "version": str(version)}
    return Call("delete_matrix_version", "DELETE", f"{ONE}/versions/{{version}}", reads(VersionDeleted), named)


def matrix_row(matrix: str, row: str, n: int | None = None, *, version: int | None = None) -> Call[MatrixRow]:
    """Who is most alike a user, or what is most alike an item, best first; in the version that readers see."""
    named, query = {"matrix": matrix, "row": row}, {"n": n, "version": version}
    return Call("read_matrix_row", "GET", f"{ONE}/rows/{{row}}", reads(MatrixRow), named, query)


def recommenders() -> Call[Recommenders]:
    """Every recommender, oldest first."""
    return Call("list_recommenders", "GET", "/v1/recommenders", reads(Recommenders))


def replace_recommender(recommender: str, **fields: Unpack[RecommenderFields]) -> Call[Recommender]:
    """Keep exactly this under the name, whether or not it existed."""
    template, named = "/v1/recommenders/{recommender}", {"recommender": recommender}
    return Call("replace_recommender", "PUT", template, reads(Recommender), named, body=dict(fields))


def delete_recommender(recommender: str) -> Call[None]:
    """Forget a recommender, not its matrices."""
    named = {"recommender": recommender}
    return Call("delete_recommender", "DELETE", "/v1/recommenders/{recommender}", nothing, named)


def recommend_by_matrices(
    recommender: str,
    user: str,
    n: int | None = None,
    *,
    by: Literal["users", "items", "both"] | None = None,
    explain: bool = False,
    time: datetime | None = None,
) -> Call[Slate]:
    """What people alike liked and what is like the liked, best first, without what the user has met."""
    query = {"user": user, "n": n, "by": by, "explain": explain or None, "time": time}
    template = "/v1/recommenders/{recommender}/recommendations"
    return Call("recommend_by_matrices", "GET", template, reads(Slate), {"recommender": recommender}, query)
