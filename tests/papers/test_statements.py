"""What a statement says is read right, and what cannot be read is refused in one line."""

from __future__ import annotations

import itertools

import pytest

from negbench.papers.statements import Comparison, Operation, Value, parse

A, B, C = (Value("nDCG@10", name) for name in "abc")


@pytest.mark.parametrize(
    ("text", "comparisons"),
    [
        ("a > b on nDCG@10", [Comparison(A, B)]),
        ("a < b on nDCG@10", [Comparison(B, A)]),
        ("nDCG@10(a) > nDCG@10(b)", [Comparison(A, B)]),
        ("a > b > c on nDCG@10", [Comparison(A, B), Comparison(B, C)]),
        ("a < b < c on nDCG@10", [Comparison(C, B), Comparison(B, A)]),
        ("a > b by at least 0.08 on nDCG@10", [Comparison(A, B, 0.08)]),
        ("a > b by at least 8 % on nDCG@10", [Comparison(A, B, 0.08)]),
        ("a > 0.5 on nDCG@10", [Comparison(A, 0.5)]),
        ("a > -0.5 on nDCG@10", [Comparison(A, -0.5)]),
        ("a < 1e-3 on nDCG@10", [Comparison(0.001, A)]),
        ("rate(a) between 8 % and 15 %", [Comparison(Value("rate", "a"), 0.08), Comparison(0.15, Value("rate", "a"))]),
        ("a = b within 0.01 on nDCG@10", [Comparison(A, B, -0.01), Comparison(B, A, -0.01)]),
        (
            "a - b > b - c on nDCG@10",
            [Comparison(Operation("-", A, B), Operation("-", B, C))],
        ),
        (
            "1 - a / b > 70 % on nDCG@10",
            [Comparison(Operation("-", 1.0, Operation("/", A, B)), 0.7)],
        ),
        ("(a - b) / b > 0.05 on nDCG@10", [Comparison(Operation("/", Operation("-", A, B), B), 0.05)]),
        ("2 * a > b on nDCG@10", [Comparison(Operation("*", 2.0, A), B)]),
        (
            "order a > b > c on nDCG@10 with tau at least 0.5",
            [Comparison(A, B), Comparison(A, C), Comparison(B, C)],
        ),
        (
            "order a < b < c on nDCG@10 with tau at least 0.5",
            [Comparison(C, B), Comparison(C, A), Comparison(B, A)],
        ),
    ],
)
def test_comparisons(text: str, comparisons: list[Comparison]) -> None:
    assert list(parse(text).comparisons) == comparisons


@pytest.mark.parametrize(("ending", "below", "tau"), [("below 1", True, 1.0), ("at least 0.5", False, 0.5)])
def test_an_order_by_another_measure(ending: str, below: bool, tau: float) -> None:
    found = parse(f"order of a, b, c on among-random/nDCG@10 as on nDCG@10 with tau {ending}")
    among = [Value("among-random/nDCG@10", name) for name in "abc"]
    assert found.comparisons == tuple(Comparison(*it) for it in itertools.combinations(among, 2))
    assert found.against == tuple(Comparison(*it) for it in itertools.combinations([A, B, C], 2))
    assert (found.kind, found.below, found.tau) == ("order", below, tau)
    assert found.values == (*among, A, B, C)


@pytest.mark.parametrize("sign", ["±", "+-"])
def test_a_value_with_its_tolerance(sign: str) -> None:
    found = parse(f"nDCG@10(minilm-scifact) = 0.6451 {sign} 0.0005")
    assert (found.kind, found.value) == ("value", Value("nDCG@10", "minilm-scifact"))
    assert (found.expected, found.tolerance) == (0.6451, 0.0005)


@pytest.mark.parametrize(
    ("text", "measures"),
    [
        ("overlap@100(rank-band) > cranfield/nDCG@10(rank-band)", ["overlap@100", "cranfield/nDCG@10"]),
        ("a > b on nDCG(judged_only=True)@10", ["nDCG(judged_only=True)@10"] * 2),
        ("rate/in-batch(a) < rate(a)", ["rate", "rate/in-batch"]),
    ],
)
def test_measures_keep_their_signs(text: str, measures: list[str]) -> None:
    assert [value.measure for value in parse(text).values] == measures


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a > b", "a is of no measure: write nDCG@10(a), or end 'a > b' with 'on nDCG@10'"),
        ("a on nDCG@10", "expected <, >, =, or 'between' after the first value of 'a on nDCG@10'"),
        ("a > b < c on RR", "'a > b < c on RR' goes up and down; write two statements"),
        ("a > on RR", "expected a value such as nDCG@10(bm25), found the end in 'a >'"),
        ("a > b by 0.1 on RR", "expected 'at', found 0.1 in 'a > b by 0.1'"),
        ("RR(a) > RR(b) on RR", "every value of 'RR(a) > RR(b)' has a measure; take 'on RR' out"),
        ("a = b on RR", "two values are equal within a margin: add 'within 0.01' to 'a = b on RR'"),
        ("a = 0.5 on RR", "a value has a tolerance: add '± 0.001' to 'a = 0.5 on RR'"),
        ("a between 2 and 1 on RR", "expected the lower bound first, found 2 and 1 in 'a between 2 and 1 on RR'"),
        ("a between 1 or 2 on RR", "expected 'and', found 'or' in 'a between 1 or 2'"),
        ("1 > 2", "expected a value of a row, such as nDCG@10(bm25), found none in '1 > 2'"),
        ("1 + 2 > RR(a)", "two numbers are joined by +; write their result"),
        ("order a > b on RR with tau at least 0.5", "expected three rows or more in an order"),
        ("order a > b > c on RR", "an order says how well it must agree: add 'with tau at least 0.5' or 'with"),
        ("order a > b > c on RR with tau at least 2", "expected a tau above -1 and at most 1, found 2"),
        ("a > b on RR with tau at least 0.5", "expected a tau only for an order"),
        ("order of a, b, c on RR with tau below 1", "compared by two measures: add 'on RR@10 as on nDCG@10'"),
        ("order of a, b on RR as on AP with tau below 1", "expected three rows or more in an order"),
        ("order of a, b, RR(c) on RR as on AP with tau below 1", "expected nothing more, found '('"),
        ("order of a, b, 2 on RR as on AP with tau below 1", "expected the name of a row, found 2"),
        ("order of a, b, c on RR as on AP with tau under 1", "an order says how well it must agree"),
        ("RR(a > b", "expected ')', found '>' in 'RR(a > b'"),
        ("__import__('os') > 1", "cannot read"),
        ("a > b; c on RR", "cannot read '; c' in 'a > b; c'"),
        ("a > b c on RR", "expected nothing more, found 'c' in 'a > b c'"),
        ("least > a on RR", "expected a value such as nDCG@10(bm25), found 'least'"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as told:
        parse(text)
    assert said in str(told.value)
