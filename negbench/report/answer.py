"""The sentences of a verdict: what to train with, what it gains, and what could not be told."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from negbench.evaluation import planning, significance
from negbench.evaluation.false_negatives import meanings
from negbench.evaluation.significance import Estimate
from negbench.report import table
from negbench.report.compared_rows import HIGHEST, ComparedRows, quality
from negbench.report.percent import percent
from negbench.report.rows import Row
from negbench.report.table import ALPHA, mostly_random

SEARCH, START, UNTOUCHED, IN_BATCH = "bm25-search", "start", "untouched", "in-batch"

MOST_NAMES = 6
"""Names that a line lists at most."""

ABOUT = 1.1
"""Up to this ratio, seconds count as equal: other work of a machine moves them by as much."""

FEWEST_SEEDS = 3
"""Seeds that a grid of one seed is advised to have; from fewer nothing is planned."""

OPEN = "These runs do not tell which negatives to train with."


class Answer(ComparedRows):
    """What the rows answer, in sentences."""

    @cached_property
    def choice(self) -> Row | None:
        """The best row, or the cheapest of those about as good; None where the runs do not tell.

        About as good is what no test tells from the best and what is, by its mean, less than a difference that matters
        below it: with few seeds a test alone tells almost nothing apart.
        """
        if not self.several or self.unmoved:
            return None
        about = [row for row in self.good if quality(self.best) - quality(row) <= self.matters]
        cheapest = min(about, key=_seconds)
        return self.best if _seconds(self.best) <= ABOUT * _seconds(cheapest) else cheapest

    @cached_property
    def improved(self) -> bool:
        """Whether the best row is significantly better than the start."""
        found = self.estimate(self.best, self.named(START, self.best.axes))
        return found is not None and found.mean > 0 and significance.p_value(found) < ALPHA

    def lines(self) -> list[str]:
        """Return the sentences; none where nothing was trained."""
        if not self.candidates:
            return [self.fills()] if self.trained else []
        if self.choice is not None:
            said = [self.choose(self.choice), self.gains(self.choice), self.false(self.choice)]
        elif self.unmoved:
            said = [self.unmoved, OPEN]
        else:
            said = [self.one_seed()]
        if not self.unmoved:
            said.insert(0, self.spent())
        if not self.several:
            return [line for line in (*said, self.fills()) if line]
        if self.improved and not self.unmoved:  # what training could not reach is then the start's fault: advice first
            said.append(self.wins(UNTOUCHED, "The start is weaker than the model as it is published, which"))
        else:
            said.insert(0, self.wins(UNTOUCHED, "The model as it is published, untouched,"))
        said = [self.wins(SEARCH, "BM25 as the search engine"), *said, self.untold(), self.fills()]
        return [line for line in said if line]

    def one_seed(self) -> str:
        """Say which row is highest with one seed, that this decides nothing, and what more seeds take."""
        cost = sum(row.added or 0 for row in self.trained) * (FEWEST_SEEDS - 1) / 60
        return (
            f"One seed decides nothing. The highest {self.settings['measure']} is that of {self.label(self.best)}, "
            f"{self.best.quality:.4f} (of {_count(len(self.candidates), 'method')}). "
            f"Run at least {FEWEST_SEEDS} seeds: about {_minutes(cost)} more here."
        )

    @cached_property
    def unmoved(self) -> str:
        """The sentence that training changed nothing that can be told; empty where a test finds that it did.

        No row differs from the start (Holm over all rows) or by what could be detected, and no method from the best.
        """
        trained = [row for row in self.rows if row.form != "reference" and row.quality is not None]
        pairs = [self.differences(row, self.named(START, row.axes)) for row in trained]
        found = [significance.estimate(pair) for pair in pairs if pair is not None]
        reach = [significance.detectable(one) for one in found]
        if len(found) < len(trained) or any(
            one.mean != 0 and not abs(one.mean) <= least for one, least in zip(found, reach, strict=True)
        ):
            return ""
        differs = min(significance.holm([significance.p_value(one) for one in found]), default=1.0) < ALPHA
        if differs or (self.several and len(self.good) < len(self.candidates)):
            return ""
        furthest = max(abs(one.mean) for one in found)
        said = f"Training moved no row by more than {furthest:.4f} from the start"
        if furthest > 0:
            said += f" ({_least([least for least in reach if not np.isnan(least)])})"
        if spent := self.spent():
            return f"{said}. {spent}"
        if all(one.mean == 0 or max(-one.low, one.high) < self.matters for one in found):
            return f"{said}: more steps or a higher learning rate are needed before methods can differ."
        return f"{said}: more steps or a higher learning rate may move them, more seeds or test queries may tell."

    def spent(self) -> str:
        """Say that nothing is left to gain where the encoder before training is at the top already; empty elsewhere."""
        starts = [row.quality for row in self.rows if row.method == START and row.quality is not None]
        if not starts or not all(map(self.is_top, starts)):
            return ""
        return (
            f"The encoder before training has {self.settings['measure']} {min(starts):.4f} of at most {HIGHEST:g}: "
            "nothing is left to gain on this test set, and only a harder one can tell methods apart."
        )

    def choose(self, choice: Row) -> str:
        """Say what to train with: the best, or the cheapest of those about as good."""
        start = f"Train with {self.label(choice)}: {self.settings['measure']} {choice.quality:.4f}"
        if len(self.candidates) == 1:
            return f"{start}; no other method was run."
        if len(self.good) == 1:
            count = len(self.candidates) - 1
            beaten = "the other one" if count == 1 else f"each of the other {count}"
            return f"{start}, significantly better than {beaten}."
        if choice is self.best:
            others = f"{len(self.good) - 1} of the other {len(self.candidates) - 1}"
            return (
                f"{start}, the highest. No significant difference to {others}, none of which is both within "
                f"{self.matters:g} of it and clearly cheaper."
            )
        distance = self.estimate(self.best, choice)
        above = "" if distance is None else f", {_signed(distance)} above it"
        many = "No method" if len(self.good) == len(self.candidates) else f"{len(self.good)} of {len(self.candidates)}"
        verb = "differs significantly" if many == "No method" else "do not differ significantly"
        return (
            f"{start}, the cheapest ({_seconds(choice):.0f} s) of those within {self.matters:g} of the best. "
            f"{many} {verb} from the best, {self.label(self.best)} ({self.best.quality:.4f}{above})."
        )

    def wins(self, name: str, words: str) -> str:
        """Say that a reference beats all trained encoders, where it significantly does."""
        row = self.named(name)
        if row is None or row.quality is None or row.quality <= quality(self.best):
            return ""
        found = self.estimate(row, self.best)
        if found is None or significance.p_value(found) >= ALPHA:
            return ""
        return (
            f"{words} beats every trained encoder: {row.quality:.4f} against at most {self.best.quality:.4f} "
            f"({self.label(self.best)}), a difference of {_signed(found)}."
        )

    def gains(self, choice: Row) -> str:
        """Say how far a row is from the references and the baseline, with intervals."""
        names = {
            START: "the start",
            UNTOUCHED: "the untouched model",
            IN_BATCH: "in-batch",
            SEARCH: "BM25 as the search engine",
        }
        if (baseline := self.settings["baseline"]) not in (None, *names):
            names[baseline] = baseline
        parts = []
        for name, words in names.items():
            other = self.named(name, choice.axes)
            found = None if other is None or other is choice else self.estimate(choice, other)
            if found is not None:
                parts.append(f"{_signed(found)} to {words}")
        return f"Its difference is {', '.join(parts)}." if parts else ""

    def false(self, choice: Row) -> str:
        """Say how many of a row's negatives are false, and by what evidence."""
        if audited := table.audited(choice):
            return f"False negatives: {audited} % by the audit of these negatives."
        if choice.rate is not None and choice.estimator is not None:
            rate, span = percent(choice.rate, choice.rate_low, choice.rate_high)
            return (
                f"False negatives: {rate} %{f' {span}' if span else ''} "
                f"({choice.estimator}: {meanings()[choice.estimator]})."
            )
        if choice.in_batch is not None:
            return (
                "It mines nothing; of the documents of the other rows in a batch "
                f"{100 * choice.in_batch:.2f} % are false negatives."
            )
        return (
            "How many of its negatives are false cannot be estimated from these labels: label a sample with "
            "`negbench audit`."
        )

    def untold(self) -> str:
        """Say which comparisons with the baseline are open, and how many seeds or queries would settle them."""
        baseline, least = self.settings["baseline"], self.matters
        open_rows = [
            row
            for row in self.candidates
            if row.method != baseline and row.p is not None and row.p >= ALPHA and not row.same
        ]
        if not open_rows:
            return ""
        said = f"Undecided against {baseline}{self.uncorrected(open_rows)}"
        reach = [row.detectable for row in open_rows if row.detectable is not None]
        if not reach:  # no value differs at all
            return f"{said}."
        said += f". {_least(reach).capitalize()}"
        if self.unmoved:
            return f"{said}."
        below = [row for row in open_rows if not (self.is_top(quality(row)) and self.is_top(self.of_baseline(row)))]
        if not below:
            return f"{said}; all are less than {least:g} below {HIGHEST:g}: only a harder test set can tell them apart."
        pairs = [self.differences(row, self.named(baseline, row.axes)) for row in below]
        planned = [pair for pair in pairs if pair is not None and planning.known(significance.estimate(pair))]
        if not planned:
            return f"{said}."
        if min(len(pair) for pair in planned) < FEWEST_SEEDS:
            return f"{said}; fewer than {FEWEST_SEEDS} seeds cannot tell how many more seeds or queries would decide."
        seeds = [planning.seeds_needed(pair, least) for pair in planned]
        wanted = max((number for number in seeds if number is not None), default=None)
        if wanted is not None and None not in seeds:
            have = max(len(pair) for pair in planned)
            cost = sum(row.added or 0 for row in self.trained) * max(wanted - have, 0) / 60
            return f"{said}; a difference of {least:g} takes about {wanted} seeds (about {_minutes(cost)} more here)."
        queries = [planning.queries_needed(pair, least) for pair in planned]
        most = max((number for number in queries if number is not None), default=None)
        if most is None or None in queries:
            return f"{said}; a difference of {least:g} is out of reach."
        return (
            f"{said}; no number of seeds up to {planning.MOST_SEEDS} finds one of {least:g}: that takes at least "
            f"{round(most, -2) or most:,} test queries like these."
        )

    def uncorrected(self, open_rows: Sequence[Row]) -> str:
        """List undecided rows, and those whose own interval leaves out 0: it is not corrected, the test is."""
        names = _list([self.label(row) for row in open_rows])
        apart = [row for row in open_rows if (row.gain_low or 0) * (row.gain_high or 0) > 0]
        if not apart:
            return f": {names}"
        family = max(row.family for row in apart)
        intervals = "the interval of" if len(apart) == 1 else "the intervals of"
        verb = "leaves" if len(apart) == 1 else "leave"
        return (
            f" after correction for {family} comparisons: {names} (before it, {intervals} "
            f"{_list([self.label(row) for row in apart])} {verb} out 0)"
        )

    def fills(self) -> str:
        """Name the rows whose negatives are mostly random fills; empty where there are none."""
        filled = [
            f"{self.label(row)} ({100 * (row.filled or 0):.0f} %)" for row in self.trained if mostly_random(row.filled)
        ]
        if not filled:
            return ""
        return (
            f"More than a third of the negatives are random fills, so these do not show their method: {_list(filled)}."
        )


def _seconds(row: Row) -> float:
    return float("inf") if row.seconds is None else row.seconds


def _signed(found: Estimate) -> str:
    span = "" if np.isnan(found.low) else f" [{found.low:+.4f}, {found.high:+.4f}]"
    return f"{found.mean:+.4f}{span}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _list(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - MOST_NAMES
    return "; ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _least(reach: Sequence[float]) -> str:
    """Return the smallest detectable differences of some rows, from the smallest to the largest."""
    ends = list(dict.fromkeys(f"{end(reach):.4f}" for end in (min, max)))
    return f"smallest detectable difference at 80 % power: {' to '.join(ends)}"


def _minutes(minutes: float) -> str:
    return "a minute" if minutes < 1.5 else f"{minutes:.0f} minutes"
