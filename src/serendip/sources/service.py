"""Customers from a REST service: ``GET /users`` lists ids, ``GET /users/{id}`` tells what is known of one."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from serendip import __version__
from serendip.domain import Invalid, NotReady, checked_id

if TYPE_CHECKING:
    import httpx2

LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""

MOST_BYTES = 256_000_000
"""The longest answer that is read: a list of ids may be long."""

MOST_PAUSE = 300.0
"""Seconds; a service that asks for more is left alone and the pull ends, to be gone on with later."""

IN_A_ROW = 25
"""So many customers in a row without an answer: the service is away."""

UNASKED = "not asked, for those before got no answer"

LONGEST_TIMEOUT = 3600.0
"""Seconds."""

BIGGEST = 10.0**15
"""Numbers beyond this are no counts of days, purchases or money."""


@dataclass(frozen=True)
class Politeness:
    """How a service is asked."""

    n_at_once: int = 8
    """Requests on their way at the same time."""
    n_attempts: int = 6
    """Of one request; the first one counts."""
    first_seconds: float = 0.25
    """The first pause is somewhere from half of this to this; each further one is twice as long,"""
    longest_seconds: float = 20.0
    """up to this, but for one that the service asks for."""
    timeout_seconds: float = 15.0
    """Without a word for so long, a request is given up."""


@dataclass(frozen=True)
class Failed:
    """A customer of whom nothing was learnt."""

    id: str
    what: str
    again: bool = False
    """Asking later may help."""


@dataclass
class Service:
    """One service, asked by several threads that wait together where it asks them to."""

    url: str
    token: str | None = None
    manners: Politeness = field(default_factory=Politeness)
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __post_init__(self) -> None:
        check_address(self.url)
        if self.token and not (self.token.isascii() and self.token.isprintable()):
            raise Invalid("the token holds letters that a header cannot carry; check its file", field="token-file")
        if not 0 < self.manners.timeout_seconds <= LONGEST_TIMEOUT:
            raise Invalid(
                f"a timeout of {self.manners.timeout_seconds:g} seconds is none; it goes up to {LONGEST_TIMEOUT:.0f}",
                field="timeout",
            )
        self.url = self.url.rstrip("/")
        self._not_before = 0.0
        self._lock = threading.Lock()
        self._http: httpx2.Client | None = None

    @property
    def http(self) -> httpx2.Client:
        """The connections, opened at the first request."""
        import httpx2

        with self._lock:
            if self._http is None:
                headers = {"Accept": "application/json", "User-Agent": f"serendip/{__version__}"}
                if self.token:
                    headers["Authorization"] = f"Bearer {self.token}"
                limits = httpx2.Limits(max_connections=self.manners.n_at_once)
                self._http = httpx2.Client(headers=headers, timeout=self.manners.timeout_seconds, limits=limits)
            return self._http

    def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            self._http.close()

    def ids(self) -> list[str]:
        """All customers, each once, in the order of their texts: a pull that was cut short goes on behind one of them.

        Ids that cannot be kept are an Invalid: then the list is not one of ids.
        """
        told = self._asked("/users")
        if isinstance(told, Gone):
            raise NotReady(f"{self.url}/users cannot be read: {told.what}; see whether the address is right")
        if not isinstance(told, list):
            raise Invalid(f"{self.url}/users is no list of ids but {type(told).__name__}", field="users")
        return sorted({_id(one) for one in told})

    def users(self, ids: Iterable[str]) -> list[dict[str, Any] | Failed]:
        """What is known of each, in their order: ``{"id": .., "attributes": {..}}``, or why nothing is.

        Where ``IN_A_ROW`` get no answer, those behind them are not asked any more.
        """
        silent = 0

        def asked(id_: str) -> dict[str, Any] | Failed:
            nonlocal silent
            if silent >= IN_A_ROW:
                return Failed(id_, UNASKED, again=True)
            told = self._user(id_)
            with self._lock:
                silent = silent + 1 if isinstance(told, Failed) and told.again else 0
            return told

        with ThreadPoolExecutor(self.manners.n_at_once) as threads:
            return list(threads.map(asked, ids))

    def _user(self, id_: str) -> dict[str, Any] | Failed:
        told = self._asked(f"/users/{quote(id_, safe='')}")
        if isinstance(told, Gone):
            return Failed(id_, told.what, told.again)
        try:
            return {"id": id_, "attributes": attributes_of(id_, told)}
        except Invalid as error:
            return Failed(id_, str(error))

    def _asked(self, path: str) -> Any:
        """The answer's JSON, or Gone, after as many attempts as manners allow."""
        gone = Gone("not asked")
        for attempt in range(1, self.manners.n_attempts + 1):
            self._wait()
            pause, content = self._attempt(path)
            if content is not None and not isinstance(content, Gone):
                try:
                    return json.loads(content)
                except ValueError:
                    content = Gone("the answer is not JSON", again=True)
                except RecursionError:
                    content = Gone("the answer is JSON without a bottom")
            assert isinstance(content, Gone)
            gone = content
            if not gone.again:
                break
            if attempt < self.manners.n_attempts:
                if pause is not None:
                    self._hold(pause)
                else:
                    reach = self.manners.first_seconds * 2 ** min(attempt - 1, 20)
                    self.sleep(min(self.manners.longest_seconds, reach) * (0.5 + self.chance() / 2))
        return gone

    def _attempt(self, path: str) -> tuple[float | None, bytes | Gone]:
        """How long the service wants to be left alone, and the answer or why there is none."""
        import httpx2

        try:
            with self.http.stream("GET", self.url + path, follow_redirects=False) as answer:
                if answer.status_code != 200:
                    why = Gone(f"status {answer.status_code}", again=answer.status_code in LATER)
                    return retry_after(answer.headers.get("retry-after"), self.clock()), why
                pieces, size = [], 0
                for piece in answer.iter_bytes():
                    pieces.append(piece)
                    size += len(piece)
                    if size > MOST_BYTES:
                        return None, Gone("the answer does not end")
                return None, b"".join(pieces)
        except httpx2.HTTPError as error:
            return None, Gone(f"no answer ({type(error).__name__})", again=True)

    def _wait(self) -> None:
        """Let the time pass for which the service asked to be left alone."""
        while (left := self._not_before - time.monotonic()) > 0:
            self.sleep(left)

    def _hold(self, seconds: float) -> None:
        """Nobody asks for so long."""
        if seconds > MOST_PAUSE:
            raise NotReady(
                f"{self.url} asks to be left alone for {seconds:.0f} seconds; run the same command again after that, "
                "it goes on where it stopped"
            )
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + seconds)


