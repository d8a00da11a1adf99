"""A config and data in, a pipeline out; arrays in, the pipeline that they were made of."""

from __future__ import annotations

from dataclasses import replace

from serendip import models
from serendip.data import DAY, Arrays, Dataset, Vocabulary
from serendip.domain import InteractionKind
from serendip.pipeline.answering import Pipeline
from serendip.pipeline.config import PipelineConfig, SourceConfig
from serendip.pipeline.merging import Merged
from serendip.pipeline.practice import fit_ranker
from serendip.pipeline.ranked import FittedRanker
from serendip.pipeline.shown import Shown
from serendip.pipeline.source import FitModel, Source


def fit(
    config: PipelineConfig,
    data: Dataset,
    seed: int = 0,
    fit_model: FitModel = models.fit,
    shown: Shown | None = None,
) -> Pipeline:
    """A pipeline learnt from ``data``; the same seed gives the same pipeline.

    A ranker practises on the rows ``shown`` where there are some, as far as they were before the data ends.
    """

    def fitted(source: SourceConfig) -> Source:
        return Source(source, fit_model(source.model, source.model_settings(), data, seed))

    sources, fallback = tuple(map(fitted, config.sources)), tuple(map(fitted, config.fallback))
    whole = Pipeline(config, data.items, data.kinds, sources, fallback)
    if config.ranker is None:
        return whole
    bare = config.model_copy(update={"ranker": None, "fallback": ()})
    refit_days = config.refit_days
    past: Pipeline | None = None
    fitted_at = 0

    def practising(known: Dataset) -> Merged:
        """The sources as they were when last fitted, with the trends of this moment."""
        nonlocal past, fitted_at
        if past is None or (refit_days is not None and known.now - fitted_at >= refit_days * DAY):
            past, fitted_at = fit(bare, known, seed, fit_model), known.now
        else:
            past = past.refreshed(known, seed, fit_model)
        return past.merged

    return replace(whole, ranker=fit_ranker(config.ranker, data, practising, seed, shown))


def remembering(fitted: Pipeline, data: Dataset) -> Pipeline:
    """The same pipeline, which answers moments of the last days of ``data``, that it learnt from, as of their days.

    Trends and what a ranker looks at are then as they were; likenesses and trees stay what was learnt from all of it.
    """
    days = fitted.config.past_days
    sources = tuple(source.remembering(data, days) for source in fitted.sources)
    fallback = tuple(source.remembering(data, days) for source in fitted.fallback)
    ranker = None if fitted.ranker is None else fitted.ranker.advanced(data, days)
    return replace(fitted, sources=sources, fallback=fallback, ranker=ranker)


def refitted(pipeline: Pipeline, data: Dataset, seed: int = 0, fit_model: FitModel = models.fit) -> Pipeline:
    """The same pipeline with sources and fallback learnt from ``data``, whose items are this pipeline's.

    What a ranker learnt stays, over features as of ``data.now``; the users of ``data`` begin with those it knows.
    """
    fresh = fit(pipeline.config.model_copy(update={"ranker": None}), data, seed, fit_model)
    ranker = None if pipeline.ranker is None else pipeline.ranker.advanced(data)
    return replace(fresh, config=pipeline.config, ranker=ranker)


def restore(config: PipelineConfig, kinds: tuple[InteractionKind, ...], arrays: Arrays) -> Pipeline:
    """The pipeline that ``arrays`` was made of."""

    def own(prefix: str) -> Arrays:
        return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}

    def restored(room: str, sources: tuple[SourceConfig, ...]) -> tuple[Source, ...]:
        return tuple(Source.restore(source, own(f"{room}{i}.")) for i, source in enumerate(sources))

    return Pipeline(
        config,
        Vocabulary.restore(own("items.")),
        kinds,
        restored("source", config.sources),
        restored("fallback", config.fallback),
        None if config.ranker is None else FittedRanker.restore(config.ranker, own("ranker.")),
    )
