from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from serendip import models
from serendip.cli import VERBS
from serendip.domain import MAX_ID_BYTES, Invalid, checked_id
from serendip.evaluation.tuning import SPACES
from serendip.evaluation.wanted import ALSO_CALLED, CATALOGUE, PER_QUERY, RATING, WHOLE
from serendip.jobs.kinds import JOBS
from serendip.models.rankers import RANKERS
from serendip.settings import Settings
from serendip.sources.datasets import NAMES

ROOT = Path(__file__).parents[1]
PAGES = {page.name: page.read_text() for page in (ROOT / "docs").glob("*.md")}
CODE = re.compile(r"`([^`\n]+)`")


def said_in(page: str) -> set[str]:
    """Everything that a page sets in code type."""
    return {word for code in CODE.findall(PAGES[page]) for word in re.split(r"[\s,]+", code)}


def test_every_verb_is_documented():
    assert set(VERBS) <= said_in("cli.md")


def test_every_setting_is_documented():
    assert set(Settings.model_fields) <= said_in("operation.md")


@pytest.mark.parametrize("kind", models.KINDS.values(), ids=lambda kind: kind.name)
def test_every_kind_of_model_and_all_it_can_be_told_is_documented(kind):
    assert {kind.name, *kind.config.model_fields} <= said_in("models.md")


@pytest.mark.parametrize("kind", RANKERS.values(), ids=lambda kind: kind.name)
def test_every_ranker_and_all_it_can_be_told_is_documented(kind):
    assert {kind.name, *kind.config.model_fields} <= said_in("ranking.md")


@pytest.mark.parametrize("kind", JOBS.values(), ids=lambda kind: kind.name)
def test_every_kind_of_job_and_all_it_can_be_told_is_documented(kind):
    assert {kind.name, *kind.arguments.model_fields} <= said_in("jobs.md")


def test_every_metric_is_documented():
    assert {*PER_QUERY, *CATALOGUE, *WHOLE, *RATING, *ALSO_CALLED} <= said_in("measuring.md")


def test_every_known_data_set_is_named():
    assert all(name in PAGES["data.md"] for name in NAMES)


def test_links_between_pages_lead_somewhere():
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def example(page: Path) -> str:
    """The first Python block of a page."""
    found = re.search(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert found
    return found.group(1)


@pytest.mark.parametrize("page", ["README.md", "docs/library.md"])
def test_the_library_example_runs_as_it_is_printed(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    rng = np.random.default_rng(0)
    users = ["ann", *(f"user-{i}" for i in range(60))]
    rows = [
        (user, f"film-{item}", int(rng.integers(1, 6)), f"2026-0{1 + place % 3}-{1 + place:02}")
        for taste, user in enumerate(users)
        for place, item in enumerate(rng.permutation(np.arange(taste % 2, 40, 2))[:12])
    ]
    frame = pl.DataFrame(rows, schema=["user", "item", "rating", "at"], orient="row")
    frame.write_csv(tmp_path / "ratings.csv")
    monkeypatch.chdir(tmp_path)
    code = example(ROOT / page).replace('"film-1", "film-9"', '"film-1", "film-9"')
    exec(compile(code, page, "exec"), {})
    assert "ease" in capsys.readouterr().out


def test_ids_are_kept_byte_for_byte_or_refused_with_a_reason():
    for good in ("007", " spaced ", "é", "e\u0301", "x" * MAX_ID_BYTES, "\U0001f3ac", "a\nb"):
        assert checked_id(good, "user") == good
    for bad in ("", "a\0b", "\ud800", "é" * (MAX_ID_BYTES // 2 + 1), 7, None):
        with pytest.raises(Invalid, match="user id"):
            checked_id(bad, "user")


def test_every_usual_space_of_a_search_is_documented():
    for kind, space in SPACES.items():
        for name, text in space.items():
            assert f"{name}={text}" in " ".join(PAGES["measuring.md"].split()), kind
