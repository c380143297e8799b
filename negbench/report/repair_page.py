"""The tables and sentences of what false negatives cost, for the terminal, Markdown and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group

from negbench.report import table
from negbench.report.repair import ALL, Gain, Loss, Point, Series, gains, loss, points


@dataclass(frozen=True)
class Summary:
    """What a grid says of false negatives: ``within`` is the difference that is too small to matter."""

    name: str
    measure: str
    within: float
    losses: list[Loss]
    gains: list[Gain]
    points: list[Point]

    @classmethod
    def of(cls, name: str, measure: str, within: float, series: Sequence[Series]) -> Summary:
        """Sum up series; several methods at a point of the axes have a loss together, too."""
        own = [loss([one]) for one in series]
        together = []
        for axes in dict.fromkeys(json.dumps(one.axes) for one in series):
            there = [one for one in series if json.dumps(one.axes) == axes]
            together += [loss(there)] if len(there) > 1 else []
        drawn = [point for one in series for point in points(one)]
        return cls(name, measure, within, [*own, *together], gains(series, own, within), drawn)

    @property
    def title(self) -> str:
        """What the tables are about."""
        return f"{self.name}: what false negatives cost"

    def data(self) -> dict[str, Any]:
        """Return all figures, unrounded, as plain data; shares, not percent, and the measure itself, not points."""
        told = [{**asdict(gain), "verdict": gain.verdict} for gain in self.gains]
        rest = {"losses": list(map(asdict, self.losses)), "gains": told, "points": list(map(asdict, self.points))}
        plain = {"name": self.name, "measure": self.measure, "within": self.within}
        return {**plain, **rest, "findings": self.findings()}

    def markdown(self) -> str:
        """Return the page."""
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
        """Return what a point of false negatives costs and when a repair pays, a sentence a method."""
        said = []
        for one in self.losses:
            if math.isnan(one.loss):
                said.append(f"{_at(one)}: too little is there to say what false negatives cost.")
                continue
            text = f"{_at(one)}: a percentage point of false negatives costs {_interval(one.loss, one, 1, 3)}"
            text += f" points of {self.measure}"
            if one.seeds < 2:
                text += "; one seed does not tell whether they cost anything"
            elif one.low > 0:
                rate = self.within / one.loss
                lost = f"{100 * self.within:g} {'point is' if self.within == 0.01 else 'points are'} lost at"
                text += f"; {lost} {100 * rate:.0f} %" if rate <= one.highest else f"; {lost} more than was injected"
            elif one.high < 0:
                text += "; here they help"
            else:
                text += "; whether they cost anything is undecided"
            said.append(text + ".")
        for gain in self.gains:
            text = f"{_at(gain)}, {gain.variant}: {gain.verdict}; {_interval(gain.gain, gain, 100, 2, '+')} points for "
            text += f"the {100 * gain.rate:.1f} % that it mines"
            if gain.verdict == "undecided" and not math.isnan(gain.detectable):
                text += f" (80 % power for {100 * gain.detectable:.2f})"
            said.append(text + ".")
        return said

    def _tables(self) -> list[dict[str, Any]]:
        axes = list(dict.fromkeys(key for point in self.points for key in point.axes))

        def named(one: Loss | Gain | Point) -> list[str]:
            return [one.method, *["null" if one.axes.get(key) is None else str(one.axes[key]) for key in axes]]

        lost = ["seeds", "points lost [95 %]"]
        gained = ["repair", "mined %", "points gained [95 %]", "expected", "p", "verdict", "detectable"]
        varied = ["variant", "seeds", "false negatives %", "points [95 %]", "hardness", "filled %"]
        return [
            {
                "title": f"points of {self.measure} lost for each percentage point of false negatives",
                "heading": ["method", *axes, *lost],
                "body": [[*named(it), str(it.seeds), _interval(it.loss, it, 1, 3)] for it in self.losses],
            },
            {
                "title": "when a repair pays",
                "heading": ["method", *axes, *gained],
                "body": [[*named(it), *_gain(it)] for it in self.gains],
            },
            {
                "title": "all variants, against the replaced one",
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
    "A point is a hundredth of the measure. `replaced`: every false negative, by the collection's truth, gave "
    "its place to the true negative that the retriever scores most alike; `relabelled`: and became a positive; "
    "`injected`: of the replaced draw, a share gave its place to hidden relevant documents, again those scored "
    "most alike. Rows, batches, starting weights and seeds are the same in all. The rate is the one reached, "
    "as training sees it. The loss is a regression on it over `replaced` and `injected`, within each method, "
    f"seed and query; its interval, as all others, is over queries and seeds. `{ALL}`: one slope for them. "
    "`expected`: the loss times the rate mined. p: of no difference, by Holm over the table; `no difference`: "
    "an equivalence test says so (5 %, by Holm too); `undecided`: neither, or one seed. `hardness`: how many "
    "standard deviations a negative scores above its query's mean candidate; where it moves with the rate, "
    "the match is imperfect, and falseness is not all that changed. `filled`: the share without a score to match by. "
    "In-batch false negatives stay in all variants; the relabelled alone are masked there."
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
