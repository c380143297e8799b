"""Measure one encoder, or BM25, on one collection."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from negbench.collections.resolve import source_of
from negbench.encoders import weights
from negbench.encoders.precision import resolve
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError
from negbench.evaluation.ranking import parse
from negbench.plan.evaluation import EvaluateEncoder, EvaluateRetriever
from negbench.plan.sources import Embed, LoadCollection, StartEncoder, read_collection
from negbench.retrieval.bm25 import BM25
from negbench.store import Store


def evaluate(
    encoder: str, collection: str, split: str, precision: str, max_length: int | None, measures: tuple[str, ...]
) -> dict[str, Any]:
    """Return ``metrics`` by measure and what they are about. Raises InputError for what does not exist."""
    for measure in measures:
        parse(measure)
    source = source_of(collection)
    loaded = LoadCollection(source, source.fingerprint())
    store = Store.default()
    documents = read_collection(store.ensure(loaded))
    if split not in documents.qrels:
        raise InputError(f"--split {split}: {documents.name} has {', '.join(sorted(documents.qrels))}")
    stage: EvaluateEncoder | EvaluateRetriever
    if encoder == BM25.name or encoder.startswith(f"{BM25.name}("):
        stage = EvaluateRetriever(loaded, BM25.model_validate(_parsed(encoder)), split, measures)
    else:
        try:
            spec, arithmetic = EncoderSpec.model_validate(encoder), resolve(precision)
        except (ValidationError, ValueError) as error:
            raise InputError(f"--encoder or --precision: {str(error).splitlines()[-1]}") from error
        start = StartEncoder(spec, weights.fingerprint(spec.model, spec.revision), 0 if spec.seeded else None)
        vectors = Embed(start, loaded, "document", None, max_length, arithmetic)
        asked = Embed(start, loaded, "query", split, max_length, arithmetic)
        stage = EvaluateEncoder(loaded, vectors, asked, split, measures)
    folder = store.ensure(stage)
    return {
        "encoder": encoder,
        "collection": documents.name,
        "split": split,
        "queries": len(documents.split_queries(split)),
        "metrics": json.loads((folder / "metrics.json").read_text()),
        "warnings": list(documents.warnings),
        "digest": stage.key,
    }


def _parsed(text: str) -> dict[str, Any]:
    from negbench import spelling

    return spelling.parse(text)[1]
