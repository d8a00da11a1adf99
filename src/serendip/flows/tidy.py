"""What nobody needs any more, dropped."""

from __future__ import annotations

from datetime import datetime, timedelta

from serendip.store import Artifacts, Store


def tidy(store: Store, artifacts: Artifacts, now: datetime, jobs_days: float, slates_days: float) -> dict[str, int]:
    """Drop old jobs, old slates that no interaction names, drafts without a writer, ended sign-ins; how many."""
    return {
        "jobs": store.forget_jobs(now - timedelta(days=jobs_days)),
        "slates": store.drop_slates(now - timedelta(days=slates_days)),
        "drafts": artifacts.clean_drafts(),
        "sessions": store.sweep_access(now),
    }
