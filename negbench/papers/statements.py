"""Statements of ``expect.yaml``: what must hold, as text that is parsed, never evaluated as code.

    nDCG@10(minilm-scifact) = 0.6451 ± 0.0005                a value with its tolerance
    denoised > undenoised on nDCG@10                         a direction, paired over queries and seeds
    overlap@100(ance) > overlap@100(bm25) > overlap@100(random)
    bm25 > random by at least 0.08 on nDCG@10                a direction with a least size
    1 - rate(denoised) / rate(naive) > 70 %                  sums, differences, products and ratios of values
    rate(bm25) between 8 % and 15 %                          a value between two bounds
    rank-band = rank-band-exact within 0.01 on nDCG@10       equality within a margin
    order simans > bm25 > random on nDCG@10 with tau at least 0.5
    order of simans, bm25, random on RR@10 as on nDCG@10 with tau below 1

A value is ``MEASURE(ROW)``, or a bare ``ROW`` where the statement ends in ``on MEASURE``. ``-`` and ``/`` between
values have spaces around them, since names hold both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise, starmap
from typing import Literal

Kind = Literal["value", "direction", "between", "equality", "order"]

NAME = re.compile(r"[A-Za-z][\w@.-]*(?:/[\w@.-]+)*")
_NUMBER = r"(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)(?P<percent> ?%)?"
_TOKEN = re.compile(rf"\s*(?:{_NUMBER}|(?P<name>{NAME.pattern})|(?P<sign>±|\+-|[<>=+\-*/(),]))")
WORDS = ("between", "and", "within", "on", "by", "at", "least", "order", "of", "as", "with", "tau", "below")
"""Words of the grammar, which no row can be called."""


@dataclass(frozen=True)
class Value:
    """A measure of a row: ``nDCG@10`` of ``bm25``."""

    measure: str
    row: str

    def __str__(self) -> str:
        return f"{self.measure}({self.row})"


@dataclass(frozen=True)
class Operation:
    """Two expressions joined by ``+``, ``-``, ``*`` or ``/``."""

    sign: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        return f"{_bracketed(self.left)} {self.sign} {_bracketed(self.right)}"


Expression = float | Value | Operation


@dataclass(frozen=True)
class Comparison:
    """``left - right`` lies above ``least``."""

    left: Expression
    right: Expression
    least: float = 0.0

    @property
    def difference(self) -> Expression:
        """``left - right``, or the one that is no number where the other is 0."""
        return self.left if self.right == 0.0 else Operation("-", self.left, self.right)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A parsed statement.

    ``comparisons`` must all hold in a direction, an equality and a share between bounds; in an ``order`` they are those
    of all pairs of rows, as claimed, and Kendall's tau must be at least ``tau``, or under it if ``below``. ``against``
    has the same pairs by another measure where its order is what is claimed. ``expected`` and ``tolerance`` are those
    of a value, whose expression is ``value``.
    """

    text: str
    kind: Kind
    comparisons: tuple[Comparison, ...] = ()
    against: tuple[Comparison, ...] = ()
    value: Expression = 0.0
    expected: float = 0.0
    tolerance: float = 0.0
    tau: float = 0.0
    below: bool = False

    @property
    def values(self) -> tuple[Value, ...]:
        """The values that it names, each once, in order."""
        return tuple(dict.fromkeys(it for together in self.paired for it in together))

    @property
    def paired(self) -> tuple[tuple[Value, ...], ...]:
        """The values that are compared with one another; those of an order by another measure are not."""
        one, other = (
            [side for it in comparisons for side in (it.left, it.right)]
            for comparisons in (self.comparisons, self.against)
        )
        groups = (dict.fromkeys(it for side in sides for it in _values(side)) for sides in ([self.value, *one], other))
        return tuple(tuple(group) for group in groups if group)


