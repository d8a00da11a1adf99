"""Data in, measured and frozen versions out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip import __version__, evaluation, models
from serendip.data import Dataset, Vocabulary
from serendip.domain import ORDER_ONLY, Invalid, micros, moment
from serendip.evaluation import Fits, Protocol, RatingTable, Table, Verdict, allows_repeats, compare, judge, split_of
from serendip.flows.attributes import with_attributes, with_filtered
from serendip.flows.gather import gather
from serendip.flows.live import KEYS, USER_KEYS
from serendip.flows.said import said_by
from serendip.flows.scenarios import scenario_of, scenarios_of
from serendip.pipeline import Pipeline, PipelineConfig, Shown, remembering
from serendip.store import Artifacts, Store, VersionRecord

KEEP = 5
"""Versions of one pipeline that are kept; live ones and those a rollback would return to are kept besides."""

USUAL = ("popular-7-days", "item-knn", "als", "ease")
REPEATING = ("again", "again(half_life_days=180)+als*0.2+popular-7-days")
"""What is tried besides where items may be shown again to those who took them."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Trained:
    """What one training gave."""

    versions: tuple[str, ...]
    """In the order of the configs."""
    tables: Mapping[str, Table]
    """By protocol; none where the data is too small to be measured on."""
    left_out: Mapping[str, str]
    """Pipelines that were not kept, and why."""


def train(
    store: Store,
    artifacts: Artifacts,
    configs: Sequence[PipelineConfig],
    now: datetime,
    seed: int = 0,
    progress: Progress = lambda _: None,
    shown: Shown | None = None,
) -> Trained:
    """Measure every pipeline on the last tenth of time, refit it on everything, and keep it as a frozen version.

    Rankers practise on the rows ``shown`` of a feature table, where there is one, else on the past replayed.

    A pipeline that refuses the data, such as for memory, is left out and the others go on. Where the data is too small
    to be measured on, only popularity is kept.
    """
    if len({config.name for config in configs}) < len(configs):
        raise Invalid("two pipelines have the same name; train them one after the other")
    if shown is not None and not any(config.ranker for config in configs):
        raise Invalid(
            "none of the pipelines has a ranker to learn from the table; write one as item-knn:boosted", "features"
        )
    progress("reading interactions")
    people = of_people(store, configs)
    of_items = [config for config in configs if config not in people]
    live = live_besides(store, of_items) if of_items else []
    besides = [*of_items, *live]
    data = gather(store, until=now, said=said_by([*besides, *people]))
    if not len(data):
        raise Invalid("there are no interactions to learn from; `serendip import FILE --as interactions` first")
    data = with_attributes(store, data, [*besides, *people])
    asked = measure_able(besides, data, seed, progress, Fits(shown, replaying(store, live))) if of_items else UNASKED
    left_out = {config.name: asked.refused[config.name] for config in of_items if config.name in asked.refused}
    keys = {KEYS: keys_of(store.item_ids(), data.items), USER_KEYS: keys_of(store.user_ids(), data.users)}
    versions, fits = [], Fits(shown)
    for config in configs:
        if config.name in left_out:
            continue
        progress(f"fitting {config.name} on everything")
        try:
            fitted = remembering(fits.pipeline(config, data, seed), data)
        except Invalid as error:
            left_out[config.name] = str(error)
            continue
        told = UNASKED if config in people else asked
        manifest = describe(fitted, data, seed) | {
            "measured": {
                "protocols": {name: table.to_dict() for name, table in told.tables.items()},
                "pipelines": {one.name: one.model_dump(mode="json") for one in told.measured},
            },
            "gate": asdict(UNGATED if config in people else asked.verdict(config, allows_repeats(data))),
            "recommends": "users" if config in people else "items",
        }
        version = artifacts.save(manifest, {**fitted.arrays(), **keys})
        store.add_version(VersionRecord(version, config.name, now, manifest))
        versions.append(version)
        forget_old(store, artifacts, config.name)
    if not versions:
        raise Invalid("; ".join(dict.fromkeys(left_out.values())))
    return Trained(tuple(versions), asked.tables, left_out)


