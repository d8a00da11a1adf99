"""What is being served: the live pipeline of every scenario, swapped by reference when another is promoted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serendip import pipeline as pipelines
from serendip.data import UNKNOWN, Arrays, Dataset, Queries
from serendip.domain import InteractionKind, NotFound, NotReady, SerendipError, kinds_from
from serendip.flows.asking import KeyRows
from serendip.flows.attributes import with_attributes
from serendip.flows.catalogue import Catalogue, catalogue_of
from serendip.flows.gather import gather, up_to
from serendip.flows.scenarios import Scenario, readable
from serendip.models import KINDS
from serendip.pipeline import DEFAULTS, FOR_YOU, HOME, Pipeline, PipelineConfig, ScenarioConfig, Source
from serendip.store import Artifacts, Store

POLL_SECONDS = 0.25
TREND_SECONDS = 60.0
"""Trends are looked at again after this long,"""
NEW_TREND_SECONDS = 5.0
"""or after this long, where another version has gone live since."""
RETRY_SECONDS = 5.0
"""A version that could not be loaded is tried again after this long: a shared folder may be late."""
TREND_LIMIT = 1_000_000
"""Above this many interactions trend models are refitted by training only."""

KEYS = "store-keys"
"""The array of an artifact that holds the store's keys of its items,"""
USER_KEYS = "store-user-keys"
"""and of the users that it learnt from."""

log = logging.getLogger("serendip.live")


@dataclass(frozen=True)
class LiveScenario:
    """One scenario as it is answered at this moment."""

    name: str
    version: str
    pipeline: Pipeline
    rows: KeyRows
    """The pipeline's rows by the store's keys of its items when it was trained."""
    catalogue: Catalogue
    note: str | None = None
    """What a reader of its slates should know, for example what the gate did not find it better than."""
    config: ScenarioConfig = DEFAULTS[HOME]
    user_keys: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """The store's keys of the users that the version learnt from."""

    @property
    def personal(self) -> bool:
        """Whether the answer depends on the history."""
        return self.pipeline.personal

    @property
    def hiding(self) -> tuple[str, ...]:
        """Kinds of interaction after which an item is not shown again."""
        return tuple(kind.name for kind in self.pipeline.kinds if kind.hides or kind.negative)

    @property
    def showing(self) -> tuple[str, ...]:
        """Kinds after which an item may be shown again."""
        return tuple(kind.name for kind in self.pipeline.kinds if not kind.hides and not kind.negative)


