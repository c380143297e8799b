"""The examples of docstrings and of docs/python.md work as they stand there."""

from __future__ import annotations

import doctest
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_workplace import HELPDESK

import negbench

FUNCTIONS = [getattr(negbench, name) for name in negbench.__all__ if inspect.isfunction(getattr(negbench, name))]
PAGE = Path(__file__).parents[2] / "docs/python.md"


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_of_a_docstring(function: Callable[..., Any], here: Path) -> None:
    (test,) = doctest.DocTestFinder(recurse=False).find(
        function, function.__name__, globs={"negbench": negbench, "HELPDESK": HELPDESK}
    )
    assert test.examples
    said: list[str] = []
    outcome = doctest.DocTestRunner().run(test, out=said.append)
    assert outcome.failed == 0, "".join(said)


def test_of_the_page(here: Path) -> None:
    """One after another, as in a notebook."""
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL):
        exec(compile(code, str(PAGE), "exec"), names)
    assert names["mined"].rows


def test_the_page_names_every_function() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [it.__name__ for it in FUNCTIONS if f"negbench.{it.__name__}" not in text] == []
