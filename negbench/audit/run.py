"""An audit from a path to an estimate: describe the negatives, draw a sheet, serve it, estimate from answers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from negbench.audit import answers, description, draw, frame, readers, serve, sheet
from negbench.audit.estimate import Estimate, estimate
from negbench.collections.resolve import source_of
from negbench.encoders.precision import resolve
from negbench.errors import InputError, plainly
from negbench.plan.sources import LoadCollection, read_collection
from negbench.store import Store
from negbench.teachers import Teacher
from negbench.types import Collection, Float64

LABELS = 200
"""Pairs that people are asked about where nobody says how many."""


@dataclass(frozen=True)
class Asked:
    """What the user asked for, as the command's help says it."""

    negatives: tuple[Path, ...]
    collection: str | None = None
    labels: int | None = None
    width: float | None = None
    serve: bool = False
    out: Path | None = None
    seed: int = 0
    answers: Path | None = None
    judge: str | None = None
    annotator: str | None = None


@dataclass(frozen=True)
class Found:
    """What came of it: ``methods`` and ``examples`` as in ``description`` (none for a folder with a sheet alone)."""

    methods: list[dict[str, Any]]
    examples: list[tuple[str, str]]
    folder: Path
    sheet: sheet.Sheet | None
    fresh: bool
    estimate: Estimate | None


def run(asked: Asked, store: Store, show: Callable[[str], None]) -> Found:
    """Do what was asked; with ``serve`` this returns when the user interrupts it. ``show`` hears the page's address.

    Raises InputError for what is wrong, before anything is written.
    """
    drawing = asked.labels is not None or asked.width is not None or asked.judge is not None
    if asked.labels is not None and asked.width is not None:
        raise InputError("--labels and --width: give one, the other follows from it")
    if asked.annotator is not None and not asked.serve:
        raise InputError("--annotator: names who answers on the page; add --serve, or use the sheet's column annotator")
    if sheet.is_there(asked.negatives[0]):
        folder, whole = asked.negatives[0], None
        given = {"--collection": asked.collection, "--out": asked.out, "another path": asked.negatives[1:] or None}
        if odd := [name for name, value in given.items() if value is not None]:
            raise InputError(f"{folder}: holds a sheet that was drawn already; leave out {odd[0]}")
    else:
        whole = frame.build(*readers.read(asked.negatives, _collection(asked.collection, store), store))
        folder = asked.out or Path("audits") / "+".join(map(_name, asked.negatives))
    fresh = False
    if sheet.is_there(folder):
        if drawing:
            raise InputError(f"{folder}: holds a sheet that was drawn already; draw another one with --out")
        filled = sheet.load(folder)
        if whole is not None and not filled.is_of(whole):
            if asked.out is None and asked.answers is None and not asked.serve:  # a look at files of a name used before
                return Found(description.describe(whole), description.known_positives(whole), folder, None, False, None)
            raise InputError(f"{folder}: its sheet was drawn from other negatives than these; choose another --out")
    elif drawing or asked.serve:
        assert whole is not None
        labels = None if asked.width is not None else asked.labels or LABELS
        judge = None if asked.judge is None else _judged(whole, asked.judge)
        drawn = draw.draw(whole, labels, asked.width, asked.seed, judge)
        filled, fresh = sheet.write(folder, whole, drawn, asked.seed, judge), True
    elif asked.answers is not None:
        raise InputError(f"--answers: {folder} holds no sheet that they could answer; draw one with --labels {LABELS}")
    else:
        assert whole is not None
        return Found(description.describe(whole), description.known_positives(whole), folder, None, False, None)
    if asked.serve:
        _serve(folder, asked.annotator or "", show)
    said = answers.of_folder if asked.answers is None else answers.of_file
    found = estimate(filled, said(asked.answers or folder, len(filled.items)))
    methods, examples = ([], []) if whole is None else (description.describe(whole), description.known_positives(whole))
    return Found(methods, examples, folder, filled, fresh, found)


def _serve(folder: Path, annotator: str, show: Callable[[str], None]) -> None:
    with serve.serving(folder, annotator=annotator) as address:
        show(address)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


def _judged(whole: frame.Frame, spelling: str) -> Float64:
    """Return a judge's score of each pair [N], NaN where it gave none; InputError where it gave none at all."""
    try:
        judge = Teacher.model_validate(spelling)
    except ValidationError as error:
        raise InputError(f"--judge: {plainly(error.errors()[0])}") from error
    if judge.training_folds:
        raise InputError(f"--judge: {judge.name} is trained on labels; a judge comes as it is: bi-encoder, llm, ...")
    pairs = zip(whole.queries.tolist(), whole.documents.tolist(), strict=True)
    texts = [(whole.query_texts[query], whole.document_texts[document]) for query, document in pairs]
    scores = judge.checked_scores(texts, None, resolve("auto")).astype(np.float64)
    if np.isnan(scores).all():
        raise InputError(f"--judge: {judge.spelling} gave none of the {len(texts)} pairs a score; ask another")
    return scores


def _name(path: Path) -> str:
    return path.resolve().name.split(".")[0] or path.resolve().name


def _collection(text: str | None, store: Store) -> Collection | None:
    if text is None:
        return None
    source = source_of(text)
    return read_collection(store.ensure(LoadCollection(source, source.fingerprint())))
