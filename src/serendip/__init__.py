"""serendip: recommendations you can serve, measure and explain."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serendip.library import Recommendations, Recommender, evaluate, fit, load, read

__version__ = "0.1.0"
__all__ = ["Recommendations", "Recommender", "__version__", "evaluate", "fit", "load", "read"]


def __getattr__(name: str) -> Any:
    """The notebook's names, imported when they are first used (PEP 562)."""
    if name in __all__:
        return getattr(importlib.import_module("serendip.library"), name)
    raise AttributeError(f"module 'serendip' has no attribute {name!r}")
