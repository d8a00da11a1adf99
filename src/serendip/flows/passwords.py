"""Passwords: which are fit, how they are kept, whether one is right. Hashing takes long and 19 MiB on purpose."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from serendip.domain import Invalid

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST = 10
LONGEST = 1024
"""In characters; a longer one would only make work."""


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


@cache
def _nobodys() -> str:
    """The hash that is compared where there is no account, so that this takes as long."""
    return _hasher().hash("nobody has this password")


def checked_password(password: str, name: str) -> str:
    """``password`` in its normal form, if it is fit for the account ``name``."""
    normal = _normal(password)
    if not SHORTEST <= len(normal) <= LONGEST:
        raise Invalid(f"a password has {SHORTEST} to {LONGEST} characters, this one {len(normal)}", field="password")
    if normal.casefold() == name.casefold():
        raise Invalid("the password must not be the name; choose another", field="password")
    return normal


def hashed(password: str, name: str) -> str:
    """What is kept of a password."""
    return _hasher().hash(checked_password(password, name).encode("utf-8", "surrogatepass"))


def matches(kept: str | None, password: str) -> bool:
    """Whether ``password`` is the one that ``kept`` was made of; where there is none, no, and it takes as long."""
    from argon2.exceptions import Argon2Error, InvalidHashError

    given = _normal(password[: LONGEST + 1])
    try:
        right = _hasher().verify(kept or _nobodys(), given.encode("utf-8", "surrogatepass"))
    except (Argon2Error, InvalidHashError):
        return False
    return right and kept is not None


def _normal(password: str) -> str:
    """One form for what different keyboards send for the same letters."""
    return unicodedata.normalize("NFKC", password)
