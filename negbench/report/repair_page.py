"""Tables and findings on the cost of false negatives, for the terminal, Markdown and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group

from negbench.report import table
from negbench.report.repair import ALL, Gain, Loss, Point, Series, gains, loss, points


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Cost of false negatives in a grid; ``within`` is the equivalence margin."""

    name: str
    measure: str
    within: float
    losses: list[Loss]
    gains: list[Gain]
    points: list[Point]

    @classmethod
    def of(cls, name: str, measure: str, within: float, series: Sequence[Series]) -> Summary:
        """Summarise series; several methods at one point of the axes also get a common loss."""
        own = [loss([one]) for one in series]
        together = []
        for axes in dict.fromkeys(json.dumps(one.axes) for one in series):
            of_axes = [one for one in series if json.dumps(one.axes) == axes]
            together += [loss(of_axes)] if len(of_axes) > 1 else []
        drawn = [point for one in series for point in points(one)]
        return cls(
            name=name,
            measure=measure,
            within=within,
            losses=[*own, *together],
            gains=gains(series, own, within),
            points=drawn,
        )

    @property
    def title(self) -> str:
        """Heading of the Markdown page."""
        return f"{self.name}: what false negatives cost"

    def data(self) -> dict[str, Any]:
        """Return all values, unrounded, as plain data: shares instead of percent, the measure instead of points."""
        plain_gains = [{**asdict(gain), "verdict": gain.verdict} for gain in self.gains]
        rest = {
            "losses": list(map(asdict, self.losses)),
            "gains": plain_gains,
            "points": list(map(asdict, self.points)),
        }
        plain = {"name": self.name, "measure": self.measure, "within": self.within}
        return {**plain, **rest, "findings": self.findings()}

    def markdown(self) -> str:
        """Return the page as Markdown."""
        return table.markdown(self._tables(), self.title, [*self.findings(), NOTES])

    def terminal(self) -> Group:
        """Return the first two tables and the findings for rich."""
        from rich.text import Text

        shown = self._tables()[:2]
        made: list[Any] = []
        for one in shown:  # a table's own title wraps at its width
            made += [Text(f"{self.name}: {one['title']}"), table.terminal(one["heading"], one["body"], "")]
        return Group(*made, Text("\n".join(self.findings())))

    def findings(self) -> list[str]:
        """Return one sentence per method on the cost of false negatives, and one per repair on its gain."""
        said = []
        for one in self.losses:
            if math.isnan(one.loss):
                said.append(f"{_at(one)}: too few finished trainings to estimate what false negatives cost.")
                continue
            text = f"{_at(one)}: a percentage point of false negatives costs {_interval(one.loss, one, 1, 3)}"
            text += f" points of {self.measure}"
            if one.seeds < 2:
                text += "; with one seed this is not tested"
            elif one.low > 0:
                rate = self.within / one.loss
                lost = f"{100 * self.within:g} {'point is' if self.within == 0.01 else 'points are'} lost at"
                above = f"a rate above the highest injected ({100 * one.highest:.0f} %)"
                text += f"; {lost} {100 * rate:.0f} %" if rate <= one.highest else f"; {lost} {above}"
            elif one.high < 0:
                text += "; here they help"
            else:
                text += "; the interval includes 0, so a cost is undecided"
            said.append(text + ".")
        for gain in self.gains:
            text = f"{_at(gain)}, {gain.variant}: {gain.verdict}; {_interval(gain.gain, gain, 100, 2, '+')} points for "
            text += f"the {100 * gain.rate:.1f} % false negatives as mined"
            if gain.verdict.startswith("undecided") and not math.isnan(gain.detectable):
                text += f" (detectable with 80 % power: {100 * gain.detectable:.2f})"
            said.append(text + ".")
        return said

    def _tables(self) -> list[dict[str, Any]]:
        axes = list(dict.fromkeys(key for point in self.points for key in point.axes))

        def named(one: Loss | Gain | Point) -> list[str]:
            return [one.method, *["null" if one.axes.get(key) is None else str(one.axes[key]) for key in axes]]

        lost = ["seeds", "points lost [95 %]"]
        gained = [
            "repair",
            "false negatives as mined %",
            "points gained [95 %]",
            "points expected",
            "p",
            "verdict",
            "points detectable",
        ]
        varied = ["variant", "seeds", "false negatives %", "change in points [95 %]", "hardness", "random fill %"]
        return [
            {
                "title": f"points of {self.measure} lost for each percentage point of false negatives",
                "heading": ["method", *axes, *lost],
                "body": [[*named(it), str(it.seeds), _interval(it.loss, it, 1, 3)] for it in self.losses],
            },
            {
                "title": "gain of a repair over the method as mined",
                "heading": ["method", *axes, *gained],
                "body": [[*named(it), *_gain(it)] for it in self.gains],
            },
            {
                "title": "all variants, compared with `replaced`",
                "heading": ["method", *axes, *varied],
                "body": [[*named(it), *_point(it)] for it in self.points],
            },
        ]


def _gain(it: Gain) -> list[str]:
    gain, expected = _interval(it.gain, it, 100, 2, "+"), _number(100 * it.expected, 2, "+")
    least = _number(100 * it.detectable, 2)
    return [it.variant, _number(100 * it.rate, 2), gain, expected, _number(it.p, 3), it.verdict, least]


def _point(it: Point) -> list[str]:
    change, filled = _interval(it.change, it, 100, 2, "+"), _number(100 * it.filled, 1)
    return [it.variant, str(it.seeds), _number(100 * it.rate, 2), change, _number(it.hardness, 2), filled]


NOTES = (
    "A point is 0.01 of the measure. `replaced`: every false negative, by the fuller judgments, is replaced by the "
    "true negative with the most similar retriever score. `relabelled`: as `replaced`, and the false negatives become "
    "positives. `injected`: as `replaced`, then a share of the negatives is replaced by unlabelled relevant documents "
    "with the most similar scores. Training rows, batches, starting weights and seeds are the same in all variants. "
    "`false negatives %` is the rate in training, which may miss the requested one. The loss is the slope of a "
    "regression on this rate over `replaced` and `injected`, within each method, seed and query; all intervals are "
    f"over queries and seeds. `{ALL}`: one common slope. `points expected`: the loss times the rate as mined. p: test "
    "of no difference, Holm-corrected over the table. `no difference`: shown by an equivalence test (5 % level, "
    "Holm-corrected). `undecided`: neither test is significant, or there is one seed; `after correction`: its own "
    "interval, which is not corrected, leaves out 0. `hardness`: standard deviations by "
    "which a negative scores above the mean candidate of its query; if it changes with the rate, the variants "
    "differ in more than the false negatives. `random fill %`: negatives without a score to match. False negatives "
    "among the in-batch documents remain in all variants; only relabelled documents are masked there."
)


def _at(one: Loss | Gain) -> str:
    return one.method + "".join(f", {key}={value}" for key, value in one.axes.items())


def _interval(value: float, ends: Loss | Gain | Point, times: float, digits: int, sign: str = "") -> str:
    text = _number(times * value, digits, sign)
    if not text or math.isnan(ends.low) or math.isnan(ends.high) or ends.low == ends.high:
        return text
    return f"{text} [{times * ends.low:{sign}.{digits}f}, {times * ends.high:{sign}.{digits}f}]"


def _number(value: float, digits: int, sign: str = "") -> str:
    return "" if math.isnan(value) else f"{value:{sign}.{digits}f}"
