"""What methods drew for single queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

from negbench.api.grids import GridLike, as_grid, open_store
from negbench.api.result import Result

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import RenderableType

    from negbench.report.inspect import Example


@dataclass(frozen=True, repr=False)
class Inspection(Result):
    """Training queries, each with its labelled positives and what each method drew for it."""

    examples: Sequence[Example]

    @property
    def data(self) -> list[dict[str, Any]]:
        """The examples as dicts, one a query, ready for JSON."""
        return [asdict(example) for example in self.examples]

    def to_pandas(self) -> DataFrame:
        """Return a row a negative: query (its id), method, document, text, score, rank (from 1), label."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"query": example.query, "method": method, **asdict(negative)}
                for example in self.examples
                for method, drawn in example.drawn.items()
                for negative in drawn
            ],
            columns=["query", "method", "document", "text", "score", "rank", "label"],
        ).astype({"rank": "Int64"})

    def _renderable(self) -> RenderableType:
        """Return the examples as tables, one a query."""
        from negbench.report.inspect import terminal

        rendered: RenderableType = terminal(self.examples)
        return rendered


def inspect(grid: GridLike, queries: Sequence[str] = (), *, store: str | PathLike[str] | None = None) -> Inspection:
    """Return what each method of a grid that was run drew for training queries: text, score, rank, label.

    ``queries`` are ids; without any, three with the most false negatives. Raises InputError for an id that is not
    there, and where nothing was drawn yet.

    >>> results = negbench.run("garden.yaml")
    >>> shown = negbench.inspect("garden.yaml", ["train-0"])
    >>> shown.to_pandas()[["query", "method"]].values.tolist()
    [['train-0', 'bm25 seed 0'], ['train-0', 'bm25 seed 0']]
    """
    from negbench.plan.trials import trials
    from negbench.report.inspect import examples

    return Inspection(examples(trials(as_grid(grid).config), open_store(store), queries))
