from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serendip.cli import SUMMARIES, VERBS, cli
from serendip.domain import Interaction
from serendip.flows.record import record
from serendip.store import Store


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command, run in this process."""
    from serendip.cli import main

    before, sys.argv = sys.argv, ["serendip", *arguments]
    try:
        main()
        code = 0
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    finally:
        sys.argv = before
    said = capsys.readouterr()
    return code, said.out, said.err


def town_file(folder: Path) -> Path:
    """Likes of three tastes over forty days, as CSV."""
    from towns import townspeople

    file = folder / "likes.csv"
    rows = [f"{e.user},{e.item},{e.kind},{e.at.isoformat()}" for e in townspeople()]
    file.write_text("user,item,kind,at\n" + "\n".join(rows) + "\n")
    return file


def test_every_verb_is_described_and_can_be_loaded():
    assert list(VERBS) == list(SUMMARIES)
    for name in VERBS:
        command = cli.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert command.name == name
        assert command.help


def test_help_and_import_touch_none_of_the_heavy_packages():
    heavy = ["numpy", "scipy", "numba", "polars", "sqlalchemy", "fastapi", "pydantic"]
    for code in ("import serendip", "from serendip.cli import cli; cli(['--help'], standalone_mode=False)"):
        check = f"{code}\nimport sys\nprint([name for name in {heavy!r} if name in sys.modules])"
        source = {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
        done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, env=source)
        assert done.stdout.strip().endswith("[]")


def test_from_a_file_to_an_explained_answer_that_follows_the_last_event(here: Path, capsys: pytest.CaptureFixture[str]):
    code, out, _ = run(capsys, "import", str(town_file(here)), "--json")
    assert (code, json.loads(out)["added"]) == (0, 480)
    code, out, _ = run(capsys, "import", "likes.csv", "--json")
    assert (code, json.loads(out)["added"], json.loads(out)["repeated"]) == (0, 0, 480)

    code, out, _ = run(capsys, "train", "popular-7-days", "item-knn", "--promote", "--json")
    trained = json.loads(out)
    assert code == 0
    assert set(trained["live"]) == {"home", "for-you"}

    ask = ("recommend", "newcomer", "--scenario", "for-you", "--explain", "--json", "-n", "4")
    _, out, _ = run(capsys, *ask)
    before = json.loads(out)
    store = Store.open(f"sqlite:///{here / 'here.db'}")
    record(store, [Interaction("newcomer", "item-4", datetime(2026, 3, 1, 13, tzinfo=UTC), "like")], datetime.now(UTC))
    store.close()
    _, out, _ = run(capsys, *ask)
    after = json.loads(out)
    assert before["version"] == after["version"]
    assert [one["item"] for one in before["items"]] != [one["item"] for one in after["items"]]
    assert {reason["item"] for one in after["items"] for reason in one["reasons"]} == {"item-4"}

    _, out, _ = run(capsys, "similar", "item-4", "-n", "3", "--json")
    assert len(json.loads(out)["items"]) == 3
    code, out, _ = run(capsys, "models", "--json")
    assert {one["id"] for one in json.loads(out)["versions"]} == set(trained["versions"])
    code, out, _ = run(capsys, "doctor")
    assert code == 0, out


def test_answers_for_people_name_titles_and_reasons(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "items.csv").write_text("id,title\n" + "".join(f"item-{i},The {i}\n" for i in range(30)))
    run(capsys, "import", "items.csv", "--as", "items")
    run(capsys, "import", str(town_file(here)))
    _, trained, _ = run(capsys, "train", "item-knn", "--promote")
    assert "replayed" in trained
    assert "home is now item-knn-" in trained
    _, out, _ = run(capsys, "recommend", "user-0", "--explain")
    assert "because of The " in out
    _, out, _ = run(capsys, "recommend", "--history", "item-3,item-6", "-n", "2")
    assert "The 3" not in out
    _, out, _ = run(capsys, "models")
    assert "for-you, home" in out


def test_an_export_imports_again_to_the_same(here: Path, capsys: pytest.CaptureFixture[str]):
    run(capsys, "import", str(town_file(here)))
    for ending in ("csv", "jsonl", "parquet"):
        code, _, _ = run(capsys, "export", "interactions", "--to", f"out.{ending}")
        assert code == 0
        other = f"sqlite:///{here / ending}.db"
        code, out, _ = run(capsys, "import", f"out.{ending}", "--database", other, "--json")
        assert json.loads(out)["added"] == 480
        run(capsys, "export", "interactions", "--to", f"again.{ending}", "--database", other)
        assert Path(f"again.{ending}").read_bytes() == Path(f"out.{ending}").read_bytes()


def test_a_dry_run_keeps_nothing(here: Path, capsys: pytest.CaptureFixture[str]):
    code, out, _ = run(capsys, "import", str(town_file(here)), "--dry-run")
    assert code == 0
    assert "480 would be added" in out
    _, out, _ = run(capsys, "export", "interactions", "--to", "all.csv", "--json")
    assert json.loads(out)["rows"] == 0


def test_refused_rows_are_listed_with_line_field_and_reason(here: Path, capsys: pytest.CaptureFixture[str]):
    Path("mixed.csv").write_text("user,item,rating,at\nann,1,5,2026-01-01\nbob,,4,2026-01-01\ncy,2,4,no day\n")
    code, out, _ = run(capsys, "import", "mixed.csv", "--json")
    report = json.loads(out)
    assert code == 0
    assert (report["rows_read"], report["added"], report["refused"]) == (3, 1, 2)
    lines = Path(report["error_file"]).read_text().splitlines()
    assert lines[0] == "line,field,what,value"
    assert [line.split(",")[:2] for line in lines[1:]] == [["3", "item"], ["4", "at"]]


BAD = [
    (["import", "nowhere.csv"], "nowhere.csv"),
    (["import", "empty.csv"], "empty"),
    (["import", "columns.csv"], "--map"),
    (["import", "likes.csv", "--map", "user=Nobody"], "Nobody"),
    (["import", "likes.csv", "--timezone", "Mars/Olympus"], "Mars/Olympus"),
    (["import", "likes.csv", "--scale", "5"], "LOW:HIGH"),
    (["datasets", "load", "nothing", "--from", "."], "movietweetings"),
    (["datasets", "load", "movietweetings", "--from", "nowhere"], "nowhere"),
    (["train"], "import"),
    (["train", "alls"], "the kinds are"),
    (["train", "als", "--set", "factors=3"], "n_factors"),
    (["train", "als", "--set", "n_factors=-3"], "n_factors"),
    (["evaluate", "--split", "time:2"], "import"),
    (["recommend", "ann"], "train"),
    (["recommend", "ann", "--scenario", "homely"], "for-you"),
    (["recommend", "ann", "-n", "0"], "1 to 1000"),
    (["recommend", "ann", "--time", "yesterday"], "yesterday"),
    (["similar", "nothing"], "nothing"),
    (["promote", "als-000000000000"], "als-000000000000"),
    (["rollback"], "no earlier version"),
    (["models", "als-000000000000"], "als-000000000000"),
    (["export", "items", "--to", "items.xls"], ".csv"),
    (["key", "revoke", "nothing"], "nothing"),
    (["serve", "--port", "99999"], "port"),
    (["recommend", "ann", "--database", "sqlite:////dev/null/all.db"], "/dev/null"),
    (["recommend", "ann", "--database", "oracle://x"], "oracle"),
]


@pytest.mark.parametrize(("arguments", "word"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_bad_input_is_one_sentence_and_exit_code_1(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], word: str
):
    (here / "empty.csv").write_text("")
    (here / "columns.csv").write_text("a,b\n1,2\n")
    town_file(here)
    code, out, err = run(capsys, *arguments)
    assert code == 1
    assert out == "" or "likes.csv" in out
    assert err.startswith("serendip: ")
    assert err.count("\n") == 1
    assert word in err


def test_a_database_of_another_release_is_refused_and_left_alone(here: Path, capsys: pytest.CaptureFixture[str]):
    import sqlite3

    run(capsys, "import", str(town_file(here)))
    with sqlite3.connect(here / "here.db") as db:
        db.execute("update alembic_version set version_num = 'from-the-future'")
    db.close()
    before = (here / "here.db").read_bytes()
    code, _, err = run(capsys, "recommend", "ann")
    assert code == 1
    assert "from-the-future" in err
    assert (here / "here.db").read_bytes() == before


def test_a_port_in_use_is_named_before_anything_is_made(here: Path, capsys: pytest.CaptureFixture[str]):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, _, err = run(capsys, "demo", "--port", port)
    assert code == 1
    assert port in err
    assert not (here / "var").exists()


def test_the_demo_does_not_empty_a_folder_that_is_not_its_own(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "mine").mkdir()
    (here / "mine" / "letter.txt").write_text("dear")
    code, _, err = run(capsys, "demo", "--folder", "mine", "--port", "0")
    assert code == 1
    assert "not a demo's folder" in err
    assert (here / "mine" / "letter.txt").read_text() == "dear"


def test_a_second_demo_does_not_empty_the_folder_of_the_first(here: Path, capsys: pytest.CaptureFixture[str]):
    from serendip.cli.start import alone

    (here / "dd").mkdir()
    with alone(here / "dd"):
        code, _, err = run(capsys, "demo", "--folder", "dd", "--once")
    assert code == 1
    assert "another demo or example is running in dd" in err
