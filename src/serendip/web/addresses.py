"""Ids in addresses: one escaped segment each, which may hold an escaped slash."""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.convertors import Convertor, register_url_convertor


def segment(text: str) -> str:
    """An id as one segment of an address."""
    return quote(text, safe="")


class _IdConvertor(Convertor[str]):
    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return unquote(value, errors="strict")

    def to_string(self, value: str) -> str:
        return segment(value)


# From here on a route may say {item:id}.
register_url_convertor("id", _IdConvertor())
