"""What nobody needs any more, dropped."""

from __future__ import annotations

from datetime import datetime, timedelta

from serendip.store import Artifacts, Store


def tidy(store: Store, artifacts: Artifacts, now: datetime, jobs_days: float) -> dict[str, int]:
    """Drop old records of jobs, drafts of artifacts whose writer is no more, and sign-ins that are over; how many."""
    return {
        "jobs": store.forget_jobs(now - timedelta(days=jobs_days)),
        "drafts": artifacts.clean_drafts(),
        "sessions": store.sweep_access(now),
    }
