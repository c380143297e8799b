"""Measure one encoder, or BM25, on one collection."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from negbench import spelling
from negbench.collections import Source
from negbench.collections.resolve import source_of
from negbench.collections.splits import SPLIT_NAMES
from negbench.encoders import files, weights
from negbench.encoders.modules import precision_of_vectors
from negbench.encoders.precision import resolve
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import SIDES
from negbench.errors import InputError, plainly
from negbench.evaluation.ranking import parse
from negbench.registry import unknown
from negbench.retrieval.bm25 import BM25
from negbench.runners import local
from negbench.stages.evaluation.quality import EvaluateEncoder, EvaluateRetriever
from negbench.stages.inputs import Embed, LoadCollection, StartEncoder, read_collection
from negbench.store import Store, ancestors


def evaluate(
    encoder: str,
    collection: str | Mapping[str, Any] | Source,
    split: str,
    precision: str,
    max_length: int | None,
    measures: tuple[str, ...],
    report: Callable[[str], None],
    store: Store | None = None,
) -> dict[str, Any]:
    """Return ``metrics`` by measure with the names of encoder, collection and split.

    ``report`` is called with the label of each stage before it runs. Raises InputError for an unknown encoder,
    collection, split or measure.
    """
    store = store or Store.default()
    stage = evaluated(encoder, collection, split, precision, max_length, measures, report, store)
    documents = read_collection(store.path(stage.collection))
    return {
        "encoder": encoder,
        "collection": documents.name,
        "split": stage.split,
        "queries": len(documents.split_queries(stage.split)),
        "metrics": json.loads((store.path(stage) / "metrics.json").read_text()),
        "warnings": [note for needed in ancestors(stage) for note in store.notes(needed)],
        "digest": stage.key,
    }


def evaluated(
    encoder: str,
    collection: str | Mapping[str, Any] | Source,
    split: str,
    precision: str,
    max_length: int | None,
    measures: tuple[str, ...],
    report: Callable[[str], None],
    store: Store,
) -> EvaluateEncoder | EvaluateRetriever:
    """Run an evaluation as far as it is not stored, and return its stage; arguments are those of ``evaluate``."""
    if not measures:
        raise InputError("--measures: expected at least one, such as nDCG@10")
    for measure in measures:
        parse(measure)
    chosen = searcher(encoder)  # checked before the collection, which may take long to read
    for option, changed in (("--max-length", max_length is not None), ("--precision", precision != "auto")):
        if changed and isinstance(chosen, BM25):
            raise InputError(f"{option}: bm25 reads whole texts, and computes no vectors; leave {option} out")
    try:
        arithmetic = resolve(precision)
    except ValueError as error:
        raise InputError(f"--precision: {error}") from error
    source = source_of(collection)
    loaded = LoadCollection(source, source.fingerprint())
    documents = local.make(loaded, store, report, read_collection)
    if split not in documents.qrels:
        split = SPLIT_NAMES.get(split, split)
    if split not in documents.qrels:
        raise InputError(
            f"--split {split}: {documents.name} has no such split; give one of {', '.join(sorted(documents.qrels))}"
        )
    stage: EvaluateEncoder | EvaluateRetriever
    if isinstance(chosen, BM25):
        stage = EvaluateRetriever(loaded, chosen, split, measures)
    else:
        vectors, asked = (
            Embed(
                encoder=chosen,
                collection=loaded,
                side=side,
                split=split if side == "query" else None,
                max_length=max_length,
                precision=precision_of_vectors(chosen.spec, side, arithmetic),
            )
            for side in SIDES
        )
        stage = EvaluateEncoder(loaded, vectors, asked, split, measures)
    local.make(stage, store, report, lambda folder: json.loads((folder / "metrics.json").read_text()))
    return stage


def searcher(text: str) -> BM25 | StartEncoder:
    """Return BM25 with its parameters, or an encoder, as ``evaluate`` names it. Raises InputError for another name."""
    if text != BM25.name and not text.startswith(f"{BM25.name}("):
        return start_encoder(text)
    try:
        parameters = spelling.parse(text)[1]
        if odd := [field for field in parameters if field not in BM25.model_fields]:
            raise InputError(f"--encoder {text}: {unknown('parameter of bm25', odd[0], list(BM25.model_fields))}")
        return BM25.model_validate(parameters)
    except ValidationError as error:
        raise _refused(text, error) from error
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"--encoder {text}: {error}") from error


def start_encoder(encoder: str | Mapping[str, Any]) -> StartEncoder:
    """Return the stage that loads an encoder, as a grid names it. Raises InputError where its files are not there."""
    try:
        spec = EncoderSpec.model_validate(encoder)
    except ValidationError as error:
        raise _refused(encoder, error) from error
    except ValueError as error:
        raise InputError(f"--encoder {encoder}: {error}") from error
    files.check(spec)
    return StartEncoder(spec, weights.fingerprint(spec.model, spec.revision), 0 if spec.seeded else None)


def _refused(given: object, error: ValidationError) -> InputError:
    first = error.errors()[0]
    if first["type"] == "extra_forbidden":
        return InputError(f"--encoder {given}: {unknown('key', str(first['loc'][-1]), list(EncoderSpec.model_fields))}")
    field = ".".join(map(str, first["loc"]))
    return InputError(f"--encoder {given}: {field + ': ' if field else ''}{plainly(first)}")
