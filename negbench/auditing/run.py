"""An audit from a path to an estimate: describe the negatives, draw a sheet, serve it, estimate from answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from negbench import user_files
from negbench.auditing import answers, description, draw, population, rank_figure, readers, serve, sheet
from negbench.auditing.estimate import Estimate, estimate
from negbench.auditing.known import Known
from negbench.chat import MissingKeyError
from negbench.chat.answers import Answers
from negbench.collections.layouts.rows import Row
from negbench.collections.resolve import source_of
from negbench.encoders.precision import resolve
from negbench.errors import InputError, with_key
from negbench.stages.inputs import LoadCollection, read_collection
from negbench.store import Store
from negbench.store.writable import check_writable
from negbench.teachers import Teacher
from negbench.types import Float64

LABELS = 200
"""Default number of pairs to label."""


@dataclass(frozen=True, kw_only=True)
class AuditRequest:
    """Arguments of the command ``negbench audit``."""

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
    export: str | None = None


@dataclass(frozen=True, kw_only=True)
class AuditResult:
    """Result of an audit: ``methods`` and ``examples`` as in ``description``, empty if only a sheet was read.

    ``fresh`` tells whether ``sheet`` was drawn by this call; ``exported`` are the files that it wrote for another tool,
    ``figure`` those of the rates by rank. ``grid`` is the grid or the manifest whose negatives these are, if any.
    """

    methods: list[dict[str, Any]]
    examples: list[tuple[str, str]]
    folder: Path
    sheet: sheet.Sheet | None
    fresh: bool
    estimate: Estimate | None
    exported: tuple[Path, ...] = ()
    figure: tuple[Path, ...] = ()
    grid: Path | None = None


def run(asked: AuditRequest, store: Store, show: Callable[[str], None]) -> AuditResult:
    """Run an audit; with ``serve`` until the user interrupts it. ``show`` is called with the page's address.

    Raises InputError for wrong arguments or files, before anything is written.
    """
    drawing = asked.labels is not None or asked.width is not None or asked.judge is not None
    if asked.labels is not None and asked.width is not None:
        raise InputError("--labels and --width: give one of them; each determines the other")
    if asked.annotator is not None and not asked.serve:
        raise InputError("--annotator: needs --serve, whose answers it names; in the sheet use the column annotator")
    judge = None if asked.judge is None else _judge(asked.judge)  # before files that may take long to read
    if sheet.is_there(asked.negatives[0]):
        folder, audited = asked.negatives[0], None
        options = {"--collection": asked.collection, "--out": asked.out, "--seed": asked.seed or None}
        given = {**options, "another path": asked.negatives[1:] or None}
        if odd := [name for name, value in given.items() if value is not None]:
            raise InputError(f"{folder}: already has a sheet; leave out {odd[0]}")
    else:
        writing = drawing or asked.serve or asked.export is not None
        if asked.seed and not writing:
            raise InputError("--seed: no sheet is drawn; add --label, or leave it out")
        folder = asked.out or Path("audits") / _folder_name(asked)
        if writing and not user_files.is_there(folder):
            check_writable(folder, "folder of the sheet")
        if asked.out is not None and not writing and not sheet.is_there(folder):
            raise InputError(f"--out {folder}: has no sheet, and none is drawn; add --label, or leave it out")
        audited = population.build(*_rows(asked, store))
    fresh = False
    if sheet.is_there(folder):
        if drawing:
            raise InputError(f"{folder}: already has a sheet; draw another one with --out")
        filled = sheet.load(folder)
        if audited is not None and not filled.is_of(audited):
            if asked.out is None and asked.answers is None and not asked.serve:  # other files of the same name
                return AuditResult(
                    methods=description.describe(audited),
                    examples=description.known_positives(audited),
                    folder=folder,
                    sheet=None,
                    fresh=False,
                    estimate=None,
                )
            raise InputError(f"{folder}: its sheet was drawn from other negatives; choose another --out")
    elif drawing or asked.serve or asked.export:
        assert audited is not None
        labels = None if asked.width is not None else asked.labels or LABELS
        scores = None if judge is None else _judged(audited, judge)
        drawn = draw.draw(audited, labels, asked.width, asked.seed, scores)
        if asked.answers is not None:  # refused before a sheet is written
            answers.of_file(asked.answers, len(sheet.of(audited, drawn, asked.seed, scores).items))
        filled, fresh = sheet.write(folder, audited, drawn, asked.seed, scores), True
    elif asked.answers is not None:
        raise InputError(f"--answers: {folder} has no sheet; draw one with --labels {LABELS}")
    else:
        assert audited is not None
        return AuditResult(
            methods=description.describe(audited),
            examples=description.known_positives(audited),
            folder=folder,
            sheet=None,
            fresh=False,
            estimate=None,
        )
    exported = _exported(folder, asked.export)
    if asked.serve:
        _serve(folder, asked.annotator or "", show)
    said = answers.of_folder if asked.answers is None else answers.of_file
    estimated = estimate(filled, said(asked.answers or folder, len(filled.items)))
    figure = () if estimated is None else tuple(rank_figure.write(folder, estimated.by_rank))
    methods, examples = (
        ([], []) if audited is None else (description.describe(audited), description.known_positives(audited))
    )
    return AuditResult(
        methods=methods,
        examples=examples,
        folder=folder,
        sheet=filled,
        fresh=fresh,
        estimate=estimated,
        exported=exported,
        figure=figure,
        grid=None if audited is None else readers.grid_of(asked.negatives[0]),
    )


def _exported(folder: Path, tool: str | None) -> tuple[Path, ...]:
    """Write the sheet for a labelling tool, and return the files; none without a tool."""
    return () if tool is None else tuple(answers.TOOLS[tool].write(folder, sheet.texts(folder)))


def _serve(folder: Path, annotator: str, show: Callable[[str], None]) -> None:
    with serve.serving(folder, annotator=annotator) as address:
        show(address)
        try:
            threading.Event().wait()
        except KeyboardInterrupt as error:
            if type(error) is not KeyboardInterrupt:  # a signal that ends the process, not Ctrl-C
                raise


def _judge(spelling: str) -> Teacher:
    """Return the judge that a spelling names; InputError for none, and for one that cannot be loaded or asked."""
    try:
        judge = Teacher.model_validate(spelling)
    except ValidationError as error:
        raise InputError(f"--judge: {with_key(error.errors()[0])}") from error
    if judge.training_folds:
        raise InputError(f"--judge: {judge.name} is trained on labels; choose a pretrained model: bi-encoder, llm, ...")
    if judge.listwise:
        raise InputError(f"--judge: {judge.name} ranks a query's passages; choose a judge that scores each by itself")
    try:
        judge.check_usable()
    except InputError as error:
        if not (isinstance(error, MissingKeyError) and Answers.default().is_file()):  # else all answers may be kept
            raise InputError(f"--judge: {error}") from error
    return judge


def _judged(whole: population.Population, judge: Teacher) -> Float64:
    """Return the judge's score of each pair [N], NaN where it gives none; InputError if it scores no pair."""
    pairs = zip(whole.queries.tolist(), whole.documents.tolist(), strict=True)
    texts = [(whole.query_texts[query], whole.document_texts[document]) for query, document in pairs]
    scores = judge.checked_scores(texts, None, resolve("auto")).astype(np.float64)
    if np.isnan(scores).all():
        raise InputError(f"--judge: {judge.spelling} gave none of the {len(texts)} pairs a score; choose another judge")
    return scores


def _rows(asked: AuditRequest, store: Store) -> tuple[dict[str, Sequence[Row]], Known | None]:
    """Return the rows by method, and the judgments of the collection, which a grid has itself."""
    if asked.collection is None or any(map(readers.grid_of, asked.negatives)):
        return readers.read(asked.negatives, None, store, asked.collection)
    source = source_of(asked.collection)
    loaded = read_collection(store.ensure(LoadCollection(source, source.fingerprint())))
    return readers.read(asked.negatives, loaded, store)


def _folder_name(asked: AuditRequest) -> str:
    """Return what the folder of the sheet is called: after the paths, and the one of a grid's collections if given."""
    name = "+".join(map(_name, asked.negatives))
    if asked.collection is None or readers.grid_of(asked.negatives[0]) is None:
        return name
    return f"{name}-{asked.collection}"


def _name(path: Path) -> str:
    name = user_files.resolved(readers.file_of(path)).name
    return name.split(".")[0] or name
