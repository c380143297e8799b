"""The parts that a grid can name, with their parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from negbench.api.result import Result

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import RenderableType

COLUMNS = ("kind", "part", "parameter", "type", "default", "bounds", "description")


@dataclass(frozen=True, repr=False)
class Parts(Result):
    """Parts by kind: samplers, filters, losses and so on, those of installed packages too."""

    parts: list[dict[str, Any]]

    @property
    def data(self) -> list[dict[str, Any]]:
        """Each part: kind, name, the key that takes it, version, module, summary, docstring, parameters."""
        return self.parts

    def to_pandas(self) -> DataFrame:
        """Return a row a parameter; a part without any has one row."""
        import pandas as pd

        rows = []
        for part in self.parts:
            of = {"kind": part["kind"], "part": part["name"]}
            rows += [{**of, **it, "parameter": it["name"]} for it in part["parameters"]] or [of]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def _renderable(self) -> RenderableType:
        """Return a table a kind; of a single part, all that its docstring says."""
        from rich.console import Group
        from rich.text import Text

        if len(self.parts) == 1:
            (part,) = self.parts
            key = f"; key {part['key']}" if part["key"] else ""
            return Group(Text(f"{part['kind']} {part['name']}{key}"), Text(part["docstring"]), _table(self.parts))
        kinds = dict.fromkeys(part["kind"] for part in self.parts)
        return Group(*(_table([part for part in self.parts if part["kind"] == kind]) for kind in kinds))


def _table(parts: list[dict[str, Any]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    key = f" (key {parts[0]['key']})" if parts[0]["key"] else ""
    table = Table(title=f"{parts[0]['kind']}{key}", title_justify="left", show_lines=True)
    for name in ("part", "what it does", "parameters"):
        table.add_column(name, overflow="fold")
    for part in parts:
        told = "\n".join(map(_parameter, part["parameters"]))
        table.add_row(Text(part["name"]), Text(part["summary"]), Text(told))
    return table


def _parameter(said: dict[str, Any]) -> str:
    import json

    default = said["default"]
    shown = default["name"] if isinstance(default, dict) and "name" in default else json.dumps(default)
    start = f"{said['name']} (required)" if said["required"] else f"{said['name']}={shown}"
    limits = f", {said['bounds']}" if said["bounds"] else ""
    return f"{start}: {said['type']}{limits}. {said['description']}".rstrip()


def list_parts(wanted: str | None = None) -> Parts:
    """Return the parts that a grid can name, with their parameters, bounds and defaults.

    ``wanted``: those of a kind (``"sampler"``, or the key that takes it, ``"selection"``) or of a name (``"simans"``).
    Raises InputError where nothing is called so.

    >>> [it["name"] for it in negbench.list_parts("simans").data[0]["parameters"]][:2]
    ['a', 'b']
    """
    from negbench.errors import InputError
    from negbench.methods.part_fields import described, find

    try:
        return Parts([described(part) for part in find(wanted)])
    except ValueError as error:
        raise InputError(str(error)) from error