UNGATED = Verdict(True, "it recommends people, which no measurement of items can judge", (), ())


def of_people(store: Store, configs: Sequence[PipelineConfig]) -> list[PipelineConfig]:
    """Those of ``configs`` that belong to scenarios of users, and to no scenario of items."""
    declared = [(one.config.recommend, one.config.pipeline) for one in scenarios_of(store).values()]
    found = {what: [one for of, one in declared if of == what and one is not None] for what in ("users", "items")}

    def among(config: PipelineConfig, others: Sequence[PipelineConfig]) -> bool:
        return any(same(config, other) for other in others)

    return [config for config in configs if among(config, found["users"]) and not among(config, found["items"])]


def keys_of(kept: tuple[NDArray[np.int64], list[str]], names: Vocabulary) -> NDArray[np.int64]:
    """The store's keys of ``names``, -1 for one that is there no more; ``kept`` are all keys and their ids."""
    key_of = dict(zip(kept[1], kept[0].tolist(), strict=True))
    return np.array([key_of.get(name, -1) for name in names], np.int64)


@dataclass(frozen=True)
class Asked:
    """What measuring gave, as far as it could be done."""

    measured: tuple[PipelineConfig, ...]
    tables: Mapping[str, Table]
    """By protocol; none where the data is too small."""
    refused: Mapping[str, str]
    """Pipelines that cannot be kept, and why."""
    unmeasured: str | None = None
    """Why there are no tables."""

    def verdict(self, config: PipelineConfig, repeats: bool) -> Verdict:
        """What the gate says; popularity may go live unmeasured."""
        if self.unmeasured is None:
            return judge(next(iter(self.tables.values())), config.name, None, repeats)
        said = f"{config.name} is popularity, which may always go live; it was not measured: {self.unmeasured}"
        return Verdict(True, said, (), ())


UNASKED = Asked((), {}, {}, "it recommends people")


def measure_able(
    configs: Sequence[PipelineConfig],
    data: Dataset,
    seed: int = 0,
    progress: Progress = lambda _: None,
    fits: Fits | None = None,
) -> Asked:
    """``measure`` for those that can learn from what was before the cut; without tables only popularity is kept."""
    fits, refused = fits or Fits(), {}
    try:
        cut = split_of(data, "time" if data.at is not None else "random", seed=seed)
        for config in configs:
            progress(f"fitting {config.name}")
            try:
                fits.pipeline(config, cut.train, seed)
            except Invalid as error:
                refused[config.name] = str(error)
        able = tuple(config for config in configs if config.name not in refused)
        return Asked(able, measure(able, data, seed, progress, fits) if able else {}, refused)
    except Invalid as error:
        why = str(error)
    for config in configs:
        if config.ranker is not None or any(source.model != "popularity" for source in config.sources):
            refused.setdefault(config.name, why)
    return Asked((), {}, refused, why)


def measure(
    configs: Sequence[PipelineConfig],
    data: Dataset,
    seed: int = 0,
    progress: Progress = lambda _: None,
    fits: Fits | None = None,
) -> dict[str, Table]:
    """The tables that a version carries, the one that the gate looks at first: replayed and frozen, on one split.

    Where a ranker practised over sources that were fitted again every ``refit_days``, all are fitted again as often
    while they are replayed. Data without moments cannot be cut in time: it is split at random, and the table says that
    this is for parity only.
    """
    fits = fits or Fits()
    if data.at is None:
        return {"frozen": compare(configs, data, "frozen", "random", seed=seed, fits=fits, progress=progress)}
    asked: dict[Protocol, float | None] = {"replayed": fits.refresh_days(configs), "frozen": None}
    return {
        protocol: compare(configs, data, protocol, refresh_days=days, seed=seed, fits=fits, progress=progress)
        for protocol, days in asked.items()
    }


