"""The methods as a list for people: on the terminal, and as the page beside the grids/."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from negbench.batching.pairs import PairBatching
from negbench.methods import Method
from negbench.methods.axes import AXES
from negbench.methods.overrides import KEYS, shortest_key
from negbench.methods.part_fields import parameter, plain
from negbench.requirements import merged


def axes(method: Method) -> str:
    """Return where a method stands on the axes, those at rest left out."""
    if method.phases:
        return f"phases {', '.join(phase.spelling for phase in method.phases)}"
    said = [_place(axis, getattr(method, axis)) for axis in AXES if not method.at_rest(axis)]
    if method.candidates is None:  # then there can be no others
        said.remove(_place("negatives", 0))
    said += ["as many documents a step"] if method.equal_documents else []
    return "; ".join(said) or "in-batch negatives alone"


def _place(axis: str, value: object) -> str:
    """Return ``filters margin, rank-band``; the axis alone where it is on or off."""
    if isinstance(value, bool):
        return axis
    return f"{axis} {', '.join(map(str, value)) if isinstance(value, tuple) else value}"


def fields(method: Method) -> dict[str, Any]:
    """Return every field of a method ready for JSON, parts with their names and all of their parameters."""
    return {name: plain(getattr(method, name)) for name in type(method).model_fields}


def axes_of(method: Method) -> dict[str, str]:
    """Return the method's place on each axis, spelled; of a method in phases, the phases."""
    if method.phases:
        return {f"phase {number}": phase.spelling for number, phase in enumerate(method.phases, 1)}
    places = {axis: _value(getattr(method, axis)) for axis in AXES}
    return places if method.negatives is not None else {**places, "negatives": "the grid's number"}


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def parameters(method: Method) -> list[dict[str, Any]]:
    """Return the parameters of a method's parts with the shortest key that sets each, its value and its default.

    The default is that of the part; the method may set another value.
    """
    found = []
    for path, part in method.part_paths().items():
        for name, field in type(part).model_fields.items():
            said = parameter(name, field)
            key = shortest_key(method, path, name)
            found.append({**said, "key": key, "part": f"{path}: {part.name}", "value": plain(getattr(part, name))})
    return found


def form_changes(method: Method) -> list[str]:
    """Return a line for each further form with what it changes."""
    lines = []
    for name, form in method.forms.items():
        changes = [f"{key}={plain(value)}" for key, value in form.items() if key != "differs"]
        lines.append(f"form {name}, {method.name}(as={name}): {', '.join(changes)}")
    return lines


def cost(method: Method) -> str:
    """Return what a method needs beside its training."""
    if method.phases:
        return _cost_of_phases(method)
    if len(method.by_source) > 1:
        return _each_once(map(cost, method.by_source))
    retriever = method.retriever
    needs = []
    if method.equal_documents:
        needs.append("twice the documents a step (at one negative a row)")
    if retriever is not None and retriever.needs_vectors:
        by = "the start" if retriever.miner is None else retriever.miner.model
        needs.append(f"the corpus encoded once by {by}")
    if method.refresh.mode == "when-easy":
        needs.append("queries and negatives in use encoded again at each check")
    elif method.refresh.searches:
        encoded = not method.refresh.per_batch and method.trains == "both"
        needs.append("the corpus encoded again at each refresh" if encoded else "a search at each refresh")
    if retriever is not None and retriever.name in ("bm25", "okapi", "hybrid"):
        needs.append("a BM25 index")
    if retriever is not None and retriever.name == "voyager":
        needs.append("a Voyager index")
    needs += [it.cost for it in merged(it for part in method.pool_parts for it in part.requires)]
    if method.batching.wants_clusters is not None:
        needs.append("k-means of the training queries")
    if isinstance(method.batching, PairBatching):
        needs.append("training queries and the corpus encoded by the start or a teacher")
    if method.detector is not None:
        needs.append("queries and positives encoded before an epoch")
    needs += [requirement.cost for requirement in method.loss.requires]
    return ", ".join(dict.fromkeys(filter(None, needs))) or "nothing"


def _cost_of_phases(method: Method) -> str:
    """Return what a method of several phases needs beside its training, each thing once."""
    needs = [cost(phase.method) for phase in method.phases]
    later = [phase for phase in method.phases[1:] if phase.candidates_from == "previous"]
    retrievers = [retriever for phase in later if (retriever := phase.method.retriever) is not None]
    if any(retriever.needs_vectors and retriever.miner is None for retriever in retrievers):
        needs.append("the corpus encoded again for a later phase")
    return _each_once(needs)


def _each_once(needs: Iterable[str]) -> str:
    """Join what several methods need, each thing once."""
    things = dict.fromkeys(need for needed in needs for need in needed.split(", "))
    things.pop("nothing", None)
    return ", ".join(things) or "nothing"


def forms(method: Method) -> str:
    """Return the forms that a method exists in."""
    return ", ".join([method.form, *method.forms])


def differs(method: Method) -> str:
    """Return what a method leaves out or replaces of its source's recipe, each form's with its name before it."""
    differences = [method.differs] if method.differs else []
    differences += [f"{name}: {form['differs']}" for name, form in method.forms.items() if "differs" in form]
    differences += [f"no faithful form: {method.not_faithful}"] if method.not_faithful else []
    return "; ".join(differences)


def page(methods: Iterable[Method]) -> str:
    """Return the Markdown page ``configs/methods.md``, which ``negbench methods --markdown`` prints."""
    heading = ["method", "what it does", "paper", "axes", "form", "differs from the source in"]
    heading += ["needs beside training", "should show"]
    lines = [
        "# Methods",
        "",
        "What a grid can name, made by `negbench methods --markdown` from `negbench/methods/`. `fixed` forms do equal",
        "work; `METHOD(as=faithful)` takes its authors' recipe; `interpretation` marks what a source leaves open. What",
        "its parts differ in stands in their docstrings.",
        "",
        f"| {' | '.join(heading)} |",
        f"| {' | '.join(['---'] * len(heading))} |",
    ]
    for method in methods:
        paper = method.paper if str(method.year) in method.paper else f"{method.paper} ({method.year})"
        cells = [f"`{method.name}`", method.summary, paper, axes(method), forms(method), differs(method)]
        cells += [cost(method), method.shows]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines += ["", "## Axes", "", "What a grid can set of a method: `simans: {loss: margin-mse}`.", ""]
    lines += [f"- `{key}`: {Method.model_fields[key].description}" for key in KEYS]
    return "\n".join(lines) + "\n"
