"""An application with one command, as the examples are."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from serendip.cli.example import Served, arguments, begin, carry_out, end_well, present
from serendip.domain import Invalid, User

ASKED_FOR = ("SERENDIP_CONFIG", "SERENDIP_DATABASE_URL", "DATABASE_URL", "SERENDIP_ARTIFACTS")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch):
    # Set first, so that what an example adds to the environment is taken back with it.
    for name in ASKED_FOR:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_it_is_made_anew_served_with_a_key_and_shown_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config, shown = tmp_path / "serendip.toml", []
    config.write_text('[scenarios.front]\ncandidates = ["popular"]\n')
    folder = tmp_path / "app"
    folder.mkdir()
    begin(folder, config)
    carry_out(["serendip", "migrate"])

    def show(served: Served) -> None:
        served.store.put_users([User("ann")])
        with httpx2.Client(base_url=served.address, headers={"X-API-Key": served.key}) as client:
            shown.append(client.get("/v1/users").json()["users"][0]["id"])
            shown.append([one["scenario"] for one in client.get("/v1/scenarios").json()["scenarios"]])

    present("app", None, show, lambda _: [])
    assert shown[0] == "ann"
    assert "front" in shown[1]
    monkeypatch.delenv("SERENDIP_DATABASE_URL")
    begin(folder, config)
    assert not (folder / "serendip.db").exists()


def test_a_folder_of_something_else_is_not_emptied(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(Invalid, match="is not a demo's folder"):
        begin(tmp_path, tmp_path / "serendip.toml")
    assert (tmp_path / "thesis.txt").exists()


def test_a_database_that_the_environment_names_is_used_and_no_folder_is_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DATABASE_URL", "sqlite:///elsewhere.db")
    (tmp_path / "thesis.txt").write_text("years of work")
    begin(tmp_path, tmp_path / "serendip.toml")
    assert (tmp_path / "thesis.txt").exists()


def test_a_step_that_fails_ends_it_with_the_same_exit_code(capfd: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        end_well(lambda: carry_out(["python", "-c", "raise SystemExit(3)"]))
    assert ended.value.code == 3
    assert "$ python -c raise SystemExit(3)" in capfd.readouterr().out


def test_what_is_refused_is_one_sentence():
    def refuse() -> None:
        raise Invalid("the shop needs a product; make one")

    with pytest.raises(SystemExit, match="the shop needs a product; make one"):
        end_well(refuse)


def test_every_example_takes_a_folder_a_port_and_once():
    told = arguments("shop", "A shop.").parse_args(["--once"])
    assert (told.folder, told.port, told.once) == (Path("var/shop"), 8000, True)
