"""Every call of the API, described: what is sent, and how the answer is read. Nothing here is sent."""

from serendip.client.calls import (
    erasures,
    interactions,
    matrices,
    recommendations,
    records,
    relations,
    running,
    slates,
    versions,
)

__all__ = [
    "erasures",
    "interactions",
    "matrices",
    "recommendations",
    "records",
    "relations",
    "running",
    "slates",
    "versions",
]