class Live:
    """The live pipelines; readers take a reference once an answer and never see half a change."""

    def __init__(self, store: Store, artifacts: Artifacts) -> None:
        self._store = store
        self._artifacts = artifacts
        self._scenarios: dict[str, LiveScenario] = {}
        self._known = {name: Scenario(name, config) for name, config in DEFAULTS.items()}
        self._everybody: dict[str, Everybody] = {}
        self._back: dict[str, Back] = {}
        self._seen: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        self._trends_at = -TREND_SECONDS
        self._trends_of = ""
        self._tried_at = 0.0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def scenarios(self) -> dict[str, LiveScenario]:
        """Every scenario that has a version, by name."""
        return self._scenarios

    @property
    def known(self) -> dict[str, Scenario]:
        """Every scenario there is, whether it has a version or not."""
        return self._known

    @property
    def problems(self) -> list[str]:
        """Why a scenario is served by another version than the promoted one; empty when all is well."""
        return list(self._problems.values())

    def scenario(self, name: str) -> LiveScenario:
        """The scenario called ``name``; where it has no version, the one that it falls back on in its place."""
        found, known = self._scenarios.get(name), self._known
        if found is not None:
            return found
        if name not in known:
            raise NotFound(f"no scenario {name!r}; the scenarios are {', '.join(known)}")
        config = known[name].config
        if isinstance(config.fallback, str):
            try:
                other = self.scenario(config.fallback)
            except NotReady as error:
                # What it falls back on has no version either: what ails its own is what can be mended.
                raise NotReady(self._problems.get(name, str(error))) from None
            note = f"{name} has no version of its own yet; {other.name} answers in its place"
            return replace(other, name=name, config=config, note=". ".join(filter(None, (note, other.note))))
        if name in self._problems:
            raise NotReady(self._problems[name])
        raise NotReady(f"nothing is live as {name!r} yet; import interactions, then run `serendip train --promote`")

    def page_size(self, name: str) -> int:
        """The length of a slate of the scenario called ``name`` where nobody says another; 10 where there is none."""
        known = self._known.get(name)
        return DEFAULTS[HOME].page_size if known is None else known.config.page_size

    def everybody(self, scenario: LiveScenario) -> Everybody:
        """All users' histories as rows of the scenario's pipeline; made at the first question, then kept fresh."""
        found = self._everybody.get(scenario.version)
        if found is None:
            found = self._everybody[scenario.version] = everybody(self._store, scenario.pipeline)
        return found

    def refresh(self) -> bool:
        """Look once whether anything changed, and take over what did; True when answers may be different now."""
        with self._lock:
            changes = self._store.changes()
            again = bool(self._problems) and monotonic() - self._tried_at > RETRY_SECONDS
            if changes == self._seen and not again:
                return False
            before = self._seen
            if again or any(changes.get(topic) != before.get(topic) for topic in ("versions", "kinds", "scenarios")):
                self._load_versions()
            if changes.get("items") != before.get("items"):
                self._back = {version: Back(one.opened) for version, one in self._back.items()}
                catalogues = {
                    one.version: catalogue_of(self._store, one.pipeline.items, one.rows)
                    for one in {one.version: one for one in self._scenarios.values()}.values()
                }
                self._scenarios = {
                    name: replace(one, catalogue=catalogues[one.version]) for name, one in self._scenarios.items()
                }
            self._seen = changes
            return True

    def reload_versions(self, now: datetime) -> None:
        """Read every promoted version from its files again; NotReady where one cannot be, and the old goes on."""
        with self._lock:
            self._load_versions(anew=True)
            self._seen = {**self._seen, "items": -1}
        if self._problems:
            raise NotReady(". ".join(self.problems))
        self.catch_up(now)

    def reload_data(self, now: datetime) -> None:
        """Read items, histories and trends from the store again, whether anything is known to have changed or not."""
        with self._lock:
            self._seen = {**self._seen, "items": -1}
            self._everybody, self._trends_of = {}, ""
        self.catch_up(now)

    def _load_versions(self, anew: bool = False) -> None:
        """Take over every promoted version that can be loaded; keep the last good one where it cannot.

        ``anew``: those that are loaded already are read again too.
        """
        known, problems = readable(self._store.scenarios())
        loaded: dict[str, LiveScenario] = {}
        catalogues: dict[str, Catalogue] = {}
        declared, promotions = self._store.kinds(), self._store.live()
        for name, promotion in promotions.items():
            if name not in known:
                continue
            old, config, version = self._scenarios.get(name), known[name].config, promotion.version
            try:
                if not anew and old is not None and old.version == version and old.config == config:
                    found = Opened(old.pipeline, old.rows, old.user_keys, old.note)
                else:
                    kept = None if anew else self._back.get(version)
                    back = kept or Back(open_version(self._artifacts, version))
                    found = back.opened
                    if back.catalogue is None:
                        back = Back(found, catalogue_of(self._store, found.pipeline.items, found.rows))
                    assert back.catalogue is not None, "it was just made"
                    self._back[version] = back
                    catalogues.setdefault(version, back.catalogue)
                    found = replace(found, pipeline=with_fallback(found.pipeline, config))
                if version not in catalogues:
                    catalogues[version] = catalogue_of(self._store, found.pipeline.items, found.rows)
                kinds = {kind.name: kind for kind in found.pipeline.kinds} | declared
                fresh = replace(found.pipeline, kinds=hiding(kinds.values(), config))
                fresh.prepare()
                loaded[name] = LiveScenario(
                    name, version, fresh, found.rows, catalogues[version], found.note, config, found.user_keys
                )
            except Exception as error:  # a version from another release must not end the watch over the others
                serving = f"serving {old.version} instead" if old else "nothing is served in its place"
                problems[name] = f"version {version} of {name} could not be loaded: {error}; {serving}"
                log.error(problems[name])
                if old is not None:
                    loaded[name] = old
        self._scenarios, self._problems, self._known = loaded, problems, known
        versions = {one.version for one in loaded.values()}
        near = versions | {promotion.previous for promotion in promotions.values()}
        self._back = {version: one for version, one in self._back.items() if version in near}
        self._everybody = {version: one for version, one in self._everybody.items() if version in versions}
        self._trends_of, self._tried_at = "", monotonic()

    def refresh_trends(self, now: datetime) -> None:
        """Refit the trend models (recent popularity) of what is live to everything before ``now``.

        Where nothing was recorded since, the hour must have gone on: windows end where it begins.
        """
        state = f"{self._store.fingerprint()} {now.astimezone(UTC):%Y-%m-%dT%H}"
        if state == self._trends_of:
            return
        if self._store.counts().interactions > TREND_LIMIT:
            self._trends_of = state
            return
        scenarios = dict(self._scenarios)
        asked = {one.version: one for one in scenarios.values() if one.version in self._everybody}
        self._everybody |= {version: everybody(self._store, one.pipeline) for version, one in asked.items()}
        fresh = {name: replace(one, pipeline=self._with_trends(one.pipeline, now)) for name, one in scenarios.items()}
        with self._lock:
            for name, one in fresh.items():
                present = self._scenarios.get(name)
                if present is None or present.version != one.version or present.config != one.config:
                    return
                self._scenarios = {**self._scenarios, name: replace(present, pipeline=one.pipeline)}
            self._trends_of = state

    def _with_trends(self, pipeline: Pipeline, now: datetime) -> Pipeline:
        return pipeline.refreshed(trending(self._store, pipeline, now), past_days=pipeline.config.past_days)

    def catch_up(self, now: datetime) -> None:
        """Everything at once that ``start`` keeps up: versions, items and trends, these as of ``now``."""
        self.refresh()
        self.refresh_trends(now)

    def start(self, clock: Callable[[], datetime]) -> None:
        """Load what is live, and keep looking from a thread of its own."""
        self.refresh()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._watch, args=(clock,), name="serendip-live", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def _watch(self, clock: Callable[[], datetime]) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            try:
                self.refresh()
                if monotonic() - self._trends_at > (TREND_SECONDS if self._trends_of else NEW_TREND_SECONDS):
                    self._trends_at = monotonic()
                    self.refresh_trends(clock())
            except Exception as error:  # whatever it is, the next look may succeed
                log.warning("could not look for changes: %s", error, exc_info=not isinstance(error, SerendipError))


