"""The methods as a list for people: on the terminal, and as the page beside the grids/."""

from __future__ import annotations

from collections.abc import Iterable

from negbench.asks import (
    AverageTargets,
    GuideTargets,
    JudgedRanks,
    LexicalTargets,
    NearDuplicates,
    PositiveSimilarity,
    TeacherScores,
    TeacherTargets,
)
from negbench.methods import Method


def axes(method: Method) -> str:
    """Return where a method stands on the axes, those at rest left out."""
    if method.stages:
        return f"stages {', '.join(phase.spelling for phase in method.stages)}"
    said = []
    if method.candidates is not None:
        said.append(f"candidates {method.candidates}")
    said += [f"labels {', '.join(map(str, method.labels))}"] if method.labels else []
    said += [f"filters {', '.join(map(str, method.filters))}"] if method.filters else []
    if method.selection is not None:
        said.append(f"selection {method.selection}")
    said += [f"refresh {method.refresh}"] if method.refresh.moves else []
    said += [f"trains {method.trains} alone"] if method.trains != "both" else []
    said += [f"batching {method.batching}"] if method.batching.name != "random" else []
    said += [f"detector {method.detector}"] if method.detector is not None else []
    said += [f"loss {method.loss}"] if method.loss.name != "infonce" else []
    said += ["growing"] if method.growing else []
    said += ["as many documents a step"] if method.equal_documents else []
    return "; ".join(said) or "in-batch negatives alone"


def cost(method: Method) -> str:
    """Return what a method needs beside its training."""
    if method.stages:
        return _cost_of_stages(method)
    retriever = method.retriever
    needs = []
    if method.equal_documents:
        needs.append("twice the documents a step (at one negative a row)")
    if retriever is not None and retriever.needs_vectors:
        needs.append("the corpus encoded once by the start")
    if method.refresh.moves:
        encoded = method.refresh.whole and method.trains == "both"
        needs.append("the corpus encoded again at each refresh" if encoded else "a search at each refresh")
    if retriever is not None and retriever.name in ("bm25", "okapi", "hybrid"):
        needs.append("a BM25 index")
    if retriever is not None and retriever.name == "voyager":
        needs.append("a Voyager index")
    asks = dict.fromkeys(ask for part in method.asking for ask in part.asks)
    scores = [ask for ask in asks if isinstance(ask, TeacherScores)]
    if scores:
        depth = max(ask.depth for ask in scores)
        needs.append(f"a teacher's scores of {f'{depth} ranks a query' if depth else 'the positives'}")
    words = {
        NearDuplicates: "a search for near-duplicates",
        PositiveSimilarity: "similarities to the positives",
        JudgedRanks: "a search for the dev queries",
    }
    needs += [text for kind, text in words.items() if any(isinstance(ask, kind) for ask in asks)]
    if method.batching.wants_clusters is not None:
        needs.append("k-means of the training queries")
    if method.detector is not None:
        needs.append("queries and positives encoded before an epoch")
    asked = {
        TeacherTargets: "a teacher's scores of what is trained with",
        LexicalTargets: "a BM25 index",
        GuideTargets: "what is trained with encoded by a guide",
        AverageTargets: "each batch encoded by a copy, too",
    }
    told = (method.loss.asks, method.loss.guided)
    needs += [text for kind, text in asked.items() if any(isinstance(it, kind) for it in told) and text not in needs]
    return ", ".join(needs) or "nothing"


def _cost_of_stages(method: Method) -> str:
    """Return what the stages need, each thing once."""
    needs = dict.fromkeys(cost(phase.method) for phase in method.stages)
    later = [phase for phase in method.stages[1:] if phase.candidates_from == "previous"]
    if any(phase.method.retriever is not None and phase.method.retriever.needs_vectors for phase in later):
        needs["the corpus encoded again for a later stage"] = None
    needs.pop("nothing", None)
    return ", ".join(dict.fromkeys(need for needed in needs for need in needed.split(", "))) or "nothing"


def forms(method: Method) -> str:
    """Return the forms that a method exists in."""
    return ", ".join([method.form, *method.forms])


def differs(method: Method) -> str:
    """Return what a method leaves out or replaces of its source's recipe, each form's with its name before it."""
    told = [method.differs] if method.differs else []
    told += [f"{name}: {form['differs']}" for name, form in method.forms.items() if "differs" in form]
    told += [f"no faithful form: {method.not_faithful}"] if method.not_faithful else []
    return "; ".join(told)


def page(methods: Iterable[Method]) -> str:
    """Return configs/methods.md: ``negbench methods --markdown``."""
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
    return "\n".join(lines) + "\n"
