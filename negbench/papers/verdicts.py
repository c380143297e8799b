"""The verdict of each statement, from the values alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from negbench.errors import InputError
from negbench.evaluation import significance
from negbench.papers.samples import FEWEST_SEEDS, Sample, Tested, assess, compare, kendall, of
from negbench.papers.statements import Expression, Operation, Statement, Value

Verdict = Literal["reproduced", "not reproduced", "held", "not held", "undecided", "not run here"]
GOOD: tuple[Verdict, ...] = ("reproduced", "held")
LEVEL = 1 - significance.LEVEL


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A mean with its 95 % interval (NaN where there is none), and how many seeds and queries it is over.

    ``seeds`` is None where nothing is drawn or trained.
    """

    label: str
    mean: float
    low: float
    high: float
    seeds: int | None
    queries: int


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the values say of a statement.

    ``why`` is what the verdict rests on, in a sentence. ``values`` are the values that the statement names,
    ``compared`` what is tested of them. ``p`` is adjusted by Holm over the ``family`` of the paper's statements that
    are tested; both are None where nothing is.
    """

    verdict: Verdict
    why: str
    values: list[Figure] = field(default_factory=list)
    compared: list[Figure] = field(default_factory=list)
    p: float | None = None
    family: int | None = None


@dataclass(frozen=True)
class _Decision:
    """p values of a claim being true and of its being false, and what both rest on."""

    holds: float
    fails: float
    tests: Sequence[Tested]

    @property
    def p(self) -> float:
        """The p value of nothing being known: the smaller of the two."""
        return min(self.holds, self.fails)


def decide(
    statements: Mapping[str, Statement], samples: Mapping[Value, Sample], skipped: int = 0
) -> dict[str, Finding]:
    """Return the findings on the ``statements`` of one paper, whose values are all in ``samples``.

    ``skipped``: statements of the paper that are tested at other times; they count in Holm's correction, too.
    Raises InputError that names the statement where values cannot be paired.
    """
    decisions: dict[str, _Decision] = {}
    for name, statement in statements.items():
        try:
            if statement.kind != "value":
                decisions[name] = _decision(statement, dict(samples))
            else:
                of(statement.value, dict(samples))
        except ValueError as error:
            raise InputError(f"statements.{name}: {error}") from error
    family = len(decisions) + skipped
    ps = significance.holm([*(it.p for it in decisions.values()), *[1.0] * skipped])
    adjusted = dict(zip(decisions, ps, strict=False))
    findings: dict[str, Finding] = {}
    for name, statement in statements.items():
        values = [_figure(str(it), assess(samples[it])) for it in statement.values]
        if statement.kind == "value":
            findings[name] = _value(statement, samples, values)
        else:
            findings[name] = _finding(statement, decisions[name], adjusted[name], family, values, dict(samples))
    return findings


def _value(statement: Statement, samples: Mapping[Value, Sample], values: list[Figure]) -> Finding:
    found = of(statement.value, dict(samples))
    assert isinstance(found, Sample)
    mean = found.mean
    same = abs(mean - statement.expected) <= statement.tolerance + 1e-9
    compared = [] if isinstance(statement.value, Value) else [_figure(str(statement.value), assess(found))]
    return Finding(
        verdict="reproduced" if same else "not reproduced",
        why=f"{round(abs(mean - statement.expected), 9):.2g} off; the tolerance is {statement.tolerance:g}",
        values=values,
        compared=compared,
    )


def _decision(statement: Statement, samples: dict[Value, Sample]) -> _Decision:
    """Test all comparisons: the claim is true where all are, and false where one is."""
    tests = [compare(it, samples) for it in (*statement.comparisons, *statement.against)]
    if statement.kind == "order":
        levels = sorted(significance.holm([it.p for it in tests]))
        least = statement.tau - 1e-9
        agrees = min((p for p in levels if _tau(statement, tests, p)[1] >= least), default=1.0)
        differs = min((p for p in levels if _tau(statement, tests, p)[2] < least), default=1.0)
        return _Decision(differs, agrees, tests) if statement.below else _Decision(agrees, differs, tests)
    holds_all = max(it.p if it.mean > 0 else 1.0 for it in tests)
    fails_one = min(it.p if it.mean < 0 else 1.0 for it in tests)
    return _Decision(holds_all, min(1.0, len(tests) * fails_one), tests)


def _tau(statement: Statement, tests: Sequence[Tested], alpha: float) -> tuple[float, float, float]:
    """Return the tau of an order and its interval at the level ``alpha``, from the tests of its decision."""
    pairs = len(statement.comparisons)
    return kendall(tests[:pairs], alpha, tests[pairs:])


def _finding(
    statement: Statement,
    decision: _Decision,
    p: float,
    family: int,
    values: list[Figure],
    samples: dict[Value, Sample],
) -> Finding:
    compared = _compared(statement, samples)
    tests = decision.tests
    verdict: Verdict = "undecided"
    if not all(it.enough for it in tests):
        fewest = min(it.seeds for it in tests if it.seeds is not None)
        return Finding(
            verdict=verdict,
            why=f"{fewest} {'seed' if fewest == 1 else 'seeds'}: a claim about trainings needs {FEWEST_SEEDS}",
            values=values,
            compared=compared,
            family=family,
        )
    if p < LEVEL:
        verdict = "held" if decision.holds <= decision.fails else "not held"
        why = _decided(statement, decision, verdict == "held")
    else:
        why = _undecided(statement, tests, family)
    return Finding(verdict=verdict, why=why, values=values, compared=compared, p=p, family=family)


def _decided(statement: Statement, decision: _Decision, held: bool) -> str:
    if statement.kind == "order":
        tau, low, high = _tau(statement, decision.tests, LEVEL)
        return f"tau {tau:.2f} [{low:.2f}, {high:.2f}]"
    if statement.kind in ("between", "equality"):
        return "the interval lies between the bounds" if held else "the interval lies outside of the bounds"
    first = statement.comparisons[0]
    several = len(decision.tests) > 1
    if not several and isinstance(first.left, float):  # the number is an upper bound
        return f"the interval lies {'below' if held else 'above'} {first.left - first.least:g}"
    bound = f"{(first.right if not several and isinstance(first.right, float) else 0.0) + first.least:g}"
    if held:
        return f"{'all intervals lie' if several else 'the interval lies'} above {bound}"
    return f"{'an interval lies' if several else 'the interval lies'} below {bound}"


def _undecided(statement: Statement, tests: Sequence[Tested], family: int) -> str:
    """Say what would have been found: of the comparisons, the one that needs the largest difference."""
    amounts = [it.detectable(1 - LEVEL / family) for it in tests]
    known = [amount for amount in amounts if not math.isnan(amount)]
    what = "of a pair " if statement.kind == "order" else ""
    told = f"the least difference {what}that would have been found is {max(known):.2g}" if known else "nothing varies"
    if statement.kind == "order":
        tau, low, high = _tau(statement, tests, LEVEL)
        told = f"tau {tau:.2f} [{low:.2f}, {high:.2f}]; {told}"
    elif statement.kind in ("between", "equality"):
        told = f"the interval reaches over a bound; {told}"
    elif statement.comparisons[0].least:
        told += f" beyond {statement.comparisons[0].least:g}"
    return told


def _compared(statement: Statement, samples: dict[Value, Sample]) -> list[Figure]:
    """Return the differences or expressions that the tests are about; none that ``values`` already has."""
    sides: list[Expression] = []
    if statement.kind == "between":
        sides = [statement.value]
    elif statement.kind == "equality":
        sides = [statement.comparisons[0].difference]
    elif statement.kind == "direction":
        for it in statement.comparisons:
            numbers = [isinstance(side, float) for side in (it.left, it.right)]
            sides.append(it.difference if not any(numbers) else it.right if numbers[0] else it.left)
    figures = []
    for side in sides:
        found = of(side, samples)
        if isinstance(side, Operation) and isinstance(found, Sample):
            figures.append(_figure(str(side), assess(found)))
    return figures


def _figure(label: str, found: Tested) -> Figure:
    return Figure(
        label=label, mean=found.mean, low=found.low, high=found.high, seeds=found.seeds, queries=found.queries
    )
