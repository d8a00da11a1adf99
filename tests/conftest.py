"""Settings of all tests."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Generator

import pytest
from hypothesis import settings

# The first example of a test may compile its kernels; tests assert what is right, never how fast.
settings.register_profile("serendip", deadline=None)
settings.load_profile("serendip")

ABSENT_DATA = "the real data are not at"
"""Begins the only reason for which a test may be skipped where everything else is installed."""

TRAINED_WITH = {"sequence": "torch", "two-tower": "torch", "mlp": "torch"}
"""Kinds of model that are trained with a package of an extra."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test of a kind whose extra is absent is skipped; the tables of kinds need not know."""
    for item in items:
        values = item.callspec.params.values() if hasattr(item, "callspec") else ()
        for kind in (value for value in values if isinstance(value, str)):
            package = TRAINED_WITH.get(kind)
            if package is not None and importlib.util.find_spec(package) is None:
                item.add_marker(pytest.mark.skip(reason=f"{kind} is trained with {package}, which is not installed"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where CI installs everything, a skipped test is a failed one."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and ABSENT_DATA not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI skips nothing: {report.longrepr}"
    return report
