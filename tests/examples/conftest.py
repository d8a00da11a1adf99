"""Each example is a folder of programs whose modules have the same names as another's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def _modules_of_one_example() -> Iterator[None]:
    """What one example imported is not taken for another's."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is not None and EXAMPLES in Path(file).parents:
            del sys.modules[name]
