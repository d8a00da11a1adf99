"""A scenario: a place where recommendations appear, what answers there, and what may be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from serendip.domain import Invalid
from serendip.pipeline.config import (
    SOURCE,
    NamedModel,
    PipelineConfig,
    RankerConfig,
    SourceConfig,
    named_once,
    parse_ranker,
    parse_source,
)
from serendip.ranking import RulesConfig

HOME = "home"
"""What the gate lets live."""
FOR_YOU = "for-you"
"""Personal rows; labelled where they are not better than popular ones."""

PEOPLE = ("profile-knn", "user-knn", "svd", "nmf")
"""Kinds of model that know which people are alike."""

MAX_SPEC = 400
"""Characters of all candidates: they are the pipeline's name."""

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"{text!r} cannot be a name; use up to 60 small letters, digits, - and _")
    return text


Name = Annotated[str, AfterValidator(_name)]
Source = Annotated[str, Field(min_length=1, max_length=1000)]


class ScenarioConfig(BaseModel):
    """What answers at one place, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recommend: Literal["items", "users"] = "items"
    """What is recommended: items, or people who are like the asker."""
    catalogue: str | None = Field(None, min_length=1, max_length=500)
    """Only items of this catalogue; none: of all."""
    candidates: tuple[Source, ...] = Field((), max_length=20)
    """Sources, such as als, als*0.5 or the name of a model; none: the best of what was trained."""
    models: dict[Name, NamedModel] = Field(default_factory=dict, max_length=100)
    """Models with settings of their own, which candidates and fallback may name."""
    merge: Literal["zscore", "rrf"] = "zscore"
    """How several candidates become one score; see ``PipelineConfig``."""
    n_candidates: int = Field(300, ge=1, le=100_000)
    """Where several are merged, the best of each that join."""
    ranker: str = Field("none", min_length=1, max_length=1000)
    """What ranks the candidates anew, such as boosted, boosted(n_trees=300) or a name of models; none: their own
    scores."""
    past_days: float = Field(60, ge=0, le=3660)
    """How many days back a request may ask for an answer as of then; 0: none are kept."""
    fallback: str | tuple[Source, ...] = ("popular-7-days", "popular")
    """Who fills the places that are left: sources, one after the other, or the name of another scenario."""
    page_size: int = Field(10, ge=1, le=1000)
    """The length of a slate where the request does not say."""
    gate: Literal["better", "personal", "open"] = "better"
    """better: than what is live and than popular items, beyond the noise. personal: any that is personal, labelled
    where it is not better. open: any."""
    rules: RulesConfig = RulesConfig()
    """What may be shown, and where; the same in serving and in measuring."""
    exclude_relations: tuple[str, ...] = Field(("follows",), max_length=20)
    """People whom the asker has such a relation to are not recommended."""
    timetable: str | None = Field(None, max_length=200)
    """When it is trained again: every 6h, or a cron line in UTC; none: by hand."""

    @model_validator(mode="before")
    @classmethod
    def _people_are_not_measured(cls, content: Any) -> Any:
        """The gate measures items: a scenario of people has none unless it says so, which is refused below."""
        if isinstance(content, Mapping) and content.get("recommend") == "users":
            return {"gate": "open", "fallback": (), **content}
        return content

    @field_validator("fallback")
    @classmethod
    def _scenario_or_sources(cls, fallback: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(fallback, str):
            if not NAME.fullmatch(fallback):
                raise ValueError(f'{fallback!r} is no name of a scenario; write sources as a list, such as ["popular"]')
        elif len(fallback) > 20:
            raise ValueError(f"{len(fallback)} sources are too many; name up to 20")
        return fallback

    @model_validator(mode="after")
    def _made_of_models(self) -> ScenarioConfig:
        for field, specs in (("candidates", self.candidates), ("fallback", self.fallback)):
            try:
                sources = [] if isinstance(specs, str) else self._sources(specs)
                named_once(sources, field)
                for source in sources:
                    source.model_settings()
            except Invalid as error:
                raise ValueError(f"{field}: {error}") from None
        try:
            ranker = self._ranker
            if ranker is not None:
                ranker.ranker_settings()
        except Invalid as error:
            raise ValueError(f"ranker: {error}") from None
        if ranker is not None and not self.candidates:
            raise ValueError(f"ranker: {self.ranker} ranks candidates, and none are named; name some")
        if sum(map(len, self.candidates)) > MAX_SPEC:
            raise ValueError(f"candidates: more than {MAX_SPEC} characters; put settings into models")
        if self.recommend == "users":
            self._of_people()
        return self

    def _of_people(self) -> None:
        """Whether a scenario of people can be answered."""
        strangers = [source.name for source in self._sources(self.candidates) if source.model not in PEOPLE]
        if strangers or not self.candidates:
            said = f"{', '.join(strangers)} knows no likeness of people" if strangers else "it names none"
            raise ValueError(f"candidates: {said}; a scenario of users takes {', '.join(PEOPLE)}")
        if self._ranker is not None:
            raise ValueError(f"ranker: {self.ranker} ranks items; a scenario of users has none")
        if self.gate != "open":
            raise ValueError(f"gate: {self.gate} measures items; a scenario of users has the gate open")
        if self.fallback and not isinstance(self.fallback, str):
            raise ValueError("fallback: sources rank items; a scenario of users takes another such scenario, or none")
        if self.rules != RulesConfig():
            raise ValueError("rules: they look at items; a scenario of users has none")
        if self.catalogue is not None:
            raise ValueError("catalogue: users are in none; leave it out")

    def _sources(self, specs: tuple[str, ...]) -> tuple[SourceConfig, ...]:
        return tuple(parse_source(spec.strip(), {}, self.models) for spec in specs)

    @property
    def _ranker(self) -> RankerConfig | None:
        return None if self.ranker == "none" else parse_ranker(self.ranker.strip(), {}, self.models)

    @property
    def pipeline(self) -> PipelineConfig | None:
        """The pipeline of its candidates; None where it takes whatever was trained."""
        if not self.candidates:
            return None
        ranker = self._ranker
        return PipelineConfig(
            name="+".join(spec.strip() for spec in self.candidates) + (f":{ranker.name}" if ranker else ""),
            sources=self._sources(self.candidates),
            merge=self.merge,
            n_candidates=self.n_candidates,
            fallback=() if isinstance(self.fallback, str) else self._sources(self.fallback),
            ranker=ranker,
            past_days=self.past_days,
        )

    @property
    def measured_rules(self) -> RulesConfig:
        """Its rules as a comparison takes them: its catalogue is part of the filter, which is not given up then."""
        if self.recommend == "users":
            raise Invalid("a scenario of users has no slates of items to be measured", field="scenario")
        if self.catalogue is None:
            return self.rules
        escaped = self.catalogue.replace("\\", "\\\\").replace('"', '\\"')
        parts = [f'catalogue == "{escaped}"'] + ([] if self.rules.filter is None else [f"({self.rules.filter})"])
        kept = tuple(rule for rule in self.rules.relax if rule != "filter")
        return self.rules.model_copy(update={"filter": " and ".join(parts), "relax": kept})

    def named(self) -> set[str]:
        """Names that its sources use, of models and of kinds."""
        fallback = () if isinstance(self.fallback, str) else self.fallback
        ranker = () if self.ranker == "none" else (self.ranker,)
        return names_in((*self.candidates, *fallback, *ranker))

    @staticmethod
    def read(content: Mapping[str, Any], name: str) -> ScenarioConfig:
        """The scenario that ``content`` says, checked; what is wrong with it is named in one sentence."""
        try:
            return ScenarioConfig.model_validate(content)
        except ValidationError as error:
            field, said = said_of(error)
            raise Invalid(f"{'.'.join(filter(None, ['scenarios', name, field]))}: {said}", field=field) from None


DEFAULTS: Mapping[str, ScenarioConfig] = {HOME: ScenarioConfig(), FOR_YOU: ScenarioConfig(gate="personal")}
"""Scenarios that are there from the start; a declaration may say more of them."""


def names_in(specs: tuple[str, ...]) -> set[str]:
    """The names before weight and settings of these sources."""
    return {found["name"].strip() for spec in specs if (found := SOURCE.fullmatch(spec.strip())) is not None}


def said_of(error: ValidationError) -> tuple[str | None, str]:
    """The field and the sentence of the first that is wrong."""
    first = error.errors()[0]
    field, said = ".".join(map(str, first["loc"])), str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
        return field, f"a scenario has no such field; it has {', '.join(ScenarioConfig.model_fields)}"
    whole = re.fullmatch(r"(\w+): (.*)", said, re.DOTALL)
    if not field and whole is not None and whole[1] in ScenarioConfig.model_fields:
        return whole[1], whole[2]
    return field or None, said


def check_fallbacks(scenarios: Mapping[str, ScenarioConfig]) -> None:
    """Invalid where a fallback names no scenario, one that recommends something else, or comes back to itself."""
    for name, config in scenarios.items():
        chain = [name]
        while isinstance(fallback := scenarios[chain[-1]].fallback, str):
            where = f"scenarios.{chain[-1]}.fallback"
            if fallback not in scenarios:
                known = ", ".join(scenarios)
                raise Invalid(f"{where}: there is no scenario {fallback!r}; the scenarios are {known}", field=where)
            if scenarios[fallback].recommend != config.recommend:
                raise Invalid(
                    f"{where}: {fallback} recommends {scenarios[fallback].recommend}, not {config.recommend}",
                    field=where,
                )
            chain.append(fallback)
            if fallback in chain[:-1]:
                raise Invalid(f"{where}: {' -> '.join(chain)} goes round in a circle; end it in sources", field=where)
