"""Measure one encoder, or BM25, on one collection."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from negbench import spelling
from negbench.collections.resolve import source_of
from negbench.encoders import files, weights
from negbench.encoders.precision import resolve
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError, plainly
from negbench.evaluation.ranking import parse
from negbench.plan.evaluation import EvaluateEncoder, EvaluateRetriever
from negbench.plan.sources import Embed, LoadCollection, StartEncoder, read_collection
from negbench.retrieval.bm25 import BM25
from negbench.store import Stage, Store, ancestors


def evaluate(
    encoder: str,
    collection: str,
    split: str,
    precision: str,
    max_length: int | None,
    measures: tuple[str, ...],
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Return ``metrics`` by measure and what they are about; ``report`` hears what is being done.

    Raises InputError for what does not exist.
    """
    if not measures:
        raise InputError("--measures: expected at least one, as in nDCG@10")
    for measure in measures:
        parse(measure)
    searcher = _searcher(encoder)  # before the collection, which may take long to read
    try:
        arithmetic = resolve(precision)
    except ValueError as error:
        raise InputError(f"--precision: {error}") from error
    source = source_of(collection)
    loaded = LoadCollection(source, source.fingerprint())
    store = Store.default()
    _make(loaded, store, report)
    documents = read_collection(store.path(loaded))
    if split not in documents.qrels:
        raise InputError(f"--split {split}: {documents.name} has {', '.join(sorted(documents.qrels))}")
    stage: EvaluateEncoder | EvaluateRetriever
    if isinstance(searcher, BM25):
        stage = EvaluateRetriever(loaded, searcher, split, measures)
    else:
        vectors = Embed(searcher, loaded, "document", None, max_length, arithmetic)
        asked = Embed(searcher, loaded, "query", split, max_length, arithmetic)
        stage = EvaluateEncoder(loaded, vectors, asked, split, measures)
    _make(stage, store, report)
    return {
        "encoder": encoder,
        "collection": documents.name,
        "split": split,
        "queries": len(documents.split_queries(split)),
        "metrics": json.loads((store.path(stage) / "metrics.json").read_text()),
        "warnings": [note for needed in ancestors(stage) for note in store.notes(needed)],
        "digest": stage.key,
    }


def _make(stage: Stage, store: Store, report: Callable[[str], None]) -> None:
    for needed in ancestors(stage):
        if not store.has(needed):
            report(needed.label)
            store.ensure(needed)


def _searcher(text: str) -> BM25 | StartEncoder:
    """Return BM25 with its parameters, or the encoder, that ``text`` spells."""
    try:
        if text == BM25.name or text.startswith(f"{BM25.name}("):
            return BM25.model_validate(spelling.parse(text)[1])
        spec = EncoderSpec.model_validate(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InputError(f"--encoder {text}: {field + ': ' if field else ''}{plainly(first)}") from error
    except ValueError as error:
        raise InputError(f"--encoder {text}: {error}") from error
    files.check(spec)
    return StartEncoder(spec, weights.fingerprint(spec.model, spec.revision), 0 if spec.seeded else None)
