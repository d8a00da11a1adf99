"""Pipelines side by side on the same questions, with the baselines that every table holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip import models
from serendip.data import Dataset
from serendip.domain import Invalid, moment
from serendip.evaluation.bootstrap import Estimate, estimates
from serendip.evaluation.measure import CEILING, Fits, Outcome, Progress, joined, measure
from serendip.evaluation.rounds import frozen
from serendip.evaluation.ruled import Ruled, hiding, likeness_of, with_hides
from serendip.evaluation.split import Split, splits_of
from serendip.evaluation.table import Difference, Protocol, Row, Slice, Table
from serendip.evaluation.wanted import DIVERSITY, Wanted, wanted_of
from serendip.pipeline import PipelineConfig
from serendip.pipeline.rounds import Round, replayed
from serendip.ranking import RulesConfig

NEWCOMER_EVENTS = 5
"""An asker with at most this many events is a newcomer."""

NOBODY = (
    "after the cut, no known user takes an item that was known before and may be shown to them, so nothing can "
    "be measured; import a longer stretch of time or test on a larger fraction"
)


def compare(
    configs: Sequence[PipelineConfig],
    data: Dataset,
    protocol: str = "replayed",
    split: str | Split | Sequence[Split] = "time",
    *,
    fraction: float = 0.1,
    k: int = 10,
    metrics: Sequence[str] = (),
    candidates: Dataset | None = None,
    window_days: float = 1.0,
    refresh_days: float | None = None,
    seed: int = 0,
    fits: Fits | None = None,
    progress: Progress = lambda _: None,
    rules: RulesConfig | None = None,
    diverse_by: str | None = None,
) -> Table:
    """Every pipeline and every baseline, fitted to what was before the cut and asked about what came after.

    ``protocol`` is replayed or frozen. ``split`` is as in ``splits_of``, or parts already made. ``metrics`` are what
    the table holds, such as ``recall@20``; none are all there are at ``k``, but for ``auc``. With ``candidates``, users
    and items over the vocabularies of ``data``, only these are ranked (frozen only). ``fits`` that is given to several
    comparisons of the same data and split spares them fitting again. Differences are between all pairs of rows, in the
    first of ``metrics`` that single questions have, else in nDCG at ``k``.

    All answer under ``rules``, over the attributes of the items of ``data``. ``diverse_by`` is the attribute that the
    metric ``diversity`` is measured over, where it is not the one of the rules.
    """
    data, wanted = hiding(data, rules), wanted_of(metrics, k)
    likeness = likeness_of(data, rules, diverse_by)
    if likeness is None and any(one.name == DIVERSITY for one in wanted.metrics):
        raise Invalid("diversity needs an attribute to be measured over; say which, or give rules with one", "metrics")
    folds, ruled = with_hides(splits_of(data, split, fraction, seed), rules), Ruled.of(data, rules)
    parts, checked, fits = folds[0], check_protocol(protocol, refresh_days), fits or Fits()
    lineup, named, alone, notes = everybody(configs, parts.train, seed, fits)
    asked, kept = [], fits if len(folds) == 1 else None
    for fold in folds:
        rounds = rounds_of(data, fold, checked, window_days, candidates)
        rounds = rounds if ruled is None else ruled.rounds(rounds)
        asked.append(measure(lineup, rounds, wanted.ks, refresh_days, seed, kept, progress, wanted.whole, likeness))
    outcomes = joined([one for one in asked if one])
    if not outcomes:
        raise Invalid(NOBODY)
    return Table(
        checked,
        parts.name,
        wanted.first,
        len(outcomes[0].user_ix),
        len(np.unique(outcomes[0].user_ix)),
        None if parts.cut is None else moment(parts.cut).isoformat(),
        None if parts.cut is None else moment(data.now).isoformat(),
        window_days if checked == "replayed" else None,
        refresh_days,
        seed,
        named,
        (*notes, *warnings_of(parts, candidates is not None, outcomes, wanted.ks[0], rules)),
        rows_of(lineup, outcomes, wanted, seed, alone),
        sampled=candidates is not None,
    )


def warnings_of(
    parts: Split, sampled: bool, outcomes: Sequence[Outcome], k: int, rules: RulesConfig | None
) -> list[str]:
    """What a reader of such a table must know, a sentence each."""
    said = []
    if rules is not None and rules != RulesConfig():
        said.append(f"under rules: {rules.model_dump_json(exclude_defaults=True)}")
    if parts.name == "given":
        said.append("the parts were given: whether the past is kept from the future is up to who made them")
    elif parts.parity_only:
        said.append(f"the split {parts.name} mixes past and future: for comparing with papers, not for deciding")
    if sampled:
        said.append("sampled: only given candidates were ranked; not comparable with ranking the whole catalogue")
    if quiet := [one.name for one in outcomes if one.catalogue[f"fallback@{k}"] > 0.5]:
        said.append(f"more than half of the places were filled by the fallback: {', '.join(quiet)}")
    return said


def check_protocol(protocol: str, refresh_days: float | None = None) -> Protocol:
    """``protocol``, if it is replayed or frozen; models are fitted again only while they are replayed."""
    checked: Protocol = "frozen" if protocol == "frozen" else "replayed"
    if protocol != checked:
        raise Invalid(f"no protocol {protocol!r}; there are replayed and frozen", field="protocol")
    if checked == "frozen" and refresh_days is not None:
        raise Invalid("everybody is asked at one moment, so nothing is fitted again; leave refresh out", "refresh")
    return checked


def rounds_of(
    data: Dataset, split: Split, protocol: Protocol, window_days: float, candidates: Dataset | None = None
) -> Iterable[Round]:
    """The questions of a protocol."""
    if protocol == "frozen":
        return frozen(split, candidates)
    if candidates is not None:
        raise Invalid("given candidates cannot be replayed; choose the frozen protocol", field="protocol")
    if split.cut is None:
        raise Invalid(f"the split {split.name} has no cut to replay from; choose the frozen protocol", field="protocol")
    return replayed(data, split.cut, window_days)


def allows_repeats(data: Dataset) -> bool:
    """Whether some kind of interaction lets its items be shown again."""
    return any(not kind.hides and not kind.negative for kind in data.kinds)


def everybody(
    configs: Sequence[PipelineConfig], data: Dataset, seed: int, fits: Fits
) -> tuple[list[PipelineConfig], dict[str, str], dict[str, tuple[str, ...]], list[str]]:
    """All that are measured, which row is which baseline, which are whose sources alone, and what is left out."""
    baselines, notes = baselines_for(data)
    baselines, refusals = able(baselines, configs, data, seed, fits)
    lineup, named = line_up(configs, baselines)
    lineup, alone = with_singles(lineup)
    return lineup, named, alone, notes + refusals


def baselines_for(data: Dataset) -> tuple[list[PipelineConfig], list[str]]:
    """What any pipeline must be held against, and what had to be left out of it."""
    names, notes = ["random", "popular"], []
    if data.at is not None:
        names.append("popular-7-days")
    else:
        notes.append("popular-7-days is left out: the data has no moments")
    names.append("item-knn")
    if allows_repeats(data):
        names.append("again")
    configs = [PipelineConfig.parse(name) for name in names]
    return configs, notes


def able(
    baselines: Sequence[PipelineConfig], configs: Sequence[PipelineConfig], data: Dataset, seed: int, fits: Fits
) -> tuple[list[PipelineConfig], list[str]]:
    """The baselines that can be fitted to ``data``, and why the others cannot, such as for memory.

    What ``configs`` hold too is not tried: they refuse for themselves.
    """
    kept, notes = [], []
    for baseline in baselines:
        try:
            if baseline not in configs:
                fits.pipeline(baseline, data, seed)
        except Invalid as error:
            notes.append(f"the baseline {baseline.name} is left out: {error}")
        else:
            kept.append(baseline)
    return kept, notes


def line_up(
    configs: Sequence[PipelineConfig], baselines: Sequence[PipelineConfig]
) -> tuple[list[PipelineConfig], dict[str, str]]:
    """All that are measured, each once, and which row is which baseline.

    A baseline whose name is taken by a pipeline of other settings is called "plain ...".
    """
    given = {config.name: config for config in configs}
    if len(given) < len(configs):
        raise Invalid("two pipelines have the same name; give each its own", field="name")
    lineup, named = list(configs), {}
    for baseline in baselines:
        name = baseline.name
        if name not in given:
            lineup.append(baseline)
        elif given[name] != baseline:
            name = f"plain {name}"
            lineup.append(baseline.model_copy(update={"name": name}))
        named[baseline.name] = name
    return lineup, named


def with_singles(lineup: Sequence[PipelineConfig]) -> tuple[list[PipelineConfig], dict[str, tuple[str, ...]]]:
    """``lineup`` with each source alone of its ranked pipelines, and the names of these rows by pipeline.

    A source that is a row already is not measured twice; one whose name is taken is called "... alone".
    """
    out, alone = list(lineup), {}
    for config in lineup:
        names = []
        for single in config.singles:
            same = [other.name for other in out if other.ranker is None and _asks(other) == _asks(single)]
            if not same:
                taken = single.name in {other.name for other in out}
                name = f"{single.name} alone ({config.name})" if taken else single.name
                out.append(single.model_copy(update={"name": name}))
                same = [name]
            names.append(same[0])
        if names:
            alone[config.name] = tuple(names)
    return out, alone


def _asks(config: PipelineConfig) -> tuple[list[tuple[str, dict[str, Any]]], ...]:
    """Which models with which settings answer, and then fill: what a pipeline of one source is known by."""
    return tuple([(one.model, one.settings) for one in part] for part in (config.sources, config.fallback))


def rows_of(
    configs: Sequence[PipelineConfig],
    outcomes: Sequence[Outcome],
    wanted: Wanted,
    seed: int,
    alone: Mapping[str, tuple[str, ...]],
) -> tuple[Row, ...]:
    """One row a pipeline, the best first; ``outcomes`` are of the same questions.

    A row holds what is ``wanted``; of tail items their nDCG over the first number of places. ``alone`` names the rows
    of each ranked pipeline's sources.
    """
    users, metric, said = outcomes[0].user_ix, wanted.first, [str(one) for one in wanted.metrics]
    names = [
        name
        for name in outcomes[0].metrics
        if not name.startswith("tail-") and (not said or name in said or name == metric)
    ]
    means = _columns([outcome.metrics[name] for outcome in outcomes for name in names], users, seed)
    pairs = list(permutations(range(len(outcomes)), 2))
    gaps = _columns([outcomes[a].metrics[metric] - outcomes[b].metrics[metric] for a, b in pairs], users, seed)
    slices = _slices(outcomes, metric, wanted.ks[0], seed)
    rows = []
    for i, (config, outcome) in enumerate(zip(configs, outcomes, strict=True)):
        vs = {
            outcomes[b].name: Difference(gap.mean, gap.low, gap.high)
            for (a, b), gap in zip(pairs, gaps, strict=True)
            if a == i
        }
        own = dict(zip(names, means[i * len(names) : (i + 1) * len(names)], strict=True))
        kinds = tuple(source.model for source in config.sources)
        personal = config.ranker is not None or any(models.KINDS[kind].personal for kind in kinds)
        kinds += () if config.ranker is None else (config.ranker.ranker,)
        catalogue = {
            name: one for name, one in outcome.catalogue.items() if not said or name in said or name == CEILING
        }
        rows.append(Row(config.name, kinds, personal, own, catalogue, slices[i], vs, alone.get(config.name, ())))
    return tuple(sorted(rows, key=lambda row: -row.metrics[metric].mean))


def _columns(columns: Sequence[NDArray[np.float64]], users: NDArray[np.int32], seed: int) -> list[Estimate]:
    return estimates(np.stack(columns, axis=1), users, seed) if columns else []


def _slices(outcomes: Sequence[Outcome], metric: str, k: int, seed: int) -> list[dict[str, Slice]]:
    """For each outcome: newcomers, and tail items, where there are any."""
    parts = {
        "newcomers": (metric, outcomes[0].n_events <= NEWCOMER_EVENTS),
        "tail": (f"tail-ndcg@{k}", ~np.isnan(outcomes[0].metrics[f"tail-ndcg@{k}"])),
    }
    out: list[dict[str, Slice]] = [{} for _ in outcomes]
    for name, (column, among) in parts.items():
        if not among.any():
            continue
        columns = [outcome.metrics[column][among] for outcome in outcomes]
        for own, one in zip(out, _columns(columns, outcomes[0].user_ix[among], seed), strict=True):
            own[name] = Slice(int(among.sum()), one.mean, one.low, one.high)
    return out
