"""The methods that a grid can name: all of them, and one in detail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from negbench.api.result import Result

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import RenderableType

    from negbench.methods import Method

COLUMNS = ("method", "what it does", "axes", "form", "needs beside training", "paper")


@dataclass(frozen=True, repr=False)
class Methods(Result):
    """The methods that ``negbench.methods`` lists, by name."""

    methods: Mapping[str, Method]

    @property
    def data(self) -> dict[str, Any]:
        """Every field of every method, by its name; a part with its name and all of its parameters."""
        from negbench.methods.listing import fields

        return {name: fields(method) for name, method in self.methods.items()}

    @property
    def markdown(self) -> str:
        """The page ``configs/methods.md``: a Markdown table, one method a row."""
        from negbench.methods import listing

        return listing.page(self.methods.values())

    def to_pandas(self) -> DataFrame:
        """Return a row a method: its name, what it does, axes, form, what it needs beside training, paper."""
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=list(COLUMNS))

    def _renderable(self) -> RenderableType:
        """Return the table that ``negbench methods`` prints, one method a row."""
        from rich.table import Table
        from rich.text import Text

        table = Table(title="methods", title_justify="left", show_lines=True)
        for name in COLUMNS:
            table.add_column(name, overflow="fold")
        for row in self._rows():
            table.add_row(*map(Text, row))
        return table

    def _rows(self) -> list[tuple[str, ...]]:
        from negbench.methods.listing import axes, cost, forms

        return [
            (name, it.summary, axes(it), forms(it), cost(it), f"{it.paper} ({it.year})")
            for name, it in self.methods.items()
        ]


@dataclass(frozen=True, repr=False)
class MethodDetails(Result):
    """A method: where it stands on the axes, its forms, and the parameters that a grid may set."""

    method: Method

    @property
    def data(self) -> dict[str, Any]:
        """Every field, ``spelling``, ``needs`` beside training, and ``parameters`` by the key that a grid sets."""
        from negbench.methods.listing import cost, fields, parameters

        found = {key: value for key, value in fields(self.method).items() if key != "parameters"}
        return {
            **found,
            "spelling": self.method.spelling,
            "needs": cost(self.method),
            "aliases": dict(self.method.parameters),
            "parameters": parameters(self.method),
        }

    def to_pandas(self) -> DataFrame:
        """Return a row a parameter: key, part, type, value, default, bounds, description."""
        import pandas as pd

        return pd.DataFrame(self.data["parameters"], columns=list(PARAMETERS))

    def _renderable(self) -> RenderableType:
        """Return what is said of the method, its axes, and its parameters."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        from negbench.methods.listing import axes_of, differs, form_changes

        method, data = self.method, self.data
        lines = [f"{method.spelling}: {method.summary}", f"paper: {method.paper} ({method.year})"]
        lines += [f"should show: {method.shows}", f"form: {method.form}", *form_changes(method)]
        lines += [f"differs from the source in: {said}"] if (said := differs(method)) else []
        lines += [f"needs beside training: {data['needs']}"]
        axes = Table(title="axes", title_justify="left")
        axes.add_column("axis", no_wrap=True)
        axes.add_column("value", overflow="fold")
        for axis, value in axes_of(method).items():
            axes.add_row(Text(axis), Text(value))
        table = Table(title="parameters", title_justify="left")
        for name in PARAMETERS:
            table.add_column(name, overflow="fold")
        for row in data["parameters"]:
            table.add_row(*(Text(_shown(row[name])) for name in PARAMETERS))
        if not data["parameters"]:
            return Group(*map(Text, lines), axes)
        return Group(*map(Text, lines), axes, table, Text(f"in a grid: methods: [{method.name}: {{{_example(data)}}}]"))


PARAMETERS = ("key", "part", "type", "value", "default", "bounds", "description")


def _example(data: dict[str, Any]) -> str:
    """Return a parameter of the selection or of a filter, or the first one, as a grid sets it."""
    rows = data["parameters"]
    chosen = next((row for row in rows if row["part"].startswith(("selection", "filters"))), rows[0])
    return f"{chosen['key']}: {_shown(chosen['value'])}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping) and "name" in value:
        return str(value["name"])
    return json.dumps(value) if not isinstance(value, str) else value


def describe_method(method: str | Mapping[str, Any]) -> MethodDetails:
    """Return one method in detail; ``method`` is as in a grid: ``"simans(a=0.5)"``. Raises InputError for no such one.

    >>> details = negbench.describe_method("simans(a=0.5)")
    >>> [row["value"] for row in details.data["parameters"] if row["key"] == "a"]
    [0.5]
    """
    from pydantic import ValidationError

    from negbench.errors import InputError, with_key
    from negbench.methods import resolve

    try:
        return MethodDetails(resolve(method))
    except ValidationError as error:
        raise InputError(f"method {method}: {with_key(error.errors()[0])}") from error
    except ValueError as error:
        raise InputError(f"method {method}: {error}") from error


def list_methods() -> Methods:
    """Return the methods that a grid can name: what they do, from which paper, in which forms, what they need.

    >>> methods = negbench.list_methods()
    >>> "simans" in methods.methods
    True
    """
    from negbench.methods import catalogue

    return Methods(catalogue())
