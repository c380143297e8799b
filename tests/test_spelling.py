from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from negbench import spelling

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,12}", fullmatch=True)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.text('\\"()[],= ', max_size=6)
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=8)
parameters = st.dictionaries(names, values, max_size=4)


def same(left: Any, right: Any) -> bool:
    """Equal in type too: true is not 1, 1 is not 1.0, and 0.0 is not -0.0."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right and repr(left) == repr(right)


@given(names, parameters)
@example("a", {"text": "back\\"})
@example("a", {"text": 'quote"', "more": "back\\\\\\"})
@example("a", {"text": "null", "more": ["1", "1e-4", "true", "inf", "", "1_000", "٣"]})
@example("a", {"text": "simans(a=0.5, depth=100)"})
@example("a", {"big": 10**30, "small": 5e-324, "minus": -0.0, "infinite": math.inf})
def test_what_is_written_parses_back(name: str, given_parameters: dict[str, Any]) -> None:
    found, parsed = spelling.parse(spelling.write(name, given_parameters))
    assert found == name
    assert list(parsed) == list(given_parameters)
    assert same(list(parsed.values()), list(given_parameters.values()))


class Spelled:
    def __init__(self, text: str) -> None:
        self.spelling = text


@given(names, parameters, names, parameters)
def test_a_spelling_nests_in_another(outer: str, more: dict[str, Any], inner: str, within: dict[str, Any]) -> None:
    nested = spelling.write(inner, {"x": 1, **within})
    text = spelling.write(outer, {**more, "part": Spelled(nested), "parts": [Spelled(nested), Spelled(nested)]})
    parsed = spelling.parse(text)[1]
    assert parsed["part"] == nested
    assert parsed["parts"] == [nested, nested]
    assert spelling.parse(parsed["part"]) == spelling.parse(nested)


@given(names, parameters)
def test_the_long_form_says_the_same(name: str, given_parameters: dict[str, Any]) -> None:
    assert spelling.parse({name: given_parameters}) == (name, given_parameters)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("top", ("top", {})),
        ("  top  ", ("top", {})),
        ("top()", ("top", {})),
        ("simans(a=0.5, depth=100)", ("simans", {"a": 0.5, "depth": 100})),
        ("simans( a = 0.5 ,depth=1e2 )", ("simans", {"a": 0.5, "depth": 100.0})),
        ("f(x=true, y=false, z=null)", ("f", {"x": True, "y": False, "z": None})),
        ("f(x=[1, [2, a], []])", ("f", {"x": [1, [2, "a"], []]})),
        ('f(x="a, (b) \\" c")', ("f", {"x": 'a, (b) " c'})),
        ("f(x=g(y=[1, 2], z=h()), w=1)", ("f", {"x": "g(y=[1, 2], z=h())", "w": 1})),
        ("rank-band(filters.rank-band.low=3)", ("rank-band", {"filters.rank-band.low": 3})),
        ({"top": None}, ("top", {})),
        ({"simans": {"a": 1}}, ("simans", {"a": 1})),
    ],
)
def test_forms(text: object, expected: tuple[str, dict[str, Any]]) -> None:
    assert spelling.parse(text) == expected
    assert repr(spelling.parse(text)) == repr(expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a name or name(key=value), found ''"),
        ("two words", "expected a name or name(key=value), found 'two words'"),
        ("simans: {selection: top}", "found 'simans: {selection: top}'; a mapping is written without quotes"),
        ("depth=100)", "expected a name or name(key=value), found 'depth=100)'; a comma inside [...] splits it: quote"),
        ("simans(a=0.5", "'simans(a=0.5' has no closing bracket; inside a YAML list in [...] quote it"),
        ("f(3)", "expected key=value inside f(...), found '3'"),
        ("f(a b=3)", "expected key=value inside f(...), found 'a b=3'"),
        ("f(a=1, a=2)", "a is given twice in 'f(a=1, a=2)'"),
        ("f(a=)", "expected a value, found ''; quote text with spaces or brackets"),
        ("f(a=b c)", "expected a value, found 'b c'; quote text with spaces or brackets"),
        ('f(a="b"c)', '"b"c is not a valid quoted string'),
        ('f(a="\\q")', "is not a valid quoted string"),
        ('f(a="b)', "a bracket or quote is not closed in"),
        ("f(a=[1, 2)", "a bracket or quote is not closed in"),
        ("f(a=1])", "']' without its opening bracket in 'a=1]'"),
        ("f(a=g(1]))", "']' without its opening bracket"),
        (None, "expected a name, name(key=value) or a mapping {name: {key: value}}, found None"),
        (7, "found 7"),
        ({}, "found {}"),
        ({"a": {}, "b": {}}, "found {'a': {}, 'b': {}}"),
        ({"a": 3}, "found {'a': 3}"),
        ({1: {"a": 3}}, "found {1: {'a': 3}}"),
        ({"simans": {1: 2}}, "expected a name for each parameter of simans, found 1; quote it"),
    ],
)
def test_every_error_is_one_line_that_shows_what_was_found(text: object, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        spelling.parse(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40) | st.text('ab1.(=)[], "\\', max_size=20))
def test_any_text_parses_or_gives_one_line(text: str) -> None:
    try:
        name, found = spelling.parse(text)
    except ValueError as error:
        reason = str(error)
    else:
        reason = ""
        assert spelling.parse(spelling.write(name, found)) == (name, found)
    assert "\n" not in reason
