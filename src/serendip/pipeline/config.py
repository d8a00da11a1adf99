"""What a pipeline is made of, and how it is written in a line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from serendip import models
from serendip.data.features import Feature, parse_features
from serendip.domain import Invalid
from serendip.models import ModelConfig
from serendip.models.rankers import RANKERS, RankerKind, RankerSettings, ranker_of

Config = TypeVar("Config", bound=ModelConfig)


class SourceConfig(BaseModel):
    """One model of a pipeline."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """What its items say they come from."""
    model: str
    """The kind of model."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """The model's own configuration."""
    weight: PositiveFloat = 1.0
    """How much it counts where several are merged."""
    scale: Literal["linear", "log"] = "linear"
    """log: scores are merged as log(1 + score), which tames counts; they must not be negative."""

    def model_settings(self) -> ModelConfig:
        """The settings, checked; what is wrong with them is named."""
        return _checked(models.kind_of(self.model).config, self.model, self.settings)


def _checked(config: type[Config], name: str, settings: Mapping[str, Any]) -> Config:
    """The settings of a model or a ranker; Invalid that names the one that is wrong."""
    try:
        return config.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "settings"
        known = ", ".join(config.model_fields)
        said = first["msg"].removeprefix("Value error, ")
        raise Invalid(
            f"{name}: {where}: {said[:1].lower()}{said[1:]}; the settings of {name} are {known}", field=where
        ) from None


class RankerConfig(BaseModel):
    """What ranks the candidates of a pipeline anew."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    ranker: str
    """The kind of ranker."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """The ranker's own configuration."""

    @property
    def kind(self) -> RankerKind:
        """The kind of ranker, looked up."""
        return ranker_of(self.ranker)

    def ranker_settings(self) -> RankerSettings:
        """The settings, checked; what is wrong with them is named."""
        return _checked(self.kind.config, self.ranker, self.settings)

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features that it names; none where it takes the usual ones."""
        return parse_features(self.ranker_settings().features)


POPULAR = SourceConfig(name="popular", model="popularity")
POPULAR_7_DAYS = SourceConfig(name="popular-7-days", model="popularity", settings={"window_days": 7.0})


class NamedModel(BaseModel):
    """A kind of model or ranker with settings of its own, under a name that scenarios may use."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str
    """The kind of model or ranker; everything else is a setting of it."""

    @model_validator(mode="after")
    def _checked(self) -> NamedModel:
        try:
            if self.kind in RANKERS:
                RankerConfig(name=self.kind, ranker=self.kind, settings=self.settings).ranker_settings()
            else:
                SourceConfig(name=self.kind, model=self.kind, settings=self.settings).model_settings()
        except Invalid as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """The model's own configuration."""
        return dict(self.model_extra or {})


