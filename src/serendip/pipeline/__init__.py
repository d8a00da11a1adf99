"""The one object: histories in, ranked items out; the same in a notebook, in a measurement and in the server."""

from serendip.pipeline.answering import Pipeline
from serendip.pipeline.answers import BOOST, PIN, PINNED, Answers
from serendip.pipeline.config import POPULAR, POPULAR_7_DAYS, NamedModel, PipelineConfig, RankerConfig, SourceConfig
from serendip.pipeline.fitting import fit, refitted, remembering, restore
from serendip.pipeline.scenario import DEFAULTS, FOR_YOU, HOME, ScenarioConfig, check_fallbacks
from serendip.pipeline.shown import Shown
from serendip.pipeline.source import FitModel, Source

__all__ = [
    "BOOST",
    "DEFAULTS",
    "FOR_YOU",
    "HOME",
    "PIN",
    "PINNED",
    "POPULAR",
    "POPULAR_7_DAYS",
    "Answers",
    "FitModel",
    "NamedModel",
    "Pipeline",
    "PipelineConfig",
    "RankerConfig",
    "ScenarioConfig",
    "Shown",
    "Source",
    "SourceConfig",
    "check_fallbacks",
    "fit",
    "refitted",
    "remembering",
    "restore",
]
