"""Figure of an audit: the share of relevant documents by rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from negbench.auditing.estimate import RankRate
from negbench.report import figures
from negbench.report.figures import style
from negbench.report.results import write_text

NAME = "by_rank"


def write(folder: Path, found: Sequence[RankRate]) -> list[Path]:
    """Write ``by_rank.svg`` and ``by_rank.png`` with one line a method; none without a rate in any bin."""
    import matplotlib as mpl

    known = [one for one in found if not math.isnan(one.rate.rate)]
    if not known:
        return []
    bins, methods = list(dict.fromkeys(one.ranks for one in found)), list(dict.fromkeys(one.method for one in known))
    bins.sort(key=lambda name: int(name.split("-")[0]) if name[0].isdigit() else math.inf)
    with mpl.rc_context(style.STYLE):
        figure, axes = style.single(3.4)
        for index, method in enumerate(methods):
            own = [one for one in known if one.method == method]
            aside = 0.5 * ((index + 0.5) / len(methods) - 0.5)  # or the intervals would hide one another
            places = [bins.index(one.ranks) + aside for one in own]
            rates = [100 * one.rate.rate for one in own]
            below = [max(0.0, 100 * (one.rate.rate - one.rate.low)) for one in own]
            above = [max(0.0, 100 * (one.rate.high - one.rate.rate)) for one in own]
            axes.errorbar(
                places,
                rates,
                [below, above],
                label=method,
                color=style.COLOURS[index % len(style.COLOURS)],
                marker=style.MARKS[index % len(style.MARKS)],
                linestyle=style.LINES[index % len(style.LINES)],
                markersize=5.5,
                capsize=2.5,
                elinewidth=1,
                linewidth=1.4,
            )
        axes.set_xticks(range(len(bins)), [name.replace("-", "–") for name in bins])
        axes.set_xlim(-0.5, len(bins) - 0.5)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("rank of the negative")
        axes.set_ylabel("relevant, % [95 %]")
        if len(methods) > 1:
            style.legend(figure)
        text = figures.svg(figure)
        picture, pixels = folder / f"{NAME}.svg", folder / f"{NAME}.png"
        write_text(picture, text)
        figure.savefig(pixels, dpi=150, bbox_inches="tight", metadata={"Software": None})
    return [picture, pixels]
