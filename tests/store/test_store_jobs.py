from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from serendip.domain import Conflict, Interaction, InteractionKind, Invalid, Item, NotFound, User
from serendip.store import JobRecord, Leased, Store, TimetableRow
from serendip.store.jobs import BACK_OFF, LONGEST_BACK_OFF, back_off
from serendip.store.schedule import parse_schedule

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEASE = 15 * SECOND
N_JOBS = 200


def claimed(store: Store, now: datetime = NOON, worker: str = "w") -> Leased:
    found = store.claim_job(worker, now, LEASE)
    assert found is not None
    return found


def now_of(store: Store, job: JobRecord | Leased) -> JobRecord:
    found = store.job(job.job.id if isinstance(job, Leased) else job.id)
    assert found is not None
    return found


def take_all(url: str, worker: str) -> list[int]:
    """Does every job it can get; the jobs are done as soon as they are had."""
    store, took = Store.open(url), []
    try:
        while (found := store.claim_job(worker, NOON, LEASE)) is not None:
            assert store.finish_job(found.job.id, found.lease, "done", NOON, {"by": worker})
            took.append(found.job.id)
    finally:
        store.close()
    return took


def test_two_workers_do_each_of_many_jobs_exactly_once(store: Store, database_url: str):
    made = {store.add_job("tiny", {"n": n}, NOON).id for n in range(N_JOBS)}
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.starmap(take_all, [(database_url, "first"), (database_url, "second")])
    assert sorted(first + second) == sorted(made)
    records = store.jobs(limit=N_JOBS).records
    assert all(job.state == "done" and job.attempts == 1 for job in records)
    assert {job.id for job in records if job.result == {"by": "first"}} == set(first)


def test_the_same_job_is_refused_while_one_waits_or_runs_and_taken_again_after_it(store: Store):
    first = store.add_job("train", {"seed": 1}, NOON)
    with pytest.raises(Conflict, match=f"{first.id} is queued"):
        store.add_job("train", {"seed": 1}, NOON)
    held = claimed(store)
    with pytest.raises(Conflict, match=f"{first.id} is running"):
        store.add_job("train", {"seed": 1}, NOON)
    assert store.add_job("train", {"seed": 2}, NOON).id != first.id
    store.finish_job(first.id, held.lease, "done", NOON)
    assert store.add_job("train", {"seed": 1}, NOON).state == "queued"
    store.add_job("one", {}, NOON, unique_key="ours")
    with pytest.raises(Conflict):
        store.add_job("other", {}, NOON, unique_key="ours")


def test_a_job_whose_lease_ran_out_is_taken_over_and_its_first_worker_can_write_no_more(store: Store):
    job = store.add_job("train", {}, NOON)
    first = claimed(store, worker="first")
    assert store.claim_job("second", NOON + LEASE - SECOND, LEASE) is None
    assert store.renew_lease(job.id, first.lease, NOON + 2 * LEASE)
    assert store.claim_job("second", NOON + LEASE, LEASE) is None
    assert store.claim_job("first", NOON + 2 * LEASE, LEASE, held=[job.id]) is None
    second = claimed(store, NOON + 2 * LEASE, "second")
    assert (second.job.id, second.job.attempts, second.job.worker) == (job.id, 2, "second")
    assert not store.renew_lease(job.id, first.lease, NOON + 9 * LEASE)
    assert not store.tell_job(job.id, first.lease, "late", None, None, None)
    assert not store.finish_job(job.id, first.lease, "done", NOON)
    assert not store.fail_job(job.id, first.lease, NOON, "late")
    assert not store.hand_back_job(job.id, first.lease, NOON)
    assert store.lease_holds(job.id, first.lease) is False
    assert store.tell_job(job.id, second.lease, "fit", 1, 3, "als")
    found = now_of(store, job)
    assert (found.state, found.stage, found.done, found.total, found.message) == ("running", "fit", 1, 3, "als")


def test_a_job_that_ends_its_worker_every_time_is_given_up(store: Store):
    job, at = store.add_job("train", {}, NOON, max_attempts=2), NOON
    for _ in range(2):
        claimed(store, at)
        at += LEASE
    assert store.claim_job("third", at, LEASE) is None
    found = now_of(store, job)
    assert found.state == "failed"
    assert "without a word" in (found.error or "")


def test_a_failed_attempt_waits_longer_each_time_until_none_is_left(store: Store):
    job, at = store.add_job("train", {}, NOON), NOON
    for attempt in (1, 2):
        held = claimed(store, at)
        assert held.job.attempts == attempt
        assert store.fail_job(job.id, held.lease, at, "the disk is full")
        waiting = now_of(store, job)
        shortest = BACK_OFF * 2 ** (attempt - 1)
        assert at + shortest <= waiting.run_at <= at + 1.5 * shortest
        assert (waiting.state, waiting.error) == ("queued", "the disk is full")
        assert store.claim_job("w", waiting.run_at - SECOND, LEASE) is None
        at = waiting.run_at
    held = claimed(store, at)
    store.fail_job(job.id, held.lease, at, "the disk is full")
    assert now_of(store, job).state == "failed"
    assert back_off(500) <= 1.5 * LONGEST_BACK_OFF
    once = store.add_job("train", {}, at)
    store.fail_job(once.id, claimed(store, at).lease, at, "no such file", retry=False)
    assert now_of(store, once).state == "failed"


