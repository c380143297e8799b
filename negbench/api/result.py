"""What every function of the API returns: something that shows itself as a table, and turns into plain data."""

from __future__ import annotations

import csv
import io
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from negbench.errors import InputError
from negbench.escaping import Escaped

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
    from rich.console import Console, RenderableType

WIDTH = 160
"""Characters per line of ``Result.table``, and of the command line's output where it is not a terminal."""


class Result(ABC):
    """Figures with a table: ``print`` it, end a notebook's cell with it, or turn it into a DataFrame."""

    wraps: ClassVar[bool] = True
    """Whether sentences beside a table are broken at the terminal's width."""

    @abstractmethod
    def _renderable(self) -> RenderableType:
        """Return the table and the sentences around it for rich, with texts of users as they are."""

    def __rich__(self) -> RenderableType:
        """Return what ``rich.print`` shows: characters that would steer a terminal are written out."""
        return Escaped(self._renderable())

    @property
    @abstractmethod
    def data(self) -> Any:
        """All of it as plain data, ready for JSON: what the command line prints with ``--json``."""

    @abstractmethod
    def to_pandas(self) -> DataFrame:
        """Return the figures as a DataFrame; imports pandas."""

    def figures(self) -> Mapping[str, Figure]:
        """Return all figures by name; imports matplotlib."""
        return {}

    def figure(self, name: str) -> Figure:
        """Return a figure of matplotlib's. Raises InputError for an unknown name, and lists those that there are."""
        drawn = self.figures()
        if name not in drawn:
            expected = f"expected one of {', '.join(drawn)}" if drawn else f"{type(self).__name__} has no figures"
            raise InputError(f"figure {name!r}: there is none; {expected}")
        return drawn[name]

    @property
    def table(self) -> str:
        """What the command line prints, ``WIDTH`` letters wide at most."""
        from rich.console import Console

        out = io.StringIO()
        self.show(Console(file=out, width=WIDTH))
        return out.getvalue()

    def show(self, console: Console | None = None) -> None:
        """Print it to a console of rich's; standard output by default, as wide as the terminal, if it is one."""
        from rich.console import Console

        console = console or Console(width=None if sys.stdout.isatty() else WIDTH)
        console.print(self, markup=False, highlight=False, soft_wrap=not self.wraps)

    def __repr__(self) -> str:
        return self.table.rstrip("\n")

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook shows for the result."""
        from negbench.api.html import html

        return html(self._renderable())


def frame(lines: Sequence[Sequence[Any]]) -> DataFrame:
    """Return lines below a heading as a DataFrame whose columns have the types that their cells look like."""
    import pandas as pd

    out = io.StringIO()
    csv.writer(out).writerows(lines)
    return pd.read_csv(io.StringIO(out.getvalue()), keep_default_na=False, na_values=[""])
