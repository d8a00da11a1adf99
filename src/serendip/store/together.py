"""Writes that arrive while another is on its way to the disk, committed together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class Together(Generic[Job, Result]):
    """One writer carries the jobs of all who wait: a commit costs the disk's time once, not once for each."""

    def __init__(self, carry: Callable[[Sequence[Job]], list[Result]]) -> None:
        self._carry = carry
        self._waiting: list[tuple[Job, Future[Result]]] = []
        self._queue = threading.Lock()
        self._writing = threading.Lock()

    def run(self, job: Job) -> Result:
        """The job's own result, once it is on disk."""
        future: Future[Result] = Future()
        with self._queue:
            self._waiting.append((job, future))
        with self._writing:
            if not future.done():
                self._carry_all()
        return future.result()

    def _carry_all(self) -> None:
        with self._queue:
            batch, self._waiting = self._waiting, []
        try:
            results = self._carry([job for job, _ in batch])
        except BaseException as error:
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)
