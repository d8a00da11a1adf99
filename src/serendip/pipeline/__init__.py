"""The one object: histories in, ranked items out; the same in a notebook, in a measurement and in the server."""

from serendip.pipeline.answering import Answers, FitModel, Pipeline, Source, fit, restore
from serendip.pipeline.config import POPULAR, POPULAR_7_DAYS, PipelineConfig, SourceConfig

__all__ = [
    "POPULAR",
    "POPULAR_7_DAYS",
    "Answers",
    "FitModel",
    "Pipeline",
    "PipelineConfig",
    "Source",
    "SourceConfig",
    "fit",
    "restore",
]