def configs_of(
    store: Store, specs: Sequence[str], settings: Mapping[str, Any], scenario: str | None = None
) -> list[PipelineConfig]:
    """The pipelines that ``specs`` name, or those of ``scenario``; without either, those of all scenarios beside recent
    popularity, or the usual ones where no scenario says any. ``settings`` go to every model that has them. What a
    scenario declares is named as there, such as by the name of its only model.
    """
    if specs and scenario is not None:
        raise Invalid("name either pipelines or a scenario, not both", field="scenario")
    wanted = {} if specs else declared_pipelines(store, scenario)
    if wanted:
        if settings:
            raise Invalid(
                "settings go with pipelines that are named; those of scenarios are set where they are declared",
                field="settings",
            )
        return list(wanted.values())
    if not specs:
        last = store.counts().last_at
        specs = usual(
            repeats=any(not kind.hides and not kind.negative for kind in store.kinds().values()),
            moments=last is None or micros(last) >= ORDER_ONLY,
        )
    declared = declared_pipelines(store)
    others = iter(with_settings([spec for spec in specs if spec not in declared], settings))
    return [declared[spec] if spec in declared else next(others) for spec in specs]


def declared_pipelines(store: Store, scenario: str | None = None) -> dict[str, PipelineConfig]:
    """The pipelines that scenarios declare, or one of them, by name; recent popularity goes before those of all.

    Equal ones are one. A second one of the same name is called after its scenario too.
    """
    wanted = [scenario_of(store, scenario)] if scenario is not None else list(scenarios_of(store).values())
    found: dict[str, PipelineConfig] = {}
    for one in wanted:
        config = one.config.pipeline
        if config is None or any(same(config, other) for other in found.values()):
            continue
        if config.name in found:
            config = config.model_copy(update={"name": f"{config.name} ({one.name})"})
        found[config.name] = config
    if scenario is None and found:
        popular = PipelineConfig.parse("popular-7-days")
        if not any(same(popular, other) for other in found.values()):
            found = {popular.name: popular} | found
    return found


def same(one: PipelineConfig, other: PipelineConfig) -> bool:
    """Whether two pipelines differ in nothing but the name."""
    return one.model_copy(update={"name": ""}) == other.model_copy(update={"name": ""})


def with_settings(specs: Sequence[str], settings: Mapping[str, Any]) -> list[PipelineConfig]:
    """The pipelines that ``specs`` name; ``settings`` go to every model that has them."""
    known = [set().union(*map(set, settings_of(spec))) for spec in specs]
    for name in settings:
        if not any(name in names for names in known):
            listed = ", ".join(sorted(set().union(*known)))
            raise Invalid(f"none of {', '.join(specs)} has a setting {name!r}; they have {listed}", field=name)
    return [
        PipelineConfig.parse(spec, {name: value for name, value in settings.items() if name in names})
        for spec, names in zip(specs, known, strict=True)
    ]


def settings_of(spec: str) -> list[Iterable[str]]:
    """The settings of every source of a pipeline, and of its ranker."""
    config = PipelineConfig.parse(spec)
    ranker = [] if config.ranker is None else [config.ranker.kind.config.model_fields]
    return [*(models.kind_of(source.model).config.model_fields for source in config.sources), *ranker]


def usual(repeats: bool, moments: bool = True) -> tuple[str, ...]:
    """What is trained where nothing else is said."""
    specs = (*USUAL, *(REPEATING if repeats else ()))
    return specs if moments else tuple(spec.replace("popular-7-days", "popular") for spec in specs)


