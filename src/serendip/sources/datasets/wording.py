"""Texts and prices as shops and sites write them, as plain words and numbers."""

from __future__ import annotations

import re
from html.parser import HTMLParser

BREAKS = ("p", "br", "li", "pre", "blockquote", "h1", "h2", "h3", "tr", "td", "div", "hr")
"""Tags that part words."""

SILENT = ("script", "style")
"""Tags whose content is no text."""

AMOUNT = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
PRICE = re.compile(rf"\s*[$€£]?\s*({AMOUNT.pattern})(?:\s*(?:-|–|to)\s*[$€£]?\s*({AMOUNT.pattern}))?\s*")


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.silent = 0

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.words.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.silent += tag in SILENT
        if tag in BREAKS:
            self.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self.silent = max(0, self.silent - (tag in SILENT))


def plain_text(html: str) -> str:
    """The words of a piece of HTML, with single spaces."""
    words = _Words()
    words.feed(html)
    words.close()
    return " ".join("".join(words.words).split())


def mid_price(text: str | None) -> str | None:
    """``$1,234.56`` as 1234.56 and ``$10.00 - $20.00`` as 15.0, its middle; None where there is no price."""
    found = PRICE.fullmatch(text or "")
    if found is None:
        return None
    amounts = [float(amount.replace(",", "")) for amount in found.groups() if amount]
    return repr(round(sum(amounts) / len(amounts), 4))
