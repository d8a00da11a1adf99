"""Malformed files, one a line of the table: what is accepted, and which lines are refused for what."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from serendip.domain import SerendipError
from sources.whole import read_whole

HEAD = b"user,item,value,at\n"
GOOD = b"ann,film-1,4,2024-05-01\n"


@dataclass(frozen=True)
class Case:
    name: str
    content: bytes
    accepted: int
    refused: tuple[tuple[int, str | None], ...] = ()
    """(line, field) of every refused row."""
    word: str = ""
    """Stands in what is said of the first refused row."""


CASES = [
    Case("too few fields", HEAD + GOOD + b"bob,film-2\n" + GOOD, 2, ((3, None),), "2 fields where 4"),
    Case("too many fields", HEAD + b"ann,film-1,4,2024-05-01,more\n" + GOOD, 1, ((2, None),), "5 fields"),
    Case("no newline at the end", HEAD + GOOD + b"bob,film-2,3,2024-05-02", 2),
    Case("windows line ends", (HEAD + GOOD + b"bob,film-2\n" + GOOD).replace(b"\n", b"\r\n"), 2, ((3, None),)),
    Case("old mac line ends", (HEAD + GOOD + GOOD).replace(b"\n", b"\r"), 2),
    Case(
        "blank lines between", HEAD + b"\n" + GOOD + b"\n\n" + b",film-1,4,2024-05-01\n", 1, ((6, "user"),), "missing"
    ),
    Case("blank lines before the header", b"\n\n" + HEAD + GOOD + b",film-1,4,2024-05-01\n", 1, ((5, "user"),)),
    Case("a missing user", HEAD + b",film-1,4,2024-05-01\n" + GOOD, 1, ((2, "user"),), "missing"),
    Case("a quoted empty item", HEAD + b'ann,"",4,2024-05-01\n' + GOOD, 1, ((2, "item"),), "missing"),
    Case("a user of 513 bytes", HEAD + b"u" * 513 + b",film-1,4,2024-05-01\n" + GOOD, 1, ((2, "user"),), "512"),
    Case("a NUL in a user", HEAD + b"a\0n,film-1,4,2024-05-01\n" + GOOD, 1, ((2, "user"),), "NUL"),
    Case("a value that is a word", HEAD + b"ann,film-1,good,2024-05-01\n" + GOOD, 1, ((2, "value"),), "number"),
    Case("NaN as a value", HEAD + GOOD + b"ann,film-1,NaN,2024-05-01\n", 1, ((3, "value"),), "finite"),
    Case("infinity as a value", HEAD + GOOD + b"ann,film-1,-inf,2024-05-01\n", 1, ((3, "value"),), "finite"),
    Case("a number beyond floats", HEAD + GOOD + b"ann,film-1,1e999,2024-05-01\n", 1, ((3, "value"),), "finite"),
    Case("a number of many digits", HEAD + GOOD + b"ann,film-1," + b"9" * 5000 + b",2024-05-01\n", 1, ((3, "value"),)),
    Case("an empty value is no value", HEAD + GOOD + b"ann,film-2,,2024-05-01\n", 2),
    Case("a moment that is none", HEAD + GOOD + b"ann,film-1,4,yesterday\n", 1, ((3, "at"),), "moment"),
    Case("the 30th of February", HEAD + GOOD + b"ann,film-1,4,2024-02-30\n", 1, ((3, "at"),), "moment"),
    Case("a missing moment", HEAD + GOOD + b"ann,film-1,4,\n", 1, ((3, "at"),), "missing"),
    Case("a moment in the year 9999", HEAD + GOOD + b"ann,film-1,4,9999-12-31\n", 1, ((3, "at"),), "1900 to 2200"),
    Case("a negative epoch too far back", HEAD + b"a,b,1,1714560000\na,b,1,-99999999999\n", 1, ((3, "at"),)),
    Case("an epoch beyond 64 bits", HEAD + b"a,b,1,1714560000\na,b,1,99999999999999999999\n", 1, ((3, "at"),)),
    Case("an epoch among dates", HEAD + GOOD + b"ann,film-1,4,1714560000\n", 1, ((3, "at"),)),
    Case("newlines within quotes", HEAD + b'ann,"film\n1",4,2024-05-01\n' + b"bob\n" + GOOD, 2, ((4, None),)),
    Case("a quote never closed", HEAD + b'ann,"film-1,4,2024-05-01\n' + GOOD + GOOD, 2, ((2, None),), "never closed"),
    Case(
        "a quote never closed, quotes after",
        HEAD + b'ann,"film-1,4,2024-05-01\nbob,"film-2",3,2024-05-01\n',
        1,
        ((2, None),),
    ),
    Case("text after a closing quote", HEAD + b'ann,"film"-1,4,2024-05-01\n' + GOOD, 1, ((2, None),), "closing quote"),
    Case("a quote in the middle", HEAD + b'ann,12" disc,4,2024-05-01\n' + GOOD, 2),
    Case("doubled quotes", HEAD + b'ann,"the ""best"" film",4,2024-05-01\n' + GOOD, 2),
    Case("a delimiter within quotes", HEAD + b'ann,"film,1",4,2024-05-01\nbob\n' + GOOD, 2, ((3, None),)),
    Case("a lone quote as the last line", HEAD + GOOD + b'"\n', 1, ((3, None),)),
    Case("two bytes that are no UTF-8, in latin-1", HEAD + b"jos\xe9,film-1,4,2024-05-01\n", 1),
    Case("a byte order mark", b"\xef\xbb\xbf" + HEAD + GOOD, 1),
    Case("UTF-16", (HEAD + GOOD).decode().encode("utf-16"), 1),
    Case("a line of two megabytes", HEAD + GOOD + b"x" * (2 << 20) + b"\n" + GOOD, 2, ((3, None),), "longer"),
    Case("a line of ten megabytes", HEAD + GOOD + b"x" * (10 << 20) + b"\n" + GOOD, 2, ((3, None),), "longer"),
    Case(
        "an endless quoted text",
        HEAD + b'ann,"' + (b"x" * 99_999 + b"\n") * 12 + GOOD,
        1,
        tuple((line, None) for line in range(2, 14)),
        "never closed",
    ),
    Case("header only", HEAD, 0),
    Case(
        "JSON that is broken", b'{"user":"a","item":"b"}\n{"user":\n{"user":"c","item":"d"}\n', 2, ((2, None),), "JSON"
    ),
    Case("JSON that is a list", b'{"user":"a","item":"b"}\n[1,2]\n', 1, ((2, None),), "object"),
    Case(
        "JSON with half a surrogate",
        b'{"user":"a","item":"b"}\n{"user":"\\ud800","item":"b"}\n',
        1,
        ((2, "user"),),
        "surrogate",
    ),
    Case("JSON nested deeply", b'{"user":"a","item":"b"}\n{"user":' + b"[" * 100_000 + b"\n", 1, ((2, None),)),
    Case(
        "JSON with NaN", b'{"user":"a","item":"b","value":1}\n{"user":"a","item":"b","value":NaN}\n', 1, ((2, "value"),)
    ),
    Case("JSON with a NUL", b'{"user":"a","item":"b"}\n{"user":"a","item":"b\\u0000"}\n', 1, ((2, "item"),), "NUL"),
    Case("JSON without the item", b'{"user":"a","item":"b"}\n\n{"user":"a"}\n', 1, ((3, "item"),), "missing"),
    Case("JSON with an endless number", b'{"user":"a","item":"b"}\n{"user":' + b"1" * 10_000 + b"}\n", 1, ((2, None),)),
    Case("JSON not UTF-8 late in the file", b'{"user":"a","item":"b"}\n' * 3 + b'{"user":"\xff","item":"b"}\n', 4),
    Case("double colons, too few", b"1::2::3::978300760\n1::2::3\n4::5::5::978300761\n", 2, ((2, None),), "3 fields"),
    Case("double colons with a unit separator", b"1::a\x1fb::3::978300760\n4::5::5::978300761\n", 2),
    Case("a sequence without items", b"1 2 3 4\n2\n3 5\n", 4, ((2, "item"),), "no item"),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_every_line_is_accepted_or_refused_with_its_number(
    case: Case, zipped: bool, write: Callable[..., Path]
) -> None:
    whole = read_whole(write(case.content, zipped=zipped))
    assert whole.frame.height == case.accepted
    assert tuple((error.line, error.field) for error in whole.errors) == case.refused
    if case.word:
        assert case.word in whole.errors[0].what


UNREADABLE = {
    "an empty file": (b"", "empty"),
    "only white space": (b" \n\n", "empty"),
    "a zip archive": (b"PK\x03\x04rest", "unpack"),
    "gzip cut short": (gzip.compress(HEAD + GOOD * 10_000)[:-20], "cut short"),
    "gzip of nothing": (gzip.compress(b""), "empty"),
    "gzip that is damaged": (gzip.compress(HEAD + GOOD * 10_000)[:40] + b"\0" * 50, "damaged"),
    "Parquet cut short": (b"PAR1" + b"\0" * 20, "Parquet"),
    "one JSON list": (b'[{"user": "a"},\n {"user": "b"}]', "jq"),
    "columns of another thing": (b"colour,size\nred,4\n", "--map user="),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_at_all_is_refused_with_the_way_out(name: str, write: Callable[..., Path]) -> None:
    content, word = UNREADABLE[name]
    with pytest.raises(SerendipError, match=word):
        read_whole(write(content))
