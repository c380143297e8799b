"""Pages of the site that come from the registry: one for each named method, one for each kind of part."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import method_results  # MkDocs lets a hook import those beside it
from cells import cell, code, prose, table

import negbench

INTRODUCTION = {
    "methods": (
        "A grid names a method, and can change [any axis of it](../methods-and-axes.md). `fixed` forms do equal work; "
        "`METHOD(as=faithful)` takes its authors' recipe; `interpretation` marks what a source leaves open."
    ),
    "parts": (
        "A part is one file. A grid names it with its parameters, such as `simans(a=0.5)`, under the key that takes "
        "parts of its kind. [Adding a part](../adding-a-part.md) shows how to write one."
    ),
}

WIDE = "---\nhide: [toc]\n---\n"
"""Gives the room of a page's own contents to its tables."""


def method_page(name: str) -> str:
    """Return the page of a method: what it does, its paper, axes, forms, parameters, and its rows in results."""
    from negbench.methods.listing import axes_of, differs, form_changes

    details = negbench.describe_method(name)
    method, data = details.method, details.data
    paper = method.paper if str(method.year) in method.paper else f"{method.paper} ({method.year})"
    facts = {
        "Paper": paper,
        "Should show": method.shows,
        "Form": method.form,
        "Differs from the source in": differs(method),
    }
    facts["Needs beside training"] = data["needs"]
    lines = [f"# {name}", "", prose(method.summary), ""]
    lines += [f"- {key}: {prose(said)}" for key, said in facts.items() if said]
    lines += [f"- {prose(line)}" for line in form_changes(method)]
    lines += [
        "",
        "## Axes",
        *table(["axis", "value"], [[code(axis), code(said)] for axis, said in axes_of(method).items()]),
    ]
    if data["parameters"]:
        heading = ["key", "part", "type", "value", "default of the part", "bounds", "description"]
        lines += ["## Parameters", *table(heading, [_row(it, "key", "part") for it in data["parameters"]])]
    lines += method_results.section(name)
    return "\n".join(lines)


def methods_page() -> str:
    """Return the list of methods with links to their pages."""
    found = negbench.list_methods().methods
    rows = [[f"[{name}]({name}.md)", cell(it.summary), f"{it.year}"] for name, it in found.items()]
    return "\n".join(["# Methods", "", INTRODUCTION["methods"], *table(["method", "what it does", "year"], rows)])


def kind_page(kind: str) -> str:
    """Return the page of a kind of part: each with all that its docstring says, and its parameters."""
    parts = negbench.list_parts(kind).data
    key = parts[0]["key"]
    lines = [f"# {title(kind)}", "", f"Key of a grid or of a method: `{key}`." if key else "", ""]
    for part in (it for it in parts if it["kind"] == kind):
        lines += [f"## {part['name']}", "", prose(part["docstring"]), "", f"Module: `{part['module']}`.", ""]
        heading = ["parameter", "type", "default", "bounds", "description"]
        lines += table(heading, [_row(it, "name") for it in part["parameters"]]) if part["parameters"] else []
    return "\n".join(lines)


def parts_page() -> str:
    """Return the list of kinds with links to their pages and parts."""
    rows = []
    for kind in kinds():
        names = [part["name"] for part in negbench.list_parts(kind).data if part["kind"] == kind]
        rows.append([f"[{title(kind)}]({kind}.md)", ", ".join(f"[{name}]({kind}.md#{name})" for name in names)])
    return "\n".join(["# Parts", "", INTRODUCTION["parts"], *table(["kind", "parts"], rows)])


def kinds() -> list[str]:
    """Return the kinds that have parts."""
    return list(dict.fromkeys(part["kind"] for part in negbench.list_parts().data))


def title(kind: str) -> str:
    """Return a heading: ``Label rules`` of ``label-rule``."""
    words = kind.replace("-", " ").capitalize()
    return f"{words}es" if words.endswith(("s", "sh")) else f"{words}s"


@cache
def pages() -> dict[str, str]:
    """Return all generated pages by their path in the site, in the order of the navigation."""
    made = {"methods/index.md": methods_page()}
    made |= {f"methods/{name}.md": method_page(name) for name in negbench.list_methods().methods}
    made["parts/index.md"] = parts_page()
    return made | {f"parts/{kind}.md": kind_page(kind) for kind in kinds()}


def on_config(config: Any) -> Any:
    """Add the sections Methods and Parts to the navigation."""
    config.nav += [{"Methods": [it for it in pages() if it.startswith("methods/")]}]
    config.nav += [{"Parts": [it for it in pages() if it.startswith("parts/")]}]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages to the files of the site; nothing is written to ``docs/``."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=WIDE + text))
    return files


def _row(parameter: Mapping[str, Any], *first: str) -> list[str]:
    default = "required" if parameter["required"] else code(parameter["default"])
    values = [code(parameter["value"])] if "value" in parameter else []
    shown = [code(parameter[name]) for name in first]
    return [
        *shown,
        cell(parameter["type"]),
        *values,
        default,
        code(parameter["bounds"]),
        cell(parameter["description"]),
    ]
