"""serendip: recommendations you can serve, measure and explain."""

from __future__ import annotations

__version__ = "0.1.0"
