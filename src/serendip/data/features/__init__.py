"""Point-in-time features: numbers about a user, an item and a moment that see only what happened strictly before it."""

from serendip.data.features.definition import ANY, OF_SOURCE, Entity, Feature, parse_feature, parse_features
from serendip.data.features.features import Features, refuse_sources, rows_of
from serendip.data.features.streaming import Stream
from serendip.data.features.usual import usual_features

__all__ = [
    "ANY",
    "OF_SOURCE",
    "Entity",
    "Feature",
    "Features",
    "Stream",
    "parse_feature",
    "parse_features",
    "refuse_sources",
    "rows_of",
    "usual_features",
]