@dataclass(frozen=True)
class Gone:
    """No answer that is of use."""

    what: str
    again: bool = False
    """Asking again may help."""


def check_address(url: str) -> None:
    """Refuse what is no address of a service, and one that tells a password."""
    import httpx2

    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
        httpx2.URL(url)
    except (ValueError, httpx2.InvalidURL):
        right = False
    if not right:
        raise Invalid(f"{url!r} is no address of a service; write for example http://127.0.0.1:9000", field="url")
    if parts.username or parts.password:
        raise Invalid("a password in an address ends up in logs; give a token with --token-file", field="url")


def _id(told: Any) -> str:
    if isinstance(told, bool) or not isinstance(told, str | int):
        raise Invalid(f"{str(told)[:80]!r} among the ids is no id; GET /users gives texts or whole numbers", "users")
    return checked_id(str(told), "user")


def attributes_of(id_: str, told: Any) -> dict[str, Any]:
    """``{"user_id": .., "values": {"country": [25], "R": [26], ..}}`` as attributes: a country, and three numbers.

    The lists are as long as one another; of several places that of most purchases (F) counts, the first of equal ones.
    """
    if not isinstance(told, dict) or not isinstance(told.get("values"), dict):
        raise Invalid("the answer has no object values", field="values")
    if str(told.get("user_id", id_)) != id_:
        raise Invalid(f"the answer is of user {str(told['user_id'])[:80]!r}", field="user_id")
    values: Mapping[str, Any] = told["values"]
    lists = {name: one if isinstance(one, list) else [one] for name, one in values.items()}
    lengths = {len(one) for one in lists.values()}
    if not lists or len(lengths) != 1 or lengths == {0}:
        raise Invalid("the lists in values are empty or of several lengths", field="values")
    for name in ("R", "F", "M"):
        for one in lists.get(name, []):
            if one is not None and (
                isinstance(one, bool) or not isinstance(one, int | float) or not abs(one) < BIGGEST
            ):
                raise Invalid(f"{name} holds {str(one)[:80]!r}, which is no number", field=name)
    often = [-1.0 if one is None else float(one) for one in lists.get("F", [None] * next(iter(lengths)))]
    place = often.index(max(often))
    found = {name: one[place] for name, one in lists.items() if one[place] is not None}
    for name, one in found.items():
        _check_kept(name, one)
    return found


def _check_kept(name: str, value: Any) -> None:
    """Refuse what no attribute can be: lists, numbers without an end, texts that are no Unicode."""
    if isinstance(value, list | dict):
        raise Invalid("values holds lists within lists", field="values")
    if isinstance(value, int | float) and not abs(value) < BIGGEST:
        raise Invalid(f"{name!r} holds {str(value)[:80]}, which is no number to be kept", field="values")
    for text in (name, value):
        if isinstance(text, str) and ("\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text)):
            raise Invalid(f"{text[:80]!r} in values holds a NUL or half a surrogate pair", field="values")


def retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, a number or a date; None where it says nothing that can be read."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())