class PipelineConfig(BaseModel):
    """What a pipeline is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sources: tuple[SourceConfig, ...] = Field(min_length=1)
    merge: Literal["zscore", "rrf"] = "zscore"
    """zscore: each source's scores are standardised over the union of candidates, then summed with the weights.
    rrf: reciprocal rank fusion (Cormack 2009), the sum of weight / (60 + rank)."""
    n_candidates: PositiveInt = 300
    """Where several sources are merged, the best of each that join the union."""
    fallback: tuple[SourceConfig, ...] = (POPULAR_7_DAYS, POPULAR)
    """Who fills the places that are left, in this order."""
    ranker: RankerConfig | None = None
    """Who ranks the candidates anew; none: their own scores."""
    past_days: float = Field(60, ge=0, le=3660)
    """How many days back it can be asked as of then; see ``remembering``."""

    @property
    def reads(self) -> frozenset[str]:
        """Which columns of a dataset its models and its ranker may look at besides interactions."""
        rooms = {room for one in (*self.sources, *self.fallback) for room in models.kind_of(one.model).reads}
        return frozenset(rooms | (ranker_reads(self.ranker) if self.ranker is not None else set()))

    @property
    def said(self) -> frozenset[str]:
        """Names of the vectors of what was said with events that its models look at."""
        told = (one.settings.get("said") for one in (*self.sources, *self.fallback))
        return frozenset(str(name) for name in told if name)

    @property
    def refit_days(self) -> float | None:
        """How often the sources were fitted again while a ranker practised over them; None: once."""
        return None if self.ranker is None else self.ranker.ranker_settings().refit_days

    @property
    def singles(self) -> tuple[PipelineConfig, ...]:
        """Each source of a ranked pipeline alone, with the same fallback: what the ranker has to be better than."""
        if self.ranker is None:
            return ()
        alone = (one.model_copy(update={"weight": 1.0}) for one in self.sources)
        return tuple(PipelineConfig(name=one.name, sources=(one,), fallback=self.fallback) for one in alone)

    @staticmethod
    def parse(spec: str, settings: Mapping[str, Any] | None = None) -> PipelineConfig:
        """The pipeline called ``spec``: a kind of model, ``popular``, ``popular-14-days``, or several joined by ``+``.

        Settings of its own and a weight may follow a source: ``again(half_life_days=180)+als*0.2+popular-7-days``. A
        ranker may follow them all: ``popular-3-days+item-knn:boosted(objective=yetirank)``. ``settings`` go to all that
        know them.
        """
        before, colon, after = spec.partition(":")
        sources = tuple(parse_source(part.strip(), settings or {}) for part in before.split("+"))
        named_once(sources, spec)
        ranker = parse_ranker(after.strip(), settings or {}) if colon else None
        taken = {key for source in sources for key in source.settings} | set(ranker.settings if ranker else ())
        for key in settings or {}:
            if key not in taken:
                fields = {f for s in sources for f in models.kind_of(s.model).config.model_fields}
                known = ", ".join(sorted(fields | set(ranker.kind.config.model_fields if ranker else ())))
                raise Invalid(f"{spec} has no setting {key!r}; it has {known}", field=key)
        for source in sources:
            source.model_settings()
        if ranker is not None:
            ranker.ranker_settings()
        return PipelineConfig(name=spec, sources=sources, ranker=ranker)


def ranker_reads(ranker: RankerConfig) -> set[str]:
    """Which columns a ranker may look at: those its features name, or all where it takes the usual ones."""
    if not ranker.features:
        return {"item_columns", "user_columns"}
    told: set[str] = set()
    for feature in ranker.features:
        if feature.entity is not None:
            told |= {"user_columns"} if feature.entity.user else set()
            told |= {"item_columns"} if feature.entity.item else set()
    return told


SOURCE = re.compile(r"(?P<name>[^(*]*?)\s*(?:\((?P<own>[^()]*)\)\s*)?(?:\*\s*(?P<weight>.*))?")


def named_once(sources: Sequence[SourceConfig], spec: str) -> None:
    """Invalid where two of ``sources`` have one name."""
    if len({source.name for source in sources}) < len(sources):
        raise Invalid(f"{spec} names a source twice; add up their weights instead")


def parse_source(
    part: str, settings: Mapping[str, Any] | None = None, named: Mapping[str, NamedModel] | None = None
) -> SourceConfig:
    """One source, such as ``als(n_factors=32)*0.5``; ``settings`` go to it as far as it knows them.

    ``named``: models with settings of their own, which may be called by their names.
    """
    found = SOURCE.fullmatch(part)
    if found is None:
        raise Invalid(f"{part!r} is no source; write for example als, als*0.5 or als(n_factors=32)*0.5")
    name, weight = found["name"], found["weight"]
    try:
        factor = float(weight) if weight else 1.0
    except ValueError:
        raise Invalid(f"the weight {weight!r} of {name!r} is not a number; write for example {name}*0.5") from None
    if not 0 < factor < np.inf:
        raise Invalid(f"the weight {weight!r} of {name!r} must be above 0")
    own, settings = _own_settings(found["own"], part), settings or {}
    if named and name in named:
        kind = models.kind_of(named[name].kind)
        own = {**named[name].settings, **own}
        return SourceConfig(name=name, model=kind.name, settings=own, weight=factor, scale=_scale(kind.name))
    words = name.split("-")
    if words[0] == "popular":
        fields = models.kind_of("popularity").config.model_fields
        own = {key: value for key, value in settings.items() if key in fields} | own
        if len(words) == 3 and words[2] == "days" and words[1].isdigit() and int(words[1]):
            if "window_days" in own:
                raise Invalid(f"the name {name} says its window already; say popular(window_days=...)", "window_days")
            own["window_days"] = float(words[1])
        elif len(words) != 1:
            raise Invalid(f"{name!r} is no window of popularity; write for example popular-7-days")
        return SourceConfig(name=name, model="popularity", settings=own, weight=factor, scale="log")
    fields = models.kind_of(name).config.model_fields
    own = {key: value for key, value in settings.items() if key in fields} | own
    return SourceConfig(name=name, model=name, settings=own, weight=factor, scale=_scale(name))


def parse_ranker(
    part: str, settings: Mapping[str, Any] | None = None, named: Mapping[str, NamedModel] | None = None
) -> RankerConfig:
    """A ranker, such as ``boosted(objective=yetirank, n_trees=300)``; ``settings`` and ``named`` as for a source."""
    found = SOURCE.fullmatch(part)
    if found is None or found["weight"]:
        raise Invalid(f"{part!r} is no ranker; write for example boosted or boosted(n_trees=300)", field="ranker")
    name, own = found["name"], _own_settings(found["own"], part)
    if named and name in named:
        return RankerConfig(
            name=name, ranker=ranker_of(named[name].kind).name, settings={**named[name].settings, **own}
        )
    fields = ranker_of(name).config.model_fields
    given = {key: value for key, value in (settings or {}).items() if key in fields}
    return RankerConfig(name=name, ranker=name, settings=given | own)


def _scale(kind: str) -> Literal["linear", "log"]:
    return "log" if models.kind_of(kind).counts or kind == "popularity" else "linear"


def _own_settings(text: str | None, part: str) -> dict[str, Any]:
    """``a=1, b=x`` as settings; the model makes numbers of them."""
    pairs = [pair.split("=") for pair in text.split(",")] if text else []
    if any(len(pair) != 2 for pair in pairs):
        raise Invalid(f"the settings of {part!r} cannot be read; write for example als(n_factors=32, n_epochs=5)")
    return {key.strip(): value.strip() for key, value in pairs}