def parse(text: str) -> Statement:
    """Parse a statement. Raises ValueError with a one-line reason."""
    text = " ".join(text.split())
    rest, tau = _ending(text, r" with tau ((?:at least|below) \S+)$")
    rest, measure = _ending(rest, r" on (\S.*)$")
    reader = _Reader(rest, measure)
    if reader.word("order"):
        return _order(text, _order_by_another_measure(reader) if reader.word("of") else (_ordered(reader), ()), tau)
    if tau is not None:
        raise ValueError(
            f"expected a tau only for an order, as in 'order a > b on nDCG@10 with tau at least 0.5': {text!r}"
        )
    first = reader.expression()
    if reader.word("between"):
        low = reader.number()
        reader.needs("and")
        high = reader.number()
        if low >= high:
            raise ValueError(f"expected the lower bound first, found {low:g} and {high:g} in {text!r}")
        made = Statement(
            text=text, kind="between", comparisons=(Comparison(first, low), Comparison(high, first)), value=first
        )
    elif reader.word("="):
        made = _equal(text, reader, first)
    else:
        made = _direction(text, reader, first)
    reader.end()
    if not made.values:
        raise ValueError(f"expected a value of a row, such as nDCG@10(bm25), found none in {text!r}")
    return made


def _equal(text: str, reader: _Reader, first: Expression) -> Statement:
    second = reader.expression()
    if reader.word("within"):
        margin = reader.number()
        both = (Comparison(first, second, -margin), Comparison(second, first, -margin))
        return Statement(text=text, kind="equality", comparisons=both)
    if not isinstance(second, float):
        raise ValueError(f"two values are equal within a margin: add 'within 0.01' to {text!r}")
    if not (reader.word("±") or reader.word("+-")):
        raise ValueError(f"a value has a tolerance: add '± 0.001' to {text!r}")
    return Statement(text=text, kind="value", value=first, expected=second, tolerance=reader.number())


def _direction(text: str, reader: _Reader, first: Expression) -> Statement:
    sides = [first]
    sign = reader.sign("<", ">")
    if sign is None:
        raise ValueError(f"expected <, >, =, or 'between' after the first value of {text!r}")
    sides.append(reader.expression())
    while reader.word(sign):
        sides.append(reader.expression())
    if reader.sign("<", ">"):
        raise ValueError(f"{text!r} goes up and down; write two statements")
    least = 0.0
    if reader.word("by"):
        reader.needs("at")
        reader.needs("least")
        least = reader.number()
    ordered = sides if sign == ">" else sides[::-1]
    return Statement(text=text, kind="direction", comparisons=tuple(Comparison(*it, least) for it in pairwise(ordered)))


def _ordered(reader: _Reader) -> tuple[Expression, ...]:
    """Read ``a > b > c``; return them with the first place first."""
    sides = [reader.expression()]
    sign = reader.sign("<", ">")
    while sign is not None:
        sides.append(reader.expression())
        if not reader.word(sign):
            break
    reader.end()
    return tuple(sides if sign == ">" else sides[::-1])


def _order_by_another_measure(reader: _Reader) -> tuple[tuple[Expression, ...], tuple[Expression, ...]]:
    """Read ``a, b, c``; return them by the measure of ``on``, and by that of ``as on``."""
    rows = [reader.row()]
    while reader.word(","):
        rows.append(reader.row())
    measures = (reader.measure or "").split(" as on ")
    reader.used = True
    reader.end()
    if len(measures) != 2:
        raise ValueError(
            f"an order of rows is compared by two measures: add 'on RR@10 as on nDCG@10' to {reader.text!r}"
        )
    one, other = (tuple(Value(measure, row) for row in rows) for measure in measures)
    return one, other


def _order(text: str, sides: tuple[tuple[Expression, ...], tuple[Expression, ...]], tau: str | None) -> Statement:
    comparisons, against = (tuple(starmap(Comparison, combinations(it, 2))) for it in sides)
    if len(sides[0]) < 3:
        raise ValueError(f"expected three rows or more in an order, as in 'order a > b > c': {text!r}")
    how, _, bound = (tau or "").rpartition(" ")
    try:
        least = float(bound)
    except ValueError:
        raise ValueError(
            f"an order says how well it must agree: add 'with tau at least 0.5' or 'with tau below 1' to {text!r}"
        ) from None
    if not -1 < least <= 1:
        raise ValueError(f"expected a tau above -1 and at most 1, found {least:g} in {text!r}")
    below = how == "below"
    return Statement(text=text, kind="order", comparisons=comparisons, against=against, tau=least, below=below)


