"""Filter expressions: what they let pass, and what they say where they cannot be read."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serendip.data import Column, Columns
from serendip.domain import Invalid
from serendip.ranking.filters import mask, parse
from serendip.ranking.grammar import MAX_DEPTH, MAX_LENGTH, MAX_TERMS, And, Compare, Flag, Has, Not, OneOf, Or

SHELF = Columns.of(
    [
        {"id": "a", "genre": "drama", "price": 20, "hidden": False, "tags": ["war", "love"], "out": "2024-01-31"},
        {"id": "b", "genre": "comedy", "price": 5.5, "hidden": True, "tags": [], "out": "2023-06-01"},
        {"id": "c", "genre": "drama", "price": 30, "tags": ["love"], "out": "2024-02-01", "running time": 90},
        {"id": "d", "price": -1, "hidden": False, "tags": ["war"], "stars": 4, "mixed": "12"},
        {"id": "e", "genre": "Drama", "price": None, "hidden": None, "mixed": 12, "nothing": None},
    ]
)


def passing(text: str) -> str:
    """The ids of the items that pass, end to end."""
    return "".join(name for name, let in zip("abcde", mask(parse(text), SHELF), strict=True) if let)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('genre == "drama"', "ac"),
        ("genre == 'drama'", "ac"),
        ('"drama" == genre', "ac"),
        ('genre != "drama"', "be"),
        ('not genre == "drama"', "bde"),
        ("price <= 20", "abd"),
        ("price < 20", "bd"),
        ("price > 5.5", "ac"),
        ("price >= 5.5", "abc"),
        ("20 >= price", "abd"),
        ("-1 == price", "d"),
        ("price != 30", "abd"),
        ("price == 2e1", "a"),
        ("hidden", "b"),
        ("not hidden", "acde"),
        ("hidden == false", "ad"),
        ("hidden != true", "ad"),
        ("true == hidden", "b"),
        ('tags has "war"', "ad"),
        ('"war" in tags', "ad"),
        ('"war" not in tags', "bce"),
        ('not tags has "love"', "bde"),
        ('tags has "unheard of"', ""),
        ('genre in ["drama", "comedy"]', "abc"),
        ('genre not in ["drama", "comedy"]', "de"),
        ("price in [5.5, 30]", "bc"),
        ('out >= "2024-01-01"', "ac"),
        ('out < "2024-02-01"', "ab"),
        ('out <= "2024-02"', "ab"),
        ('out > "2024-01-31"', "c"),
        ('genre == "drama" and price <= 20 and not hidden', "a"),
        ('genre == "comedy" or price == 30', "bc"),
        # and binds closer than or.
        ('genre == "comedy" or genre == "drama" and price == 30', "bc"),
        ('(genre == "comedy" or genre == "drama") and price == 30', "c"),
        ("not (hidden or price > 25)", "ade"),
        ("not not hidden", "b"),
        ("`running time` == 90", "c"),
        ("stars==4", "d"),
        ('  genre\n ==\t"drama"  ', "ac"),
        # Items may disagree about the type of an attribute; each is compared as what it is.
        ('mixed == "12"', "d"),
        ("mixed == 12", "e"),
        # An attribute that no item has a value of is never true.
        ('nothing == "x"', ""),
        ("not nothing", "abcde"),
        ('nothing has "x"', ""),
    ],
)
def test_an_expression_lets_pass(text, ids):
    assert passing(text) == ids


def test_an_expression_is_a_frozen_tree():
    assert parse('genre == "drama" and price <= 20 and not hidden') == And(
        (Compare("genre", "==", "drama"), Compare("price", "<=", 20.0), Not(Flag("hidden")))
    )
    assert parse('a in [1, "x"] or "t" in tags') == Or((OneOf("a", (1.0, "x")), Has("tags", "t")))
    assert hash(parse('a in [1, "x"] or "t" in tags'))


def test_text_may_hold_quotes_after_a_backslash():
    assert parse(r'title == "say \"no\" \\ yes"') == Compare("title", "==", 'say "no" \\ yes')
    assert parse("title == 'it\\'s'") == Compare("title", "==", "it's")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the filter is empty"),
        ("   ", "the filter is empty"),
        ("genre = 'drama'", "character 7, '=': compare with =="),
        ('genre == "drama', "character 10, '\"': the text that begins there has no closing \""),
        ("genre == drama", "'drama' at character 10 is another attribute.*text stands in quotes: genre == \"drama\""),
        ("price <", "the end where text in quotes, a number, true, false or now was expected"),
        ("price < < 3", "'<' at character 9"),
        ("(price < 3", "the end where '\\)' was expected"),
        ("price < 3)", "'\\)' at character 10 where the filter to end"),
        ("price < 3 hidden", "'hidden' at character 11 where the filter to end"),
        ("and price < 3", "'and' at character 1 where an attribute was expected"),
        ("price < 3 and", "the end where an attribute was expected"),
        ("genre in 'drama'", "where '\\[' was expected"),
        ("genre in []", "'\\]' at character 11"),
        ("genre in ['a' 'b']", "where '\\]' was expected"),
        ("tags has 3", "'3' at character 10 where text in quotes was expected"),
        ("3 in tags", "'3' at character 1 where text in quotes"),
        ("'x'", "a comparison of 'x' with an attribute"),
        ("3 < 4", "'4' at character 5 where an attribute was expected"),
        ("price & 3", "character 7, '&': write and"),
        ("price | 3", "write or"),
        ("! hidden", "write not"),
        ("price == 1e999", "too large"),
        ("price == 12abc", "cannot be read at character 10"),
        ("`open", "no closing `"),
        ("price == 3; drop", "cannot be read at character 11"),
        ("__import__('os')", "where the filter to end"),
        ("a.b == 3", "cannot be read at character 2"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text, message):
    with pytest.raises(Invalid, match=message) as caught:
        parse(text)
    assert caught.value.field == "filter"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "colour == 'red'",
            "no item has an attribute 'colour' .character 1 of the filter.; the attributes are genre",
        ),
        ("price == 'cheap'", "'price' \\(character 1 of the filter\\) is a number, not text"),
        ("genre == 3", "'genre' .* is text, not a number"),
        ("genre == true", "is text, not true or false"),
        ("price", "'price' .* is a number, not true or false"),
        ("tags == 'war'", 'is a list of texts, not text; write tags has "x"'),
        ("genre has 'dra'", "'genre' .* is text, not a list"),
        ("'dra' in genre", "is text, not a list"),
        ("hidden < true", "have no order"),
        ("price in [1, 'x']", "is a number, not text"),
        ("mixed == true", "is a number or text, not true or false"),
    ],
)
def test_what_does_not_fit_the_attributes_is_refused_with_what_there_is(text, message):
    with pytest.raises(Invalid, match=message):
        mask(parse(text), SHELF)


def test_expressions_have_bounds():
    with pytest.raises(Invalid, match=f"at most {MAX_LENGTH}"):
        parse("a" * (MAX_LENGTH + 1))
    with pytest.raises(Invalid, match=f"more than {MAX_TERMS} values"):
        parse(" or ".join(["a"] * (MAX_TERMS + 1)))
    with pytest.raises(Invalid, match=f"more than {MAX_TERMS} values"):
        parse(f"a in [{','.join('1' * (MAX_TERMS + 1))}]")
    for deep in ("(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1), "not " * (MAX_DEPTH + 1) + "a"):
        with pytest.raises(Invalid, match=f"nested deeper than {MAX_DEPTH}"):
            parse(deep)
    assert parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH) == Flag("a")


def test_a_catalogue_without_items_refuses_nothing():
    assert mask(parse("whatever == 3"), Columns.of([])).shape == (0,)


def test_names_may_exist_though_no_item_here_has_them():
    columns = Columns.of([{"genre": "drama"}], names=["price"])
    assert mask(parse("not price > 3"), columns).tolist() == [True]


def test_values_of_no_known_type_are_missing():
    column = Column.of([{"nested": 1}, 10**400, float("nan"), float("inf"), None, 3])
    assert column.what == "a number"
    assert np.isnan(column.numbers).tolist() == [True] * 5 + [False]


@given(st.text(max_size=60))
def test_no_text_does_worse_than_being_refused(text):
    with contextlib.suppress(Invalid):
        assert mask(parse(text), SHELF).shape == (5,)


NAMES = st.sampled_from(["genre", "price", "tags", "hidden"])
TERMS = st.one_of(
    st.builds(Compare, st.just("genre"), st.sampled_from(["==", "!=", "<", ">="]), st.sampled_from(["drama", "x", ""])),
    st.builds(Compare, st.just("price"), st.sampled_from(["==", "!=", "<", ">"]), st.sampled_from([-1.0, 5.5, 20.0])),
    st.builds(OneOf, st.just("price"), st.lists(st.sampled_from([1.0, 20.0]), min_size=1, max_size=3).map(tuple)),
    st.builds(Has, st.just("tags"), st.sampled_from(["war", "it's", 'a "b" \\'])),
    st.just(Flag("hidden")),
)
TREES = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


def written(tree) -> str:
    """The expression of a tree, with brackets around every part."""
    match tree:
        case And(parts):
            return " and ".join(f"({written(part)})" for part in parts)
        case Or(parts):
            return " or ".join(f"({written(part)})" for part in parts)
        case Not(part):
            return f"not ({written(part)})"
        case Compare(name, operator, value):
            return f"{name} {operator} {literal(value)}"
        case OneOf(name, values):
            return f"{name} in [{', '.join(map(literal, values))}]"
        case Has(name, value):
            return f"{name} has {literal(value)}"
        case _:
            return tree.name


def literal(value) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(value, str) else repr(value)


@given(TREES)
def test_what_is_written_out_is_read_back(tree):
    assert parse(written(tree)) == tree


@given(TREES)
def test_not_lets_pass_exactly_what_did_not(tree):
    assert (mask(Not(tree), SHELF) == ~mask(tree, SHELF)).all()
