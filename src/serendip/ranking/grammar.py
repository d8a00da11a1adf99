"""Filter expressions over attributes of items: ``genre == "drama" and price <= 20 and not hidden``.

    expression  = all-of { "or" all-of }
    all-of      = negated { "and" negated }
    negated     = "not" negated | "(" expression ")" | term
    term        = attribute [ ("==" | "!=" | "<" | "<=" | ">" | ">=") value | ["not"] "in" list | "has" value ]
                | value ("==" | "!=" | "<" | "<=" | ">" | ">=") attribute
                | value ["not"] "in" attribute
    list        = "[" value { "," value } "]"
    value       = "text" | 'text' | number | true | false | moment
    moment      = now [ ("+" | "-") number ("minutes" | "hours" | "days" | "weeks") ]

An attribute's name is a word, or anything between backticks. Text is compared with text in the order of its code
points, numbers with numbers. Where both texts are whole ISO dates, such as "2026-03-01" (midnight, UTC) or
"2026-03-01T20:30+01:00", they are compared as moments; so is everything with ``now``, the moment of asking. Whatever is
said about an attribute that an item lacks is false. Nothing is ever evaluated as code.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from serendip.domain import Invalid

MAX_LENGTH = 4000
"""Characters of an expression."""
MAX_DEPTH = 32
"""Brackets and nots inside each other."""
MAX_TERMS = 500
"""Values in an expression, those of lists included."""

UNITS = {"minute": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000, "week": 604_800_000_000}
"""Microseconds."""

MOST_DAYS = 36_525
"""How far from now a moment may be."""


@dataclass(frozen=True)
class Now:
    """The moment of asking, or one before or after it."""

    plus: int = 0
    """Microseconds."""


Value = str | float | bool | Now
Operator = Literal["==", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True)
class Compare:
    """An attribute against one value."""

    name: str
    operator: Operator
    value: Value
    place: int = field(default=0, compare=False)
    """Where the attribute stands in the text, from 1; for messages."""


@dataclass(frozen=True)
class OneOf:
    """An attribute that equals any of some values."""

    name: str
    values: tuple[Value, ...]
    place: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Has:
    """An attribute that is a list and holds a text."""

    name: str
    value: str
    place: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Flag:
    """An attribute that is true."""

    name: str
    place: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Not:
    """The opposite."""

    part: Filter


@dataclass(frozen=True)
class And:
    """All of the parts."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True)
class Or:
    """Any of the parts."""

    parts: tuple[Filter, ...]


Filter = Compare | OneOf | Has | Flag | Not | And | Or

TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<quoted>`[^`]+`)
    |(?P<word>[^\W\d][\w-]*)
    |(?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,|\+|-))""",
    re.VERBOSE | re.DOTALL,
)
WORDS = ("and", "or", "not", "in", "has")
SWAPPED: Mapping[str, Operator] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""Every comparison, and what it is when its sides change places."""


TokenKind = Literal["value", "name", "sign", "end"]


@dataclass(frozen=True)
class _Token:
    kind: TokenKind
    text: str
    place: int
    value: Value = ""

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else f"{self.text!r} at character {self.place}"


def parse(text: str) -> Filter:
    """The filter that ``text`` says; Invalid, with the place, where it says none."""
    if len(text) > MAX_LENGTH:
        raise Invalid(f"the filter has {len(text)} characters; at most {MAX_LENGTH} are read", field="filter")
    parser = _Parser(_tokens(text))
    if len(parser.tokens) == 1:
        raise Invalid('the filter is empty; write for example genre == "drama"', field="filter")
    found = parser.expression(0)
    if parser.token.kind != "end":
        raise _unexpected(parser.token, 'the filter to end, or "and" or "or"')
    return found


def _tokens(text: str) -> list[_Token]:
    tokens, position = [], 0
    end = len(text.rstrip())
    while position < end:
        found = TOKEN.match(text, position)
        if found is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise _unreadable(text, start)
        kind, raw = str(found.lastgroup), found[str(found.lastgroup)]
        tokens.append(_token(kind, raw, found.start(kind) + 1))
        position = found.end()
    return [*tokens, _Token("end", "", len(text) + 1)]


def _token(kind: str, raw: str, place: int) -> _Token:
    if kind == "number":
        number = float(raw)
        if not math.isfinite(number):
            raise Invalid(f"the number at character {place} of the filter is too large", field="filter")
        return _Token("value", raw, place, number)
    if kind == "text":
        return _Token("value", raw, place, re.sub(r"\\(.)", r"\1", raw[1:-1], flags=re.DOTALL))
    if kind == "quoted":
        return _Token("name", raw[1:-1], place)
    if raw in ("true", "false"):
        return _Token("value", raw, place, raw == "true")
    if raw == "now":
        return _Token("value", raw, place, Now())
    return _Token("sign" if kind == "sign" or raw in WORDS else "name", raw, place)


def _unreadable(text: str, start: int) -> Invalid:
    sign = text[start]
    hint = {
        "=": "compare with ==",
        '"': 'the text that begins there has no closing "',
        "'": "the text that begins there has no closing '",
        "`": "the name that begins there has no closing `",
        "&": "write and",
        "|": "write or",
        "!": "write not, or != between two sides",
    }.get(sign, "it belongs to no word, number, text or comparison")
    return Invalid(f"the filter cannot be read at character {start + 1}, {sign!r}: {hint}", field="filter")


def _unexpected(token: _Token, wanted: str) -> Invalid:
    return Invalid(f"the filter has {token} where {wanted} was expected", field="filter")


class _Parser:
    """Recursive descent over the tokens; each method reads one rule of the grammar."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.next = 0
        self.n_values = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.next]

    def accept(self, *signs: str) -> _Token | None:
        """The token, if it is one of ``signs``, taken."""
        token = self.token
        if token.kind == "sign" and token.text in signs:
            self.next += 1
            return token
        return None

    def expect(self, sign: str) -> None:
        if self.accept(sign) is None:
            raise _unexpected(self.token, repr(sign))

    def expression(self, depth: int) -> Filter:
        parts = [self.all_of(depth)]
        while self.accept("or"):
            parts.append(self.all_of(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def all_of(self, depth: int) -> Filter:
        parts = [self.negated(depth)]
        while self.accept("and"):
            parts.append(self.negated(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def negated(self, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise Invalid(f"the filter is nested deeper than {MAX_DEPTH}, at {self.token}", field="filter")
        if self.accept("not"):
            return Not(self.negated(depth + 1))
        if self.accept("("):
            inner = self.expression(depth + 1)
            self.expect(")")
            return inner
        return self.term()

    def term(self) -> Filter:
        if self.token.kind == "value":
            return self.value_first()
        attribute = self.attribute()
        name, place = attribute.text, attribute.place
        if sign := self.accept(*SWAPPED):
            if self.token.kind == "name":
                raise Invalid(
                    f"{self.token} is another attribute; {name!r} can be compared with a value only, and text stands "
                    f'in quotes: {name} {sign.text} "{self.token.text}"',
                    field="filter",
                )
            return Compare(name, SWAPPED[SWAPPED[sign.text]], self.value(), place)
        if self.accept("has"):
            return Has(name, self.text(), place)
        if self.accept("in"):
            return OneOf(name, self.values(), place)
        if self.accept("not"):
            self.expect("in")
            return Not(OneOf(name, self.values(), place))
        self.count()
        return Flag(name, place)

    def value_first(self) -> Filter:
        """``20 >= price``, ``"x" in tags``, ``"x" not in tags``."""
        token = self.token
        value = self.value()
        if sign := self.accept(*SWAPPED):
            attribute = self.attribute()
            return Compare(attribute.text, SWAPPED[sign.text], value, attribute.place)
        negated = self.accept("not")
        if self.accept("in") is None:
            raise _unexpected(self.token, f'a comparison of {token.text} with an attribute, or "in"')
        attribute = self.attribute()
        if not isinstance(value, str):
            raise _unexpected(token, 'text in quotes, as in "x" in tags,')
        has = Has(attribute.text, value, attribute.place)
        return Not(has) if negated else has

    def attribute(self) -> _Token:
        token = self.token
        if token.kind != "name":
            raise _unexpected(token, "an attribute")
        self.next += 1
        return token

    def value(self) -> Value:
        token = self.token
        if token.kind != "value":
            raise _unexpected(token, "text in quotes, a number, true, false or now")
        self.next += 1
        self.count()
        return self.moment() if isinstance(token.value, Now) else token.value

    def moment(self) -> Now:
        """What may follow ``now``: ``- 7 days``."""
        sign, token = self.accept("+", "-"), self.token
        # In "now -7 days" the sign belongs to the number.
        bare = sign is None and token.kind == "value" and token.text.startswith("-")
        if sign is None and not bare:
            return Now()
        self.next += token.kind != "end"
        size, unit = token.value, self.token
        if token.kind != "value" or isinstance(size, str | bool | Now) or (sign is not None and size < 0):
            raise _unexpected(token, "a number of days, as in now - 7 days,")
        length = UNITS.get(unit.text.removesuffix("s")) if unit.kind == "name" else None
        if length is None:
            raise _unexpected(unit, "minutes, hours, days or weeks")
        self.next += 1
        if abs(size) * length > MOST_DAYS * UNITS["day"]:
            raise Invalid(f"{token} is too far from now; at most {MOST_DAYS:,} days are", field="filter")
        return Now(round((-size if sign is not None and sign.text == "-" else size) * length))

    def text(self) -> str:
        token = self.token
        value = self.value()
        if not isinstance(value, str):
            raise _unexpected(token, "text in quotes")
        return value

    def values(self) -> tuple[Value, ...]:
        self.expect("[")
        found = [self.value()]
        while self.accept(","):
            found.append(self.value())
        self.expect("]")
        return tuple(found)

    def count(self) -> None:
        self.n_values += 1
        if self.n_values > MAX_TERMS:
            raise Invalid(f"the filter has more than {MAX_TERMS} values; ask for fewer", field="filter")
