"""A described call as a method: on a waiting client it gives the answer, on an asynchronous one something to await."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from serendip.client.call import Call, Listing, Talk

if TYPE_CHECKING:
    from serendip.client.sending import AsyncSender, Sender

P = ParamSpec("P")
T = TypeVar("T")


class Asked(Generic[P, T]):
    """A question with one answer."""

    def __init__(self, describe: Callable[P, Call[T]] | Callable[P, Talk[T]]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, sender: None, owner: type) -> Callable[P, Call[T] | Talk[T]]: ...
    @overload
    def __get__(self, sender: Sender, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, sender: AsyncSender, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, sender: Sender | AsyncSender | None, owner: type) -> Callable[P, Any]:
        if sender is None:
            return self.describe

        @functools.wraps(self.describe)
        def ask(*args: P.args, **kwargs: P.kwargs) -> Any:
            return sender.ask(self.describe(*args, **kwargs))

        return ask


class Listed(Generic[P, T]):
    """A question answered by a list, whose pages are fetched as they are needed."""

    def __init__(self, describe: Callable[P, Listing[T]]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, sender: None, owner: type) -> Callable[P, Listing[T]]: ...
    @overload
    def __get__(self, sender: Sender, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, sender: AsyncSender, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, sender: Sender | AsyncSender | None, owner: type) -> Callable[P, Any]:
        if sender is None:
            return self.describe

        @functools.wraps(self.describe)
        def walk(*args: P.args, **kwargs: P.kwargs) -> Any:
            return sender.walk(self.describe(*args, **kwargs))

        return walk
