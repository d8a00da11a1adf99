"""The API from another program; needs nothing of the server."""

from serendip.client.api import AsyncClient, Client
from serendip.client.calls.interactions import Event
from serendip.client.community import RecSysApi, SimilarityMatrixType
from serendip.client.errors import (
    Conflict,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    NotReady,
    PreconditionFailed,
    Refused,
    TooMany,
    Unauthorized,
    Unexpected,
    Unfinished,
    Unreachable,
)
from serendip.client.retries import Retries

__all__ = [
    "AsyncClient",
    "Client",
    "Conflict",
    "Event",
    "Fault",
    "Forbidden",
    "Invalid",
    "NotFound",
    "NotReady",
    "PreconditionFailed",
    "RecSysApi",
    "Refused",
    "Retries",
    "SimilarityMatrixType",
    "TooMany",
    "Unauthorized",
    "Unexpected",
    "Unfinished",
    "Unreachable",
]
