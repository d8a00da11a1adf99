from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_cli import run, town_file

from serendip.store import Store

SOURCE = str(Path(__file__).parents[2] / "src")


def store_of(here: Path) -> Store:
    return Store.open(f"sqlite:///{here / 'here.db'}")


def test_a_job_is_run_by_hand_skipped_when_nothing_changed_and_refused_when_it_cannot_be(here: Path, capsys):
    file = town_file(here)
    code, said, _ = run(capsys, "jobs", "run", "import", "--set", f"source={file}", "--json")
    assert (code, json.loads(said)["state"]) == (0, "done")
    told = ("jobs", "run", "train", "--set", 'pipelines=["popular"]')
    code, said, _ = run(capsys, *told)
    assert code == 0
    assert said.startswith("2  train  done")
    code, said, _ = run(capsys, *told)
    assert (code, said) == (0, "3  train  skipped  nothing was added, edited or deleted since job 2\n")
    code, _, complaint = run(capsys, "jobs", "run", "export", "--set", "to=x.doc")
    assert (code, "ends in none of" in complaint) == (1, True)
    code, _, complaint = run(capsys, "jobs", "add", "dance")
    assert (code, "the kinds are" in complaint) == (1, True)


def test_jobs_are_added_listed_shown_and_cancelled(here: Path, capsys):
    assert run(capsys, "jobs", "add", "clean-up", "--set", "jobs_days=3")[1] == "1  clean-up  queued\n"
    code, _, complaint = run(capsys, "jobs", "add", "clean-up", "--set", "jobs_days=3")
    assert (code, "1 is queued" in complaint) == (1, True)
    assert json.loads(run(capsys, "jobs", "show", "1")[1])["arguments"] == {"jobs_days": 3.0}
    assert run(capsys, "jobs", "cancel", "1")[1] == "job 1 is cancelled\n"
    assert run(capsys, "jobs", "list", "--state", "cancelled")[1] == "1  clean-up  cancelled\n"
    assert run(capsys, "jobs", "show", "2")[0] == 1
    assert "recommend:" in run(capsys, "jobs", "kinds")[1]
    assert "empty" in run(capsys, "jobs", "timetable")[1]
    store = store_of(here)
    assert [(act.action, act.target) for act in store.acts().records] == [("cancel_job", "1"), ("create_job", "1")]
    store.close()


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["work", "serve"])
def test_work_and_serve_do_what_is_queued(here: Path, capsys, verb: str):
    run(capsys, "jobs", "add", "clean-up")
    flags = ["--port", "0"] if verb == "serve" else []
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    worker = subprocess.Popen(
        [sys.executable, "-m", "serendip", verb, *flags], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        store, until = store_of(here), time.monotonic() + 120
        while store.jobs().records[0].state != "done" and time.monotonic() < until:
            time.sleep(0.1)
        assert store.jobs().records[0].state == "done"
        store.close()
        worker.send_signal(signal.SIGTERM)
        said, _ = worker.communicate(timeout=60)
    finally:
        worker.kill()
    assert worker.returncode == 0
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert "a job begins" in {line["message"] for line in lines}
