"""Experiments: which group a user is in, and who answers it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from serendip.domain import Invalid

USUAL = "home"
"""The scenario of a group that names none."""


@dataclass(frozen=True)
class Experiment:
    """Groups of users, each answered by a scenario; who belongs where follows from a salt and the user's id alone."""

    salt: str
    groups: tuple[tuple[str, str], ...]
    """Name and scenario of each; equally likely."""

    @staticmethod
    def parse(salt: str, groups: Sequence[str]) -> Experiment:
        """From entries such as ``control=home``; a group without a scenario is answered by ``home``."""
        pairs = [(name, scenario or USUAL) for name, _, scenario in (entry.partition("=") for entry in groups)]
        names = [name for name, _ in pairs]
        if len(pairs) < 2 or not all(names) or len(set(names)) < len(names):
            raise Invalid(
                f"an experiment needs two groups or more, each with a name of its own; {', '.join(groups) or 'none'} "
                "is not that; write for example control=home,test=topics",
                field="experiment_groups",
            )
        return Experiment(salt, tuple(pairs))

    def group(self, user: str) -> str:
        """The name of the group that ``user`` is in: the same in every process and at every time."""
        return self.groups[place_of(self.salt, user, len(self.groups))][0]

    @cached_property
    def scenarios(self) -> Mapping[str, str]:
        """The scenario of each group."""
        return dict(self.groups)


def place_of(salt: str, user: str, n: int) -> int:
    """One of ``n`` places, as good as drawn, by the first eight bytes of the SHA-256 of ``salt:user``."""
    digest = hashlib.sha256(f"{salt}:{user}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % n