class _Reader:
    """Reads a statement from left to right; ``measure`` is that of bare rows."""

    def __init__(self, text: str, measure: str | None) -> None:
        self.text, self.measure, self.used = text, measure, False
        self.tokens = list(_tokens(text))
        self.at = 0

    def _next(self) -> str | float | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def word(self, word: str) -> bool:
        """Read ``word`` if it comes next."""
        if self._next() != word:
            return False
        self.at += 1
        return True

    def sign(self, *signs: str) -> str | None:
        """Read and return whichever of ``signs`` comes next; None where none does."""
        return next((sign for sign in signs if self.word(sign)), None)

    def needs(self, word: str) -> None:
        if not self.word(word):
            raise ValueError(f"expected {word!r}, found {self._found()} in {self.text!r}")

    def number(self) -> float:
        sign = -1.0 if self.word("-") else 1.0
        value = self._next()
        if not isinstance(value, float):
            raise ValueError(f"expected a number, found {self._found()} in {self.text!r}")
        self.at += 1
        return sign * value

    def row(self) -> str:
        """Read the name of a row."""
        name = self._next()
        if not isinstance(name, str) or not NAME.fullmatch(name) or name in WORDS:
            raise ValueError(f"expected the name of a row, found {self._found()} in {self.text!r}")
        self.at += 1
        return name

    def expression(self) -> Expression:
        made = self._product()
        while sign := self.sign("+", "-"):
            made = _joined(sign, made, self._product())
        return made

    def _product(self) -> Expression:
        made = self._single()
        while sign := self.sign("*", "/"):
            made = _joined(sign, made, self._single())
        return made

    def _single(self) -> Expression:
        if self.word("("):
            made = self.expression()
            self.needs(")")
            return made
        if isinstance(self._next(), float) or self._next() == "-":
            return self.number()
        name = self._next()
        if not isinstance(name, str) or not NAME.fullmatch(name) or name in WORDS:
            raise ValueError(f"expected a value such as nDCG@10(bm25), found {self._found()} in {self.text!r}")
        self.at += 1
        if self.word("("):
            row = self.row()
            self.needs(")")
            return Value(name, row)
        if self.measure is None:
            raise ValueError(f"{name} is of no measure: write nDCG@10({name}), or end {self.text!r} with 'on nDCG@10'")
        self.used = True
        return Value(self.measure, name)

    def end(self) -> None:
        if self._next() is not None:
            raise ValueError(f"expected nothing more, found {self._found()} in {self.text!r}")
        if self.measure is not None and not self.used:
            raise ValueError(f"every value of {self.text!r} has a measure; take 'on {self.measure}' out")

    def _found(self) -> str:
        value = self._next()
        return "the end" if value is None else f"{value:g}" if isinstance(value, float) else repr(value)


def _tokens(text: str) -> Iterator[str | float]:
    at = 0
    while at < len(text.rstrip()):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError(f"cannot read {text[at:].strip()!r} in {text!r}")
        if token["number"]:
            yield float(token["number"]) / (100 if token["percent"] else 1)
        else:
            yield token["name"] or token["sign"]
        at = token.end()


def _ending(text: str, pattern: str) -> tuple[str, str | None]:
    found = re.search(pattern, text)
    return (text[: found.start()], found[1]) if found else (text, None)


def _joined(sign: str, left: Expression, right: Expression) -> Expression:
    if isinstance(left, float) and isinstance(right, float):
        raise ValueError(f"two numbers are joined by {sign}; write their result")
    return Operation(sign, left, right)


def _values(side: Expression) -> Iterator[Value]:
    if isinstance(side, Value):
        yield side
    elif isinstance(side, Operation):
        yield from _values(side.left)
        yield from _values(side.right)


def _bracketed(side: Expression) -> str:
    if isinstance(side, float):
        return f"{side:g}"
    return f"({side})" if isinstance(side, Operation) else str(side)
