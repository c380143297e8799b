"""Claims of papers, each with a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from negbench.api.grids import open_store
from negbench.api.result import Result

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import RenderableType

    from negbench.runners.schedule import Progress

COLUMNS = ("name", "says", "verdict", "why", "p", "fair", "differs", "changed")


@dataclass(frozen=True, repr=False, kw_only=True)
class Reproduction(Result):
    """Verdicts on the statements of papers, which ``path`` holds as files.

    ``papers`` are the records as in ``verdicts.json``. ``worse`` has a line for each statement that was reproduced or
    held before and is not any more, ``failures`` one for each trial that failed, ``errors`` one for each paper that
    could not run, for want of a collection say.
    """

    path: Path
    papers: list[dict[str, Any]]
    worse: list[str]
    failures: list[str]
    errors: list[str]

    @property
    def data(self) -> dict[str, Any]:
        """``papers``, ``worse``, ``failures`` and ``errors``."""
        return {"papers": self.papers, "worse": self.worse, "failures": self.failures, "errors": self.errors}

    def to_pandas(self) -> DataFrame:
        """Return a row a statement: paper, name, statement, verdict, why, p, fair, differs, changed."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"paper": paper["paper"], **{name: statement[name] for name in COLUMNS}}
                for paper in self.papers
                for statement in paper["statements"]
            ]
        )

    def _renderable(self) -> RenderableType:
        """Return a table a paper, a row a statement."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        from negbench.papers.page import rows, summary

        tables: list[RenderableType] = []
        for paper in self.papers:
            table = Table(title=Text(f"{paper['paper']}: {summary(paper)}"), title_justify="left", show_lines=True)
            for name in ("name", "statement", "here [95 %]", "verdict"):
                table.add_column(Text(name), overflow="fold")
            for row in rows(paper):
                table.add_row(*map(Text, row))
            tables.append(table)
        return Group(*tables)


def reproduce(
    paper: str | PathLike[str] = "all",
    only: str | Sequence[str] = (),
    out: str | PathLike[str] = "results/papers",
    *,
    store: str | PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    command: Sequence[str] = ("negbench.reproduce",),
) -> Reproduction:
    """Run what the statements of a paper need, and decide each: reproduced, held, not held, undecided, not run here.

    ``paper`` is a name under ``experiments/papers``, ``all``, or a folder with ``paper.yaml`` and ``expect.yaml``.
    ``only`` are names of statements, or patterns with ``*``. Results go to ``out``/NAME, the page of all papers to
    ``out``/README.md. What is in ``store`` is not made again. Raises InputError for mistakes in the files.

    >>> found = negbench.reproduce("garden-paper", out="papers")
    >>> found.to_pandas()[["name", "verdict"]].values.tolist()
    [['bm25-finds', 'reproduced'], ['trained', 'undecided']]
    """
    from negbench.papers.run import reproduce as run
    from negbench.store.writable import expanded

    patterns = (only,) if isinstance(only, str) else tuple(only)
    folder = expanded(out, "--out")
    done = run(fspath(paper), patterns, folder, open_store(store), command, progress or (lambda _: None))
    return Reproduction(path=folder, papers=done.records, worse=done.worse, failures=done.failures, errors=done.errors)
