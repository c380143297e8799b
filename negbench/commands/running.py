"""What commands that run a grid share: progress on stderr, and where the results are."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import typer

import negbench
from negbench.escaping import for_terminal
from negbench.terminal import console, print_error, say


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
    """Yield a callback that shows progress on stderr: a bar on a terminal, else one line per stage.

    ``about`` is said before the first.
    """
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    shown = console(stderr=True)
    texts = [TextColumn(form, markup=False) for form in ("{task.description}", "{task.fields[left]}")]
    columns = (SpinnerColumn(), texts[0], BarColumn(), texts[1])
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as bar:
        task = bar.add_task("checking the stored stages", total=None, left="")
        told = [about] if about else []

        def report(now: Any) -> None:
            left = f"about {_duration(now.seconds_left)} left"
            while told:
                shown.print(for_terminal(told.pop()))
            bar.update(task, total=now.total, completed=now.done, description=for_terminal(now.label), left=left)
            if not shown.is_terminal:
                say(f"[{now.done + 1}/{now.total}] {now.label} ({left})", stderr=True)

        yield report


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
