from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from serendip.cli import cli
from serendip.domain import Invalid, Item
from serendip.store import Store


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_init_writes_a_file_that_check_finds_right_and_then_holds_against_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    code, said = run("init", "--example", "shop")
    assert code == 0
    assert "wrote serendip.toml" in said
    assert run("check")[0] == 0
    store = Store.open("sqlite:///var/shop/serendip.db")
    store.put_items([Item("coat-1", "products", "A coat", attributes={"colour": "red"})])
    store.close()
    code, said = run("check", "--json")
    assert code == 1
    (fault,) = json.loads(said)["faults"]
    # The example's cart asks for different families, and no item says its family.
    assert fault["field"] == "scenarios.cart.rules.diversity"
    assert Path("serendip.toml").read_text().splitlines()[fault["line"] - 1].startswith("rules = { diversity")
    assert "family" in fault["reason"]


def test_check_names_file_and_line_of_settings_and_scenarios(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "other.toml"
    path.write_text('port = "x"\n\n[scenarios.home]\npage_size = 0\n')
    code, said = run("check", str(path), "--no-data")
    assert code == 1
    assert f"{path}:1: port: the setting port is 'x'" in said
    assert f"{path}:4: scenarios.home.page_size:" in said


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("\n[scenario.home]\npage_size = 3\n", 2, "the tables of a file are [catalogues.NAME], "),
        ("\nwire = ['sociable']\n", 2, "'sociable' is no wire format"),
        ("\n[[oidc_providers]]\nname = 'x'\n", 2, "issuer"),
    ],
)
def test_check_names_the_line_of_what_is_no_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, line: int, said: str
):
    monkeypatch.chdir(tmp_path)
    Path("serendip.toml").write_text(text)
    code, told = run("check", "--no-data")
    assert code == 1
    assert f"serendip.toml:{line}: " in told
    assert said in told


def test_an_import_reads_interactions_as_the_file_declares_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("serendip.toml").write_text('[kinds.stars]\nmode = "latest"\nscale = [1, 5]\n')
    Path("votes.csv").write_text("user,item,value,at\nann,film,4,2026-01-01\nbob,film,9,2026-01-01\n")
    _, said = run("import", "votes.csv", "--kind", "stars", "--json")
    report = json.loads(said)
    assert (report["added"], report["refused"]) == (1, 1)
    store = Store.open("sqlite:///var/serendip.db")
    assert store.kinds()["stars"].mode == "latest"
    store.close()


def test_a_file_that_is_wrong_stops_training_before_anything_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("serendip.toml").write_text('[scenarios.home]\nfallback = "nowhere"\n')
    with pytest.raises(Invalid, match=r"serendip\.toml:2: scenarios\.home\.fallback: there is no scenario 'nowhere'"):
        run("train")


def test_scenarios_lists_what_was_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    code, said = run("scenarios")
    assert code == 0
    assert "home  (start)  items by the best of what was trained; gate better; nothing live" in said
