"""Sending: the one place that touches the network, once for programs that wait and once for those that do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from copy import copy
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx2

from serendip import __version__
from serendip.client.call import Answer, Call, Listing, Page, Pause, Talk
from serendip.client.retries import Lost, Retries, Send, attempts
from serendip.domain import Invalid, SerendipError

T = TypeVar("T")

NEVER_LEFT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
HOPELESS = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)


class Sending:
    """What both ways of sending have in common."""

    def __init__(
        self,
        url: str,
        headers: dict[str, str],
        retries: Retries,
        attempt_seconds: float,
        deadline_seconds: float,
        clock: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise Invalid(f"{url!r} is no address of a server; write for example http://127.0.0.1:8000", field="url")
        self.url = url.rstrip("/")
        self._headers = {"Accept": "application/json", "User-Agent": f"serendip-client/{__version__}", **headers}
        self._retries = retries
        self._attempt_seconds = attempt_seconds
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        self._chance = chance

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def within(self, seconds: float) -> Self:
        """The same client, whose calls are over within ``seconds``, retries and pauses included."""
        other = copy(self)
        other._deadline_seconds = seconds
        return other

    def _attempts(self, call: Call[T]) -> Generator[Send | Pause, Any, T]:
        return attempts(call, self._retries, self._attempt_seconds, self._deadline_seconds, self._clock, self._chance)

    def _request(self, http: httpx2.Client | httpx2.AsyncClient, step: Send) -> httpx2.Request:
        call = step.call
        return http.build_request(
            call.method,
            self.url + call.path,
            params=call.sent_query or None,
            content=call.content,
            headers={**self._headers, **call.sent_headers},
            timeout=max(step.seconds, 0.001),
        )


class Sender(Sending):
    """Sends and waits."""

    _http: httpx2.Client
    _sleep: Callable[[float], None]

    def ask(self, what: Call[T] | Talk[T]) -> T:
        """The answer to ``what``."""
        if isinstance(what, Call):
            what = self._attempts(what)  # type: ignore[assignment]
        done: T = _run(what, self._do)  # type: ignore[arg-type]
        return done

    def walk(self, listing: Listing[T]) -> Iterator[T]:
        """Every record of ``listing``, a page at a time."""
        following: Call[Page[T]] | None = listing.first
        while following is not None:
            page = self.ask(following)
            yield from page.records
            following = listing.after(page)

    def _do(self, step: Call[Any] | Send | Pause) -> Any:
        if isinstance(step, Pause):
            self._sleep(step.seconds)
            return self._clock()
        return self._send(step) if isinstance(step, Send) else self.ask(step)

    def _send(self, step: Send) -> Answer | Lost:
        until = self._clock() + step.seconds
        try:
            response = self._http.send(self._request(self._http, step), stream=True, follow_redirects=False)
            try:
                pieces = []
                for piece in response.iter_bytes():
                    pieces.append(piece)
                    # The timeout is for each piece; this is for all of them together.
                    if self._clock() > until:
                        return _late(step)
            finally:
                response.close()
        except httpx2.RequestError as error:
            return _lost(error, step)
        return _answer(response, b"".join(pieces))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncSender(Sending):
    """Sends, and lets others work meanwhile; for asyncio."""

    _http: httpx2.AsyncClient
    _sleep: Callable[[float], Awaitable[None]]

    async def ask(self, what: Call[T] | Talk[T]) -> T:
        """The answer to ``what``."""
        if isinstance(what, Call):
            what = self._attempts(what)  # type: ignore[assignment]
        done: T = await _run_async(what, self._do)  # type: ignore[arg-type]
        return done

    async def walk(self, listing: Listing[T]) -> AsyncIterator[T]:
        """Every record of ``listing``, a page at a time."""
        following: Call[Page[T]] | None = listing.first
        while following is not None:
            page = await self.ask(following)
            for record in page.records:
                yield record
            following = listing.after(page)

    async def _do(self, step: Call[Any] | Send | Pause) -> Any:
        if isinstance(step, Pause):
            await self._sleep(step.seconds)
            return self._clock()
        return await (self._send(step) if isinstance(step, Send) else self.ask(step))

    async def _send(self, step: Send) -> Answer | Lost:
        try:
            async with asyncio.timeout(step.seconds):
                response = await self._http.send(self._request(self._http, step), stream=True, follow_redirects=False)
                try:
                    content = await response.aread()
                finally:
                    await response.aclose()
        except TimeoutError:
            return _late(step)
        except httpx2.RequestError as error:
            return _lost(error, step)
        return _answer(response, content)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _run(talk: Generator[Any, Any, T], do: Callable[[Any], Any]) -> T:
    """Do what ``talk`` yields, tell it what came of it, until it returns."""
    got: Any = None
    error: SerendipError | None = None
    while True:
        try:
            step = talk.send(got) if error is None else talk.throw(error)
        except StopIteration as done:
            result: T = done.value
            return result
        got = error = None
        try:
            got = do(step)
        except SerendipError as why:
            error = why


async def _run_async(talk: Generator[Any, Any, T], do: Callable[[Any], Awaitable[Any]]) -> T:
    """The same where doing must be awaited."""
    got: Any = None
    error: SerendipError | None = None
    while True:
        try:
            step = talk.send(got) if error is None else talk.throw(error)
        except StopIteration as done:
            result: T = done.value
            return result
        got = error = None
        try:
            got = await do(step)
        except SerendipError as why:
            error = why


def _answer(response: httpx2.Response, content: bytes) -> Answer:
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, content)


def _lost(error: httpx2.RequestError, step: Send) -> Lost:
    if isinstance(error, httpx2.TimeoutException) and not isinstance(error, NEVER_LEFT):
        return _late(step)
    reason = str(error) or type(error).__name__
    return Lost(reason, left=not isinstance(error, NEVER_LEFT + HOPELESS), hopeless=isinstance(error, HOPELESS))


def _late(step: Send) -> Lost:
    return Lost(f"it did not come within {step.seconds:.3g} s", left=True)
