"""What a notebook computes is what the server answers."""

from __future__ import annotations

import json

import pytest

from serendip import pipeline as pipelines
from serendip.cli import cli
from serendip.flows.gather import gather, up_to
from serendip.flows.live import FOR_YOU, HOME
from serendip.library import Recommender
from serendip.pipeline import PipelineConfig

from .conftest import NOON, Server


@pytest.mark.parametrize("scenario", [HOME, FOR_YOU])
@pytest.mark.parametrize("user", ["user-0", "user-7", "a stranger"])
def test_the_library_object_and_the_api_give_the_same_answer(server: Server, scenario: str, user: str):
    version = server.store.version(server.store.live()[scenario].version)
    # A server renews its trends every hour, from a thread of its own.
    server.app.state.services.live.catch_up(NOON)
    data = up_to(gather(server.store, until=NOON), NOON)
    config = PipelineConfig.model_validate(version.manifest["pipeline"])
    own = Recommender(pipelines.fit(config, data), data).recommend([user], k=7)
    question = {"user": user, "scenario": scenario, "n": 7, "time": NOON.isoformat()}
    answer = server.client.get("/v1/recommendations", params=question).json()
    assert answer["version"] == version.id
    assert [one["item"] for one in answer["items"]] == own.items[0].tolist()
    assert [one["score"] for one in answer["items"]] == pytest.approx(own.scores[0].tolist(), rel=1e-5)
    assert [one["source"] for one in answer["items"]] == own.sources[0].tolist()


@pytest.mark.parametrize("scenario", [HOME, FOR_YOU])
@pytest.mark.parametrize("user", ["user-0", "a stranger"])
def test_the_terminal_and_the_api_give_the_same_answer(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, scenario: str, user: str
):
    # Both have renewed their trends in the same hour.
    monkeypatch.setattr("serendip.cli.options.clock", lambda: NOON)
    server.app.state.services.live.catch_up(NOON)
    folder = server.artifacts.folder
    kept = ["--database", f"sqlite:///{folder.parent / 'serendip.db'}", "--artifacts", str(folder)]
    asked = ["recommend", user, "--scenario", scenario, "-n", "7", "--time", NOON.isoformat(), "--json", *kept]
    cli.main(asked, standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    question = {"user": user, "scenario": scenario, "n": 7, "time": NOON.isoformat()}
    answer = server.client.get("/v1/recommendations", params=question).json()
    for field in ("version", "known", "exhausted", "scenario"):
        assert told[field] == answer[field]
    assert [(one["item"], one["score"], one["source"]) for one in told["items"]] == [
        (one["item"], one["score"], one["source"]) for one in answer["items"]
    ]