def evaluate(
    store: Store,
    configs: Sequence[PipelineConfig],
    protocol: Protocol | None,
    split: str,
    refresh: str | None,
    k: int,
    seed: int,
    progress: Progress = lambda _: None,
    metrics: Sequence[str] = (),
    scenario: str | None = None,
    diverse_by: str | None = None,
) -> Table | RatingTable:
    """A comparison on what the store holds; ``split`` as in ``evaluation.splits_of``, ``refresh`` as 1d.

    All answer under the rules of ``scenario``, where one is named; ``diverse_by`` as in ``evaluation.compare``.
    """
    rules = None if scenario is None else scenario_of(store, scenario).config.measured_rules
    progress("reading interactions")
    data = gather(store, said=said_by(configs))
    if not len(data):
        raise Invalid("there are no interactions to measure on; `serendip import FILE --as interactions` first")
    data = with_attributes(store, data, configs)
    if rules is not None or diverse_by is not None:
        by = [name for name in (diverse_by, rules and rules.diversity and rules.diversity.by) if name]
        data = with_filtered(store, data, by)
    days = parse_days(refresh) if refresh is not None else None
    return evaluation.evaluate(
        configs, data, split, protocol=protocol, k=k, metrics=metrics, refresh_days=days, seed=seed, progress=progress,
        rules=rules, diverse_by=diverse_by,
    )  # fmt: skip


def parse_days(text: str) -> float:
    """``1d`` or ``0.5`` as days."""
    try:
        days = float(text.removesuffix("d"))
    except ValueError:
        days = 0.0
    if not 0 < days < float("inf"):
        raise Invalid(f"{text!r} is no number of days; write for example 1d", field="refresh")
    return days


def describe(fitted: Pipeline, data: Dataset, seed: int) -> dict[str, Any]:
    """What a manifest says of a pipeline and of what it learnt from."""
    return {
        "name": re.sub(r"[^a-z0-9_.-]+", "-", fitted.config.name.lower())[:60].strip("-"),
        "pipeline": fitted.config.model_dump(mode="json"),
        "personal": fitted.personal,
        "kinds": [asdict(kind) for kind in fitted.kinds],
        "seed": seed,
        "code": __version__,
        "data": {
            "fingerprint": data.fingerprint(),
            "n_interactions": len(data),
            "n_users": data.n_users,
            "n_items": data.n_items,
            "until": None if data.at is None else moment(data.now).isoformat(),
        },
    } | ({} if fitted.ranker is None else {"ranker": dict(fitted.ranker.about)})


def live_besides(store: Store, configs: Sequence[PipelineConfig]) -> list[PipelineConfig]:
    """The pipelines that are live and not among ``configs``, to be measured beside them; one whose name is taken by
    other settings is called "... (live)".
    """
    taken = {config.name: config for config in configs}
    for promotion in store.live().values():
        record = store.version(promotion.version)
        if record is None:
            continue
        config = PipelineConfig.model_validate(record.manifest["pipeline"])
        if taken.setdefault(config.name, config) != config:
            name = f"{config.name} (live)"
            taken[name] = config.model_copy(update={"name": name})
    return list(taken.values())[len(configs) :]


def replaying(store: Store, configs: Sequence[PipelineConfig]) -> frozenset[str]:
    """The names of those of ``configs`` of which no live version practised on a feature table."""
    records = [store.version(promotion.version) for promotion in store.live().values()]
    told = [record.manifest for record in records if record is not None]
    tabled = [
        PipelineConfig.model_validate(one["pipeline"])
        for one in told
        if one.get("ranker", {}).get("practice", {}).get("shown")
    ]
    return frozenset(config.name for config in configs if not any(same(config, other) for other in tabled))


def forget_old(store: Store, artifacts: Artifacts, name: str) -> None:
    """Drop versions of ``name`` beyond the last ``KEEP``, save those that are live or one step back."""
    live = store.live().values()
    needed = {promotion.version for promotion in live} | {promotion.previous for promotion in live}
    for record in store.versions(name)[KEEP:]:
        if record.id not in needed:
            store.drop_version(record.id)
            artifacts.remove(record.id)
