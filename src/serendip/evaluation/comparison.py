"""Pipelines side by side on the same questions, with the baselines that every table holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from serendip import models
from serendip.data import Dataset
from serendip.domain import Invalid, moment
from serendip.evaluation.bootstrap import Estimate, estimates
from serendip.evaluation.measure import CEILING, Fits, Outcome, Progress, joined, measure
from serendip.evaluation.metrics import BY_QUERY
from serendip.evaluation.rounds import frozen
from serendip.evaluation.ruled import Ruled, hiding, likeness_of, with_hides
from serendip.evaluation.split import Split, splits_of
from serendip.evaluation.table import Difference, Protocol, Row, Slice, Table
from serendip.pipeline import PipelineConfig
from serendip.pipeline.rounds import Round, replayed
from serendip.ranking import RulesConfig

MOST_PLACES = 10_000
"""The longest list that is measured."""

NEWCOMER_EVENTS = 5
"""An asker with at most this many events is a newcomer."""


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
    data = hiding(data, rules)
    wanted = parse_metrics(metrics, k)
    if rates := [str(one) for one in wanted if one.name in RATING]:
        raise Invalid(f"{' and '.join(rates)} is of predicted ratings, not of lists; ask for it alone", field="metrics")
    ks = tuple(dict.fromkeys(one.places for one in wanted if one.places)) or (k,)
    first = next((one for one in wanted if one.name in (*PER_QUERY, *WHOLE)), Metric("ndcg", ks[0]))
    likeness = likeness_of(data, rules, diverse_by)
    if likeness is None and any(one.name == DIVERSITY for one in wanted):
        raise Invalid("diversity needs an attribute to be measured over; say which, or give rules with one", "metrics")
    folds = with_hides(splits_of(data, split, fraction, seed), rules)
    ruled = Ruled.of(data, rules)
    checked = check_protocol(protocol)
    parts, whole = folds[0], any(one.name in WHOLE for one in wanted)
    baselines, notes = baselines_for(parts.train)
    fits = fits or Fits()
    baselines, refusals = able(baselines, configs, parts.train, seed, fits)
    notes += refusals
    lineup, named = line_up(configs, baselines)
    lineup, alone = with_singles(lineup)
    asked = []
    for fold in folds:
        rounds = rounds_of(data, fold, checked, window_days, candidates)
        kept = fits if len(folds) == 1 else None
        rounds = rounds if ruled is None else ruled.rounds(rounds)
        asked.append(measure(lineup, rounds, ks, refresh_days, seed, kept, progress, whole, likeness))
    outcomes = joined([one for one in asked if one])
    if not outcomes:
        raise Invalid(
            "after the cut, no known user takes an item that was known before and may be shown to them, so nothing can "
            "be measured; import a longer stretch of time or test on a larger fraction"
        )
    if rules is not None and rules != RulesConfig():
        notes.append(f"under rules: {rules.model_dump_json(exclude_defaults=True)}")
    notes += warnings_of(parts, candidates is not None, outcomes, ks[0])
    is_replayed = checked == "replayed"
    return Table(
        checked,
        parts.name,
        str(first),
        len(outcomes[0].user_ix),
        len(np.unique(outcomes[0].user_ix)),
        None if parts.cut is None else moment(parts.cut).isoformat(),
        None if parts.cut is None else moment(data.now).isoformat(),
        window_days if is_replayed else None,
        refresh_days if is_replayed else None,
        seed,
        named,
        tuple(notes),
        rows_of(lineup, outcomes, str(first), ks[0], [str(one) for one in wanted], seed, alone),
        sampled=candidates is not None,
    )


def warnings_of(parts: Split, sampled: bool, outcomes: Sequence[Outcome], k: int) -> list[str]:
    """What a reader of such a table must know, a sentence each."""
    said = []
    if parts.name == "given":
        said.append("the parts were given: whether the past is kept from the future is up to who made them")
    elif parts.parity_only:
        said.append(f"the split {parts.name} mixes past and future: for comparing with papers, not for deciding")
    if sampled:
        said.append("sampled: only given candidates were ranked; not comparable with ranking the whole catalogue")
    if quiet := [one.name for one in outcomes if one.catalogue[f"fallback@{k}"] > 0.5]:
        said.append(f"more than half of the places were filled by the fallback: {', '.join(quiet)}")
    return said


DIVERSITY = "diversity"
PER_QUERY = (*BY_QUERY, "novelty", DIVERSITY)
CATALOGUE = ("coverage", "gini", "fallback")
WHOLE = ("auc",)
RATING = ("rmse", "mae")
ALSO_CALLED = {"hit": "hit-rate", "hr": "hit-rate", "hitrate": "hit-rate"}


class Metric(NamedTuple):
    """What is measured, over how many places."""

    name: str
    places: int
    """0 for what knows no places: ``auc``, of the whole ranking, and errors of ratings."""

    def __str__(self) -> str:
        return f"{self.name}@{self.places}" if self.places else self.name


def parse_metrics(names: Sequence[str], k: int = 10) -> list[Metric]:
    """``recall@20`` as its name and its number of places, which is ``k`` where none is said."""
    out = []
    for given in names:
        word, at, places = given.strip().lower().partition("@")
        name = ALSO_CALLED.get(word, word)
        if name not in PER_QUERY + CATALOGUE + WHOLE + RATING:
            known = ", ".join(PER_QUERY + CATALOGUE + WHOLE + RATING)
            raise Invalid(f"no metric {given!r}; the metrics are {known}, as in recall@20", field="metrics")
        if name in WHOLE + RATING:
            if at:
                raise Invalid(f"{name} knows no places; write it without @{places}", field="metrics")
            out.append(Metric(name, 0))
            continue
        if at and not (places.isascii() and places.isdigit() and 0 < int(places) <= MOST_PLACES):
            raise Invalid(
                f"{given!r} needs a number of places from 1 to {MOST_PLACES:,}, as in {name}@20", field="metrics"
            )
        out.append(Metric(name, int(places) if at else k))
    return list(dict.fromkeys(out))


def check_protocol(protocol: str) -> Protocol:
    """``protocol``, if it is replayed or frozen."""
    checked: Protocol = "frozen" if protocol == "frozen" else "replayed"
    if protocol != checked:
        raise Invalid(f"no protocol {protocol!r}; there are replayed and frozen", field="protocol")
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
    metric: str,
    k: int,
    wanted: Sequence[str],
    seed: int,
    alone: Mapping[str, tuple[str, ...]],
) -> tuple[Row, ...]:
    """One row a pipeline, the best by ``metric`` first; ``outcomes`` are of the same questions.

    A row holds the metrics ``wanted``, or all where none is named; of tail items their nDCG over ``k`` places.
    ``alone`` names the rows of each ranked pipeline's sources.
    """
    users = outcomes[0].user_ix
    names = [
        name
        for name in outcomes[0].metrics
        if not name.startswith("tail-") and (not wanted or name in wanted or name == metric)
    ]
    means = _columns([outcome.metrics[name] for outcome in outcomes for name in names], users, seed)
    pairs = list(permutations(range(len(outcomes)), 2))
    gaps = _columns([outcomes[a].metrics[metric] - outcomes[b].metrics[metric] for a, b in pairs], users, seed)
    slices = _slices(outcomes, metric, k, seed)
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
            name: one for name, one in outcome.catalogue.items() if not wanted or name in wanted or name == CEILING
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