def trending(store: Store, pipeline: Pipeline, now: datetime) -> Dataset:
    """Everything before ``now``, with what the trend models of ``pipeline`` read besides."""
    sources = (source.config for source in (*pipeline.sources, *pipeline.fallback))
    trends = tuple(source for source in sources if KINDS[source.model].trend)
    asking = pipeline.config.model_copy(update={"sources": trends, "fallback": (), "ranker": None})
    data = up_to(gather(store, until=now, items=pipeline.items, users=pipeline.users), now)
    return with_attributes(store, data, [asking])


@dataclass(frozen=True)
class Opened:
    """A version that was read back."""

    pipeline: Pipeline
    rows: KeyRows
    """Its rows by the store's keys of its items when it was trained."""
    user_keys: NDArray[np.int64]
    """The store's keys of the users that it learnt from; shape (n_users,)."""
    note: str | None
    """The gate's sentence where it did not pass."""


@dataclass(frozen=True)
class Back:
    """A version that is live or one step back, kept so that a rollback need not read it again."""

    opened: Opened
    catalogue: Catalogue | None = None
    """Its items as they are now; None where they have changed since."""


def open_version(artifacts: Artifacts, version: str) -> Opened:
    """The version kept as ``version``, verified."""
    manifest, arrays = artifacts.load(version)
    gate = manifest.get("gate")
    note = None if gate is None or gate["passed"] else str(gate["sentence"])
    return Opened(
        pipeline_of(manifest, arrays), KeyRows.of(arrays[KEYS]), arrays.get(USER_KEYS, np.empty(0, np.int64)), note
    )


def pipeline_of(manifest: Mapping[str, Any], arrays: Arrays) -> Pipeline:
    """The pipeline of a version, as its manifest and its arrays tell it; NotReady where another release wrote them."""
    config = PipelineConfig.model_validate(manifest["pipeline"])
    try:
        return pipelines.restore(config, kinds_from(manifest["kinds"]), arrays)
    except KeyError as missing:
        raise NotReady(f"it holds no array {missing}, as another release made it; train it again") from None


def hiding(kinds: Iterable[InteractionKind], config: ScenarioConfig) -> tuple[InteractionKind, ...]:
    """``kinds`` as the rules of a scenario have them: they may say which of them hide an item."""
    hide = config.rules.hide
    return tuple(kinds) if hide is None else tuple(replace(kind, hides=kind.name in hide) for kind in kinds)


def with_fallback(pipeline: Pipeline, config: ScenarioConfig) -> Pipeline:
    """``pipeline`` with the fallback chain that its scenario declares now, as far as its models were fitted.

    A scenario that falls back on another one has no sources of its own for that; where a source was not fitted, the
    chain stays the version's until it is trained again.
    """
    declared = config.pipeline
    if declared is None:
        return pipeline if not isinstance(config.fallback, str) else replace(pipeline, fallback=())
    fitted = {repr(source.config): source for source in pipeline.fallback}
    wanted: list[Source | None] = [fitted.get(repr(source)) for source in declared.fallback]
    chain = [source for source in wanted if source is not None]
    return replace(pipeline, fallback=tuple(chain)) if len(chain) == len(wanted) else pipeline


@dataclass(frozen=True)
class Everybody:
    """All users of the store beside what each did."""

    keys: NDArray[np.int64]
    """The store's keys, (n_users,)."""
    rows: dict[str, int]
    """The row of every user's id."""
    queries: Queries
    """A history a user."""


def everybody(store: Store, pipeline: Pipeline) -> Everybody:
    """What everybody did, as rows of ``pipeline``."""
    data = gather(store, items=pipeline.items)
    queries = Queries.of_users(data, np.arange(data.n_users))
    keys, ids = store.user_ids()
    row = data.users.rows(ids)
    known = np.full(data.n_users, -1, np.int64)
    known[row[row != UNKNOWN]] = keys[row != UNKNOWN]
    return Everybody(known, {user: place for place, user in enumerate(data.users.ids)}, queries)


__all__ = ["FOR_YOU", "HOME", "Live", "LiveScenario", "open_version"]
