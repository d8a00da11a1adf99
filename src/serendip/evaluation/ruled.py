"""The rules of a scenario in a measurement, so that what is measured is what is served."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from serendip.data import Columns, Dataset, ItemLists, Vocabulary
from serendip.domain import InteractionKind, Invalid
from serendip.evaluation.split import Split
from serendip.pipeline.rounds import Round
from serendip.ranking import Likeness, Mask, Masks, Rules, RulesConfig


@dataclass(frozen=True)
class Ruled:
    """What an operator wants of every slate of a dataset's items, at any moment."""

    config: RulesConfig
    masks: Masks
    items: Vocabulary

    @staticmethod
    def of(data: Dataset, config: RulesConfig | None) -> Ruled | None:
        """The rules over the attributes of the items of ``data``; None where they say nothing."""
        if config is None or config == RulesConfig():
            return None
        if config.uses_now and data.at is None:
            raise Invalid("the rules say now, and the data has no moments; leave such filters out", field="rules")
        return Ruled(config, Masks(data.item_columns or Columns(data.n_items, {})), data.items)

    def rounds(self, rounds: Iterable[Round]) -> Iterator[Round]:
        """``rounds`` under the rules; what they leave out is not to be found, and who has nothing left is not asked."""
        for turn in rounds:
            rules = self._still or Rules.of(self.config, self.masks, self.items, turn.moment)
            narrower = replace(turn, rules=rules) if rules.passing is None else _narrowed(turn, rules, rules.passing)
            if len(narrower.user_ix):
                yield narrower

    @cached_property
    def _still(self) -> Rules | None:
        """The rules where they are the same at every moment."""
        return None if self.config.uses_now else Rules.of(self.config, self.masks, self.items)


def _narrowed(turn: Round, rules: Rules, passing: Mask) -> Round:
    asker = np.repeat(np.arange(len(turn.user_ix)), np.diff(turn.relevant.indptr))
    kept = passing[turn.relevant.item_ix]
    size = np.bincount(asker[kept], minlength=len(turn.user_ix))
    asked = np.flatnonzero(size)
    indptr = np.concatenate([[0], np.cumsum(size[asked])]).astype(np.int64)
    return replace(
        turn,
        user_ix=turn.user_ix[asked],
        relevant=ItemLists(indptr, turn.relevant.item_ix[kept]),
        candidates=None if turn.candidates is None else ItemLists.of([turn.candidates[int(q)] for q in asked]),
        rules=rules,
    )


def likeness_of(data: Dataset, config: RulesConfig | None, by: str | None) -> Likeness | None:
    """What the metric diversity is measured over: the attribute ``by``, or the one that the rules are diverse by."""
    name = by if by is not None else config.diversity.by if config is not None and config.diversity else None
    return None if name is None else Likeness.of(data.item_columns or Columns(data.n_items, {}), name)


def with_hides(folds: Sequence[Split], config: RulesConfig | None) -> list[Split]:
    """The parts, with the kinds of interaction hiding what the rules say they hide."""
    if config is None or config.hide is None:
        return list(folds)
    return [replace(one, train=hiding(one.train, config), test=hiding(one.test, config)) for one in folds]


def hiding(data: Dataset, config: RulesConfig | None) -> Dataset:
    """``data`` whose kinds hide what the rules say they hide."""
    if config is None or config.hide is None:
        return data
    hide, names = config.hide, {kind.name for kind in data.kinds}
    if strange := [name for name in hide if name not in names]:
        known = ", ".join(sorted(names))
        raise Invalid(f"there is no kind of interaction {strange[0]!r} to hide; the kinds are {known}", field="hide")

    def own(kind: InteractionKind) -> InteractionKind:
        return replace(kind, hides=kind.name in hide)

    return replace(data, kinds=tuple(map(own, data.kinds)))
