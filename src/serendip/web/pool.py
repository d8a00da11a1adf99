"""A bounded pool of threads with a deadline, so that a slow database delays few and never all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serendip.domain import NotReady

T = TypeVar("T")


class Pool:
    """Runs what blocks beside the event loop."""

    def __init__(self, size: int, deadline_seconds: float) -> None:
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="serendip-web")
        self._deadline = deadline_seconds

    async def run(self, work: Callable[[], T]) -> T:
        """What ``work`` gives; NotReady where it did not come in time, queueing included.

        Work that has not begun by then is dropped; work that has begun goes on to its end.
        """
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.wait_for(future, self._deadline)
        except TimeoutError:
            raise NotReady(
                f"no answer within {self._deadline:g} s, the server is busy; ask again a little later "
                "(a recording may have happened: repeat it with its idempotency key)"
            ) from None

    def later(self, work: Callable[[], object]) -> None:
        """Do ``work`` when a thread is free; nobody waits for it, and nobody hears if it fails."""
        self._threads.submit(work)

    def close(self) -> None:
        """Let what runs finish, drop what waits."""
        self._threads.shutdown(wait=True, cancel_futures=True)
