"""The rankings of a grid's rows as TREC runs, with the qrels that they were measured by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from negbench.config.grid import Grid
from negbench.errors import InputError
from negbench.evaluation import ranking
from negbench.plan.trials import Trial
from negbench.report.results import write_text
from negbench.runners.file_names import check_apart, collection_files, evaluated_on, file_name
from negbench.stages.evaluation.quality import EvaluateEncoder, EvaluateRetriever
from negbench.stages.inputs import read_collection
from negbench.store import Store
from negbench.types import Collection

FOLDER = "trec"


def write(trials: Sequence[Trial], store: Store, out: Path) -> list[Path]:
    """Write ``trec/COLLECTION/`` with a run for each trial and the qrels of the split; return the files.

    Rankings are searched again from the stored vectors, 1,000 ranks a query. A tool that ranks by score finds the order
    that was measured. Raises InputError for ids with white space, which the format has no place for.
    """
    written: list[Path] = []
    names = collection_files(evaluated_on(trials))
    for trial in trials:
        for stage in (trial.evaluation, *trial.extra_evaluations.values()):
            if not isinstance(stage, EvaluateEncoder | EvaluateRetriever):
                continue
            collection = read_collection(store.path(stage.collection))
            folder = out / FOLDER / names[stage.collection.fingerprint]
            folder.mkdir(parents=True, exist_ok=True)
            qrels, run = folder / f"qrels.{stage.split}.trec", folder / f"{file_name(trial.name)}.trec"
            if qrels not in written:
                write_text(qrels, _qrels(collection, stage.split))
                written.append(qrels)
            write_text(run, _run(stage, collection, store, file_name(trial.name)))
            written.append(run)
    return written


def check(grid: Grid, trials: Sequence[Trial], store: Store) -> None:
    """Raise InputError for what ``write`` would refuse, or write to one file twice: before the run, not after.

    The collections that trials are evaluated on are loaded where they are not stored.
    """
    check_apart([trial.name for trial in trials], "rows")
    loaded = evaluated_on(trials)
    collection_files(loaded)
    for stage in loaded:
        collection = read_collection(store.ensure(stage))
        with grid.located(stage.source.spelling):
            _ids(collection.query_ids)
            _ids(collection.document_ids)


def _qrels(collection: Collection, split: str) -> str:
    names, documents = _ids(collection.query_ids), _ids(collection.document_ids)
    judged = collection.qrels[split].triples()
    return "".join(f"{names[query]} 0 {documents[row]} {grade}\n" for query, row, grade in judged)


def _run(stage: EvaluateEncoder | EvaluateRetriever, collection: Collection, store: Store, tag: str) -> str:
    queries = collection.split_queries(stage.split)
    documents, scores = ranking.ranked(*stage.search(store.path), queries, collection)
    lines: list[str] = []
    for query, rows, values in zip(queries.tolist(), documents.tolist(), scores.tolist(), strict=True):
        name = collection.query_ids[query]
        lines += [
            f"{name} Q0 {collection.document_ids[row]} {rank} {value!r} {tag}\n"
            for rank, (row, value) in enumerate(zip(rows, values, strict=True), 1)
            if row >= 0 and not math.isnan(value)
        ]
    return "".join(lines)


def _ids(names: list[str]) -> list[str]:
    if odd := next((name for name in names if name.split() != [name]), None):
        raise InputError(
            f"--runs: the id {odd!r} has white space, which separates the columns of a TREC file; leave --runs out"
        )
    return names
