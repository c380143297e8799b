"""Tables of rich's as HTML, for notebooks. All text is escaped."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Column, Table

from negbench.escaping import for_html


def html(shown: Any) -> str:
    """Return a table, a text, or a group of these as HTML."""
    if isinstance(shown, Group):
        return "".join(map(html, shown.renderables))
    if isinstance(shown, Table):
        return _table(shown)
    return f"<p style='white-space: pre-wrap'>{for_html(str(shown))}</p>" if str(shown) else ""


def _table(table: Table) -> str:
    title = f"<caption>{for_html(str(table.title))}</caption>" if table.title else ""
    heading = "".join(f"<th{_side(column)}>{for_html(str(column.header))}</th>" for column in table.columns)
    lines = zip(*(column.cells for column in table.columns), strict=True)
    body = "".join(f"<tr>{''.join(map(_cell, table.columns, line))}</tr>" for line in lines)
    below = html(table.caption) if table.caption else ""
    return f"<table>{title}<thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table>{below}"


def _cell(column: Column, text: Any) -> str:
    return f"<td{_side(column)}>{for_html(str(text))}</td>"


def _side(column: Column) -> str:
    return " style='text-align: right'" if column.justify == "right" else " style='text-align: left'"
