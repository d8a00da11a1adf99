"""Threads beside the event loop with a deadline, so that a slow database delays few and never all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from serendip.domain import NotReady

T = TypeVar("T")
A = TypeVar("A")
R = TypeVar("R")


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
            raise late(self._deadline) from None

    def grouped(self, work: Callable[[Sequence[A]], Sequence[R | Exception]], most: int, at_once: int) -> Grouped[A, R]:
        """``work`` for requests that come one by one and are worked on up to ``most`` at a time."""
        return Grouped(self._threads, self._deadline, work, most, at_once)

    def later(self, work: Callable[[], object]) -> None:
        """Do ``work`` when a thread is free; nobody waits for it, and nobody hears if it fails."""
        self._threads.submit(work)

    def close(self) -> None:
        """Let what runs finish, drop what waits."""
        self._threads.shutdown(wait=True, cancel_futures=True)


class Grouped(Generic[A, R]):
    """Requests that come while others are worked on wait for each other, and are then worked on together.

    A thread is woken once for all of them: two threads that run Python wait for each other longer than most requests
    take. ``at_once`` such groups may be under way.
    """

    def __init__(
        self,
        threads: ThreadPoolExecutor,
        deadline_seconds: float,
        work: Callable[[Sequence[A]], Sequence[R | Exception]],
        most: int,
        at_once: int,
    ) -> None:
        self._threads, self._deadline, self._work = threads, deadline_seconds, work
        self._most, self._free = most, at_once
        self._waiting: deque[tuple[A, asyncio.Future[R]]] = deque()
        self._carriers: set[asyncio.Task[None]] = set()

    async def run(self, asked: A) -> R:
        """The answer to ``asked``, or what ``work`` says is wrong with it; NotReady where it did not come in time."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((asked, future))
        if self._free:
            self._free -= 1
            carrier = loop.create_task(self._carry(loop))
            self._carriers.add(carrier)
            carrier.add_done_callback(self._carriers.discard)
        due = loop.call_later(self._deadline, self._expire, future)
        try:
            return await future
        finally:
            due.cancel()

    def _expire(self, future: asyncio.Future[R]) -> None:
        if not future.done():
            future.set_exception(late(self._deadline))

    async def _carry(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                # Who was told that it took too long is not worked for.
                batch = [(asked, future) for asked, future in batch if not future.done()]
                if not batch:
                    continue
                try:
                    answers = await loop.run_in_executor(self._threads, self._work, [asked for asked, _ in batch])
                except Exception as error:
                    answers = [error] * len(batch)
                for (_, future), answer in zip(batch, answers, strict=True):
                    if future.done():
                        continue
                    if isinstance(answer, Exception):
                        future.set_exception(answer)
                    else:
                        future.set_result(answer)
        finally:
            self._free += 1


def late(seconds: float) -> NotReady:
    """What somebody is told who waited too long."""
    return NotReady(
        f"no answer within {seconds:g} s, the server is busy; ask again a little later "
        "(a recording may have happened: repeat it with its idempotency key)"
    )
