"""What commands that run a grid share: progress on stderr, and where the results are."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import typer

import negbench
from negbench.escaping import for_terminal
from negbench.terminal import console, print_error, say

if TYPE_CHECKING:
    from rich.table import Table


def print_outcome(results: negbench.Results, as_json: bool) -> None:
    """Print where the results are and what failed; exit with code 1 if anything failed."""
    if not as_json:
        for line in (f"results in {results.path}; {results.tracking}", *results.model_notes):
            say(line)
    for reason in dict.fromkeys(results.failures.values()):
        names = [name for name, why in results.failures.items() if why == reason]
        trials = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
        print_error(f"failed: {trials}: {reason}")
    if results.failures:
        say(f"tracebacks in {results.path / 'errors.log'}", stderr=True)
        raise typer.Exit(1)


def given_command() -> list[str]:
    """Return the command line as a manifest records it."""
    return ["negbench", *sys.argv[1:]]


def size_of(grid: negbench.Grid) -> str:
    """Return how many trials a grid has, in words."""
    trials = sum(len(row["seeds"]) for row in grid.data)
    return f"grid {grid.name}: {trials:,} {'trial' if trials == 1 else 'trials'}, and its references"


@contextlib.contextmanager
def progress_bar(about: str = "") -> Iterator[Callable[[Any], None]]:
    """Yield a callback that shows progress on stderr: one line per stage, or on a terminal a bar below what is done.

    ``about`` is said before the first.
    """
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.text import Text

    shown = console(stderr=True)
    left_column = TextColumn("{task.description}", markup=False)
    bar = Progress(SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), left_column)
    task = bar.add_task("checking the stored stages", total=None)
    told = [about] if about else []
    live = Live(bar, console=shown, transient=True) if shown.is_terminal else contextlib.nullcontext()
    with live:

        def report(now: Any) -> None:
            left = "" if now.seconds_left is None else f"about {_duration(now.seconds_left)} left"
            while told:
                shown.print(for_terminal(told.pop()), soft_wrap=True)
            bar.update(task, total=now.total, completed=now.done, description=left)
            if isinstance(live, Live):
                label = Text(for_terminal(now.label), no_wrap=True, overflow="ellipsis")
                above = (_standings(now.finished), Text()) if now.finished else ()
                live.update(Group(*above, bar, label), refresh=True)
            else:
                begins = now.label if now.begins is None else now.begins
                say(f"[{now.number}/{now.total}] {begins}" + (f" ({left})" if left else ""), stderr=True)

        yield report


def _standings(finished: Sequence[Any]) -> Table:
    """Return the table of the methods of which trials are done."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for number, name in enumerate(("so far", finished[0].measure, "seeds")):
        justify: Literal["right", "left"] = "right" if number else "left"
        table.add_column(Text(name), justify=justify, no_wrap=True, overflow="ellipsis", max_width=40)
    for one in finished:
        table.add_row(*[Text(for_terminal(it)) for it in (one.method, f"{one.mean:.4f}", str(one.seeds))])
    return table


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