def test_a_job_handed_back_loses_no_attempt(store: Store):
    job = store.add_job("train", {}, NOON)
    held = claimed(store)
    assert store.hand_back_job(job.id, held.lease, NOON + SECOND)
    found = now_of(store, job)
    assert (found.state, found.attempts, found.worker) == ("queued", 0, None)
    assert claimed(store, NOON + SECOND).job.attempts == 1


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_by_its_worker(store: Store):
    waiting = store.add_job("train", {}, NOON)
    assert store.cancel_job(waiting.id, NOON).state == "cancelled"
    assert store.claim_job("w", NOON, LEASE) is None
    with pytest.raises(Conflict, match="over already: cancelled"):
        store.cancel_job(waiting.id, NOON)
    with pytest.raises(NotFound):
        store.cancel_job(10_000, NOON)
    running = store.add_job("train", {}, NOON)
    held = claimed(store)
    assert store.lease_holds(running.id, held.lease) is True
    assert store.cancel_job(running.id, NOON).cancel
    assert store.lease_holds(running.id, held.lease) is None
    store.fail_job(running.id, held.lease, NOON, "it was stopped in the middle")
    assert now_of(store, running).state == "cancelled"
    left = store.add_job("train", {}, NOON)
    claimed(store)
    store.cancel_job(left.id, NOON)
    assert store.claim_job("w", NOON + LEASE, LEASE) is None
    assert now_of(store, left).state == "cancelled"


def test_jobs_are_listed_newest_first_by_pages_and_old_records_are_forgotten(store: Store):
    made = [store.add_job("even" if n % 2 == 0 else "odd", {"n": n}, NOON).id for n in range(7)]
    first = store.jobs(limit=4)
    second = store.jobs(limit=4, after=first.next)
    assert [job.id for page in (first, second) for job in page.records] == made[::-1]
    assert second.next is None
    assert [job.id for job in store.jobs(kind="odd").records] == made[1::2][::-1]
    for _ in range(5):
        held = claimed(store)
        store.finish_job(held.job.id, held.lease, "done", NOON)
    assert len(store.jobs(state="done").records) == 5
    # Of each kind the latest that was done stays: training compares itself with it.
    assert store.forget_jobs(NOON + SECOND) == 3
    assert [job.id for job in store.jobs().records] == [made[n] for n in (6, 5, 4, 3)]


def test_every_row_of_the_timetable_that_is_due_becomes_one_job_however_many_look(store: Store):
    rows = [TimetableRow(f"row {n}", "train", "every 15m", {"seed": n}) for n in range(5)]
    store.put_timetable([*rows, TimetableRow("off", "train", "every 15m", enabled=False)], "file", NOON)
    with ThreadPoolExecutor(4) as looking:
        queued = list(looking.map(store.queue_due, [NOON] * 12))
    assert len([job for jobs in queued for job in jobs]) == 5
    assert {job.timetable for job in store.jobs().records} == {row.name for row in rows}
    assert store.queue_due(NOON + timedelta(minutes=14, seconds=59)) == []
    # The first jobs still wait: their rows miss this turn, and are due a quarter of an hour later again.
    assert store.queue_due(NOON + timedelta(minutes=50)) == []
    assert {row.next_at for row in store.timetable() if row.enabled} == {NOON + timedelta(minutes=60)}


def test_the_file_replaces_its_own_rows_only_and_a_row_keeps_its_moment(store: Store):
    night = TimetableRow("night", "train", "0 3 * * *")
    store.put_timetable([night, TimetableRow("gone", "train", "every 1d")], "file", NOON)
    store.put_timetable([TimetableRow("mine", "export", "every 6h", {"to": "x"})], "api", NOON)
    store.put_timetable([night], "file", NOON + timedelta(hours=1))
    kept = {row.name: row for row in store.timetable()}
    assert set(kept) == {"night", "mine"}
    assert kept["night"].next_at == datetime(2026, 3, 2, 3, tzinfo=UTC)
    with pytest.raises(Conflict, match="settings file"):
        store.put_timetable([night], "api", NOON)
    with pytest.raises(Conflict, match="settings file"):
        store.drop_timetable("night")
    assert store.drop_timetable("mine")
    assert not store.drop_timetable("mine")


@pytest.mark.parametrize(
    "bad", ["", "every", "every 0m", "every 5 parsecs", "61 * * * *", "* * *", "0 0 30 2 *", "soon"]
)
def test_a_schedule_that_cannot_be_read_is_refused_with_an_example(bad: str):
    with pytest.raises(Invalid, match="every 15m") as refused:
        parse_schedule(bad)
    assert refused.value.field == "schedule"


def test_every_keeps_step_and_does_not_make_up_for_missed_turns():
    quarter = parse_schedule("every  15m")
    assert quarter.first(NOON) == NOON
    assert quarter.after(NOON, NOON) == NOON + timedelta(minutes=15)
    assert quarter.after(NOON, NOON + timedelta(minutes=44)) == NOON + timedelta(minutes=45)
    assert parse_schedule("*/20 * * * *").after(NOON, NOON) == NOON + timedelta(minutes=20)


def test_the_fingerprint_is_another_after_an_edit_or_a_deletion_and_the_same_where_nothing_changed(store: Store):
    kinds = [InteractionKind("view"), InteractionKind("rating", "latest", scale=(1.0, 5.0))]
    events = [Interaction(user, "film", NOON, "rating", 3.0) for user in ("ann", "bob")]
    store.declare_kinds(kinds)
    store.add_interactions(events)
    seen = [store.fingerprint()]
    store.declare_kinds(kinds)
    assert store.fingerprint() == seen[0]
    store.delete_user("bob")
    seen.append(store.fingerprint())
    # As many users, items and interactions as at first.
    store.add_interactions(events[1:])
    seen.append(store.fingerprint())
    store.put_items([Item("film", title="Another title")])
    seen.append(store.fingerprint())
    store.put_users([User("bob", attributes={"city": "Rome"})])
    seen.append(store.fingerprint())
    store.declare_kinds([InteractionKind("view", weight=2.0)])
    seen.append(store.fingerprint())
    assert len(set(seen)) == len(seen)
