"""Measure an encoder, or BM25, on a collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, ClassVar

from negbench.api.grids import open_store
from negbench.api.result import Result
from negbench.errors import InputError

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import RenderableType

MEASURES = "nDCG@10 RR@10 R@100 AP Judged@10"


@dataclass(frozen=True, repr=False, kw_only=True)
class Evaluation(Result):
    """Measures of an encoder over the queries of a split.

    ``metrics`` are means by measure, ``queries`` is how many these are over, ``warnings`` are sentences on the
    collection, ``digest`` is the key under which the store has it.
    """

    wraps: ClassVar[bool] = False
    encoder: str
    collection: str
    split: str
    queries: int
    metrics: dict[str, float]
    warnings: list[str]
    digest: str

    @property
    def data(self) -> dict[str, Any]:
        """The evaluation's fields by name: encoder, collection, split, measures and so on."""
        return dict(vars(self))

    def to_pandas(self) -> DataFrame:
        """Return one row: encoder, collection, split, queries, and a column a measure."""
        import pandas as pd

        about = {name: self.data[name] for name in ("encoder", "collection", "split", "queries")}
        return pd.DataFrame([{**about, **self.metrics}])

    def _renderable(self) -> RenderableType:
        """Return the warnings, what was measured, and the measures."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table()
        for name in self.metrics:
            table.add_column(name, justify="right")
        table.add_row(*[f"{value:.4f}" for value in self.metrics.values()])
        title = f"{self.encoder} on {self.collection}, {self.split}, {self.queries} queries"
        return Group(*(Text(f"note: {warning}") for warning in self.warnings), Text(title), table)


def evaluate(
    encoder: str | PathLike[str],
    collection: str | PathLike[str],
    split: str = "test",
    measures: str | Sequence[str] = MEASURES,
    *,
    precision: str = "auto",
    max_length: int | None = None,
    store: str | PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure an encoder, or ``bm25``, on the queries of a split.

    ``encoder`` is a hub id, a folder or an offline name, ``collection`` as in a grid: ``helpdesk``, a folder, a file
    of pairs, ``hub:ID``, ``ir_datasets:ID``. ``measures`` are those of ir-measures; a text has them separated by
    spaces. ``precision`` is auto, float32 or bfloat16; ``max_length`` the tokens a text (None: the model's own).
    ``progress`` hears the label of each stage before it is made. Raises InputError for what does not exist.

    >>> found = negbench.evaluate("bm25", "garden", measures="R@100 RR@10")
    >>> found.queries, found.metrics["R@100"]
    (10, 1.0)
    """
    from negbench.runners.evaluate import evaluate as measure

    if max_length is not None and max_length < 8:
        raise InputError(f"max_length: expected at least 8, found {max_length}")
    wanted = tuple(measures.split() if isinstance(measures, str) else measures)
    report = progress or (lambda _: None)
    return Evaluation(
        **measure(fspath(encoder), fspath(collection), split, precision, max_length, wanted, report, open_store(store))
    )
