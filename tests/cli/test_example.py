"""An application with one command, as the examples are."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx2
import pytest

from serendip.cli.example import Served, arguments, begin, carry_out, end_well, present
from serendip.cli.start import start_anew
from serendip.domain import Invalid, NotReady, User

ASKED_FOR = ("SERENDIP_CONFIG", "SERENDIP_DATABASE_URL", "DATABASE_URL", "SERENDIP_ARTIFACTS")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch):
    # Set first, so that what an example adds to the environment is taken back with it.
    for name in ASKED_FOR:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "serendip.toml"
    path.write_text('[scenarios.front]\ncandidates = ["popular"]\n')
    return path


def test_it_is_made_anew_served_with_a_key_and_shown_once(tmp_path: Path, config: Path):
    shown: list[object] = []
    folder = tmp_path / "app"
    start_anew(folder)
    (folder / "serendip.db").touch()
    begin(folder, config)
    assert not (folder / "serendip.db").exists()
    carry_out(["serendip", "migrate"])

    def show(served: Served) -> None:
        served.store.put_users([User("ann")])
        with httpx2.Client(base_url=served.address, headers={"X-API-Key": served.key}) as client:
            shown.append(client.get("/v1/users").json()["users"][0]["id"])
            shown.append([one["scenario"] for one in client.get("/v1/scenarios").json()["scenarios"]])

    present("app", None, show, lambda _: [])
    assert shown[0] == "ann"
    assert "front" in shown[1]


def test_a_folder_of_something_else_is_not_emptied(tmp_path: Path, config: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(Invalid, match="is not a demo's folder"):
        begin(tmp_path, config)
    assert (tmp_path / "thesis.txt").exists()


def test_a_port_that_is_taken_is_refused_before_anything_is_made(tmp_path: Path, config: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(NotReady, match="is in use"):
        begin(tmp_path / "app", config, taken.getsockname()[1])
    assert not (tmp_path / "app").exists()


def test_a_folder_in_which_another_one_runs_is_not_emptied_under_it(tmp_path: Path, config: Path):
    begin(tmp_path / "app", config)
    (tmp_path / "app" / "serendip.db").touch()
    with pytest.raises(Invalid, match="is running in"):
        begin(tmp_path / "app", config)
    assert (tmp_path / "app" / "serendip.db").exists()


def test_what_is_to_be_tried_names_the_port_that_was_free_and_a_link_that_signs_in(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    begin(tmp_path / "app", config, 0)
    monkeypatch.setattr("serendip.cli.example.serve", lambda *told: told[-1]("http://there:4321"))
    present("app", 0, lambda _: None, lambda served: [f"curl {served.address}/health"])
    said = capsys.readouterr().out
    assert "Open  http://there:4321/sign-in?link=" in said
    assert "curl http://there:4321/health" in said


def test_a_database_that_the_environment_names_is_used_and_no_folder_is_emptied(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DATABASE_URL", "sqlite:///elsewhere.db")
    (tmp_path / "thesis.txt").write_text("years of work")
    begin(tmp_path, config)
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
