"""Two runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from negbench.api.result import Result, frame
from negbench.errors import InputError

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import RenderableType

    from negbench.report.compare import ComparedRow, Run


@dataclass(frozen=True, repr=False)
class Comparison(Result):
    """The methods of two runs with their means and the difference, second minus first.

    ``changes`` has a line for each key of the grids, collection and encoder that is not the same in both.
    """

    first: Run
    second: Run
    rows: Sequence[ComparedRow]
    changes: Sequence[str]

    @property
    def data(self) -> dict[str, Any]:
        """``first`` and ``second``, the names of the runs, ``measure``, ``rows`` and ``changes``."""
        return {
            "first": self.first.name,
            "second": self.second.name,
            "measure": self.first.measure,
            "rows": [asdict(row) for row in self.rows],
            "changes": list(self.changes),
        }

    @property
    def markdown(self) -> str:
        """The table and its notes as Markdown."""
        from negbench.report.compare_text import to_markdown

        return to_markdown(self.rows, self.first, self.second, self.changes)

    @property
    def csv(self) -> str:
        """All values as CSV, unrounded."""
        from negbench.report.compare_text import to_csv

        return to_csv(self.rows)

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the comparison to a new file: ``.md`` or ``.csv``.

        Raises InputError for another ending, no folder, and a file that is there already.
        """
        from negbench.report.results import write_text

        path = Path(path)
        texts = {".md": lambda: self.markdown, ".csv": lambda: self.csv}
        if path.suffix not in texts:
            raise InputError(f"--out {path}: expected a file that ends in .md or .csv")
        if not path.parent.is_dir():
            raise InputError(f"--out {path}: there is no folder {path.parent}; make it first")
        if path.exists():
            raise InputError(f"--out {path}: exists already; give a new file, or remove this one")
        write_text(path, texts[path.suffix]())
        return path

    def to_pandas(self) -> DataFrame:
        """Return a row a method and point of the axes, with the columns of the CSV file."""
        from negbench.report.compare_text import values

        return frame(values(self.rows))

    def _renderable(self) -> RenderableType:
        """Return the table, and below it what it compares and what it cannot."""
        from rich.console import Group
        from rich.text import Text

        from negbench.report import compare_text, table

        heading, body = compare_text.cells(self.rows, self.first, self.second)
        shown = table.terminal(heading, body, compare_text.title(self.first, self.second))
        return Group(shown, Text("\n".join(compare_text.notes(self.rows, self.changes))))


def compare(first: str | PathLike[str], second: str | PathLike[str]) -> Comparison:
    """Compare the results of two runs by method: folders of results, or their manifests.

    The first measure is compared. A difference is paired by query and seed, with a 95 % interval, where both runs have
    values for the same queries and share a seed; else only the means are compared. Raises InputError for what is no
    folder of results, and for runs with different first measures.

    >>> for lr in ("1e-5", "1e-3"):
    ...     _ = negbench.run(negbench.load_grid("garden.yaml", [f"train.learning_rate={lr}"]), f"runs/{lr}")
    >>> comparison = negbench.compare("runs/1e-5", "runs/1e-3")
    >>> comparison.changes
    ['train.learning_rate: 1e-05 in 1e-5, 0.001 in 1e-3']
    >>> [row.method for row in comparison.rows if row.difference == 0]
    ['bm25-search', 'start', 'untouched']
    """
    from negbench.report import compare as comparing
    from negbench.report import stored

    folders = [stored.results_folder(Path(path)) for path in (first, second)]
    names = comparing.names(*map(str, folders))
    one, other = (_run(folder, name) for folder, name in zip(folders, names, strict=True))
    return Comparison(one, other, comparing.compare(one, other), comparing.changes(one, other))


def _run(folder: Path, name: str) -> Run:
    from negbench.config.document import Document
    from negbench.report import stored
    from negbench.report.compare import Run, flat

    data = stored.read(folder)
    values = stored.by_query(folder, [trial["name"] for trial in data["trials"]])
    return Run(name=name, data=data, values=values, keys=flat(Document.read(folder / stored.MANIFEST).data))
