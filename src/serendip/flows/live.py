"""What is being served: the live pipeline of every scenario, swapped by reference when another is promoted."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from time import monotonic

from serendip import pipeline as pipelines
from serendip.domain import NotFound, NotReady, SerendipError, kinds_from
from serendip.flows.asking import KeyRows
from serendip.flows.catalogue import Catalogue, catalogue_of
from serendip.flows.gather import gather
from serendip.pipeline import Pipeline, PipelineConfig
from serendip.store import Artifacts, Store

HOME = "home"
"""What the gate lets live."""
FOR_YOU = "for-you"
"""Personal rows; labelled where they are not better than popular ones."""
SCENARIOS = (HOME, FOR_YOU)

POLL_SECONDS = 0.25
TREND_SECONDS = 60.0
RETRY_SECONDS = 5.0
"""A version that could not be loaded is tried again after this long: a shared folder may be late."""
TREND_LIMIT = 1_000_000
"""Above this many interactions trend models are refitted by training only."""

KEYS = "store-keys"
"""The array of an artifact that holds the store's keys of its items."""

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
    """What a reader of its slates should know, for example that it was not found better than popular items."""

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
        self._seen: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        self._trends_at = 0.0
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
    def problems(self) -> list[str]:
        """Why a scenario is served by another version than the promoted one; empty when all is well."""
        return list(self._problems.values())

    def scenario(self, name: str) -> LiveScenario:
        """The scenario called ``name``."""
        found = self._scenarios.get(name)
        if found is not None:
            return found
        if name not in SCENARIOS:
            raise NotFound(f"no scenario {name!r}; the scenarios are {', '.join(SCENARIOS)}")
        if name in self._problems:
            raise NotReady(self._problems[name])
        raise NotReady(f"nothing is live as {name!r} yet; import interactions, then run `serendip train --promote`")

    def refresh(self) -> bool:
        """Look once whether anything changed, and take over what did; True when answers may be different now."""
        with self._lock:
            changes = self._store.changes()
            again = bool(self._problems) and monotonic() - self._tried_at > RETRY_SECONDS
            if changes == self._seen and not again:
                return False
            before = self._seen
            if again or any(changes.get(topic) != before.get(topic) for topic in ("versions", "kinds")):
                self._load_versions()
            if changes.get("items") != before.get("items"):
                catalogues = {
                    one.version: catalogue_of(self._store, one.pipeline.items, one.rows)
                    for one in {one.version: one for one in self._scenarios.values()}.values()
                }
                self._scenarios = {
                    name: replace(one, catalogue=catalogues[one.version]) for name, one in self._scenarios.items()
                }
            self._seen = changes
            return True

    def _load_versions(self) -> None:
        """Take over every promoted version that can be loaded; keep the last good one where it cannot."""
        loaded: dict[str, LiveScenario] = {}
        problems: dict[str, str] = {}
        opened: dict[str, Opened] = {}
        catalogues: dict[str, Catalogue] = {}
        declared = self._store.kinds()
        for name, promotion in self._store.live().items():
            old = self._scenarios.get(name)
            try:
                if old is not None and old.version == promotion.version:
                    found = Opened(old.pipeline, old.rows, old.note)
                else:
                    found = opened.get(promotion.version) or open_version(self._artifacts, promotion.version)
                opened[promotion.version] = found
                if promotion.version not in catalogues:
                    items = found.pipeline.items
                    catalogues[promotion.version] = catalogue_of(self._store, items, found.rows)
                kinds = {kind.name: kind for kind in found.pipeline.kinds} | declared
                fresh = replace(found.pipeline, kinds=tuple(kinds.values()))
                fresh.prepare()
                loaded[name] = LiveScenario(
                    name, promotion.version, fresh, found.rows, catalogues[promotion.version], found.note
                )
            except Exception as error:  # a version from another release must not end the watch over the others
                serving = f"serving {old.version} instead" if old else "nothing is served in its place"
                problems[name] = f"version {promotion.version} of {name} could not be loaded: {error}; {serving}"
                log.error(problems[name])
                if old is not None:
                    loaded[name] = old
        self._scenarios, self._problems = loaded, problems
        self._trends_at, self._trends_of, self._tried_at = 0.0, "", monotonic()

    def refresh_trends(self) -> None:
        """Refit the trend models (recent popularity) of what is live to everything recorded so far."""
        state = self._store.fingerprint()
        if state == self._trends_of or self._store.counts().interactions > TREND_LIMIT:
            return
        scenarios = dict(self._scenarios)
        fresh = {
            name: replace(one, pipeline=one.pipeline.refreshed(gather(self._store, items=one.pipeline.items)))
            for name, one in scenarios.items()
        }
        with self._lock:
            for name, one in fresh.items():
                now = self._scenarios.get(name)
                if now is None or now.version != one.version:
                    return
                self._scenarios = {**self._scenarios, name: replace(now, pipeline=one.pipeline)}
            self._trends_of = state

    def catch_up(self) -> None:
        """Everything at once that ``start`` keeps up: versions, items and trends."""
        self.refresh()
        self.refresh_trends()

    def start(self) -> None:
        """Load what is live, and keep looking from a thread of its own."""
        self.refresh()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._watch, name="serendip-live", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def _watch(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            try:
                self.refresh()
                if monotonic() - self._trends_at > TREND_SECONDS:
                    self._trends_at = monotonic()
                    self.refresh_trends()
            except Exception as error:  # whatever it is, the next look may succeed
                log.warning("could not look for changes: %s", error, exc_info=not isinstance(error, SerendipError))


@dataclass(frozen=True)
class Opened:
    """A version that was read back."""

    pipeline: Pipeline
    rows: KeyRows
    """Its rows by the store's keys of its items when it was trained."""
    note: str | None
    """The gate's sentence where it was not found better than popular items."""


def open_version(artifacts: Artifacts, version: str) -> Opened:
    """The version kept as ``version``, verified."""
    manifest, arrays = artifacts.load(version)
    config = PipelineConfig.model_validate(manifest["pipeline"])
    gate = manifest.get("gate")
    note = None if gate is None or gate["passed"] else str(gate["sentence"])
    return Opened(pipelines.restore(config, kinds_from(manifest["kinds"]), arrays), KeyRows.of(arrays[KEYS]), note)


__all__ = ["FOR_YOU", "HOME", "SCENARIOS", "Live", "LiveScenario", "open_version"]
