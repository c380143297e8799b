"""How many tokens an encoder reads of a collection's texts, and how many a second."""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from negbench.collections import Source
from negbench.collections.profile import MOST_DOCUMENTS, passages_of, sample_documents
from negbench.encoders.encode import encode_tokens
from negbench.encoders.load import load
from negbench.encoders.precision import resolve
from negbench.encoders.tokens import tokenised
from negbench.rng import CounterRNG, keys
from negbench.runners import local
from negbench.stages.inputs import TRAINING_SPLIT, StartEncoder
from negbench.store import Store
from negbench.store.leases import write_whole
from negbench.types import Collection

MOST_TOKENS: Final = 256
STEP: Final = 32
TIMED: Final = 64
"""Number of documents whose encoding is timed."""


@dataclass(frozen=True, kw_only=True)
class ReadingCosts:
    """Tokens of ``sampled`` documents and ``queries`` training queries, cut at ``most``.

    ``tall`` is the higher of the sides' 90th percentiles, ``max_length`` that rounded up; ``document_tokens`` and
    ``query_tokens`` are means of texts cut at ``max_length``. ``tokens_a_second`` is None where nothing was timed.
    """

    sampled: int
    queries: int
    most: int
    tall: float
    max_length: int
    document_tokens: float
    query_tokens: float
    tokens_a_second: float | None
    timed: int


def reading_costs(
    start: StartEncoder, collection: Collection, timing: bool, store: Store, report: Callable[[str], None]
) -> ReadingCosts:
    """Tokenise a sample of the documents and of the training queries, and encode some documents if ``timing``."""
    rows = sample_documents(collection)
    asked = collection.split_queries(TRAINING_SPLIT)
    order = CounterRNG(0, "advise").order(keys([collection.query_ids[row] for row in asked.tolist()]))
    some = np.sort(asked[order[:MOST_DOCUMENTS]])
    model = local.make(start, store, report, lambda folder: load(folder / "model"))
    passages = passages_of(collection, rows)
    documents = tokenised(model, passages, "document", MOST_TOKENS).lengths
    queries = tokenised(model, [collection.queries[row] for row in some.tolist()], "query", MOST_TOKENS).lengths
    tall = max(float(np.percentile(side, 90)) for side in (documents, queries))
    max_length = min(MOST_TOKENS, max(STEP, STEP * math.ceil(tall / STEP)))
    rate, timed = None, 0
    if timing:
        chosen = CounterRNG(0, "advise-timing").order(keys([collection.document_ids[row] for row in rows.tolist()]))
        texts = [passages[at] for at in chosen[:TIMED].tolist()]
        tokens = tokenised(model, texts, "document", max_length)
        report(f"time the encoder on {len(texts)} documents")
        precision = resolve("auto")
        encode_tokens(model, tokenised(model, texts[:8], "document", max_length), precision)  # the first call is slower
        begin = time.perf_counter()
        encode_tokens(model, tokens, precision)
        rate, timed = float(tokens.lengths.sum()) / (time.perf_counter() - begin), len(texts)
    return ReadingCosts(
        sampled=len(rows),
        queries=len(some),
        most=MOST_TOKENS,
        tall=tall,
        max_length=max_length,
        document_tokens=float(np.minimum(documents, max_length).mean()),
        query_tokens=float(np.minimum(queries, max_length).mean()),
        tokens_a_second=rate,
        timed=timed,
    )


def keep(costs: ReadingCosts, start: StartEncoder, collection: str, store: Store) -> None:
    """Keep measured costs in the store, where ``kept`` finds them; ``collection`` is the fingerprint of a source.

    They replace those of an earlier measurement. A store that can only be read keeps none.
    """
    if costs.tokens_a_second is not None:
        with suppress(OSError):
            write_whole(_place(store, start, collection), json.dumps({**_machine(), "costs": asdict(costs)}) + "\n")


def kept(start: StartEncoder, source: Source, fingerprint: str, store: Store) -> ReadingCosts | None:
    """Return what was last measured of an encoder and a collection on this machine, or None.

    A collection that was not measured, such as one with hidden labels, has the costs of the collection inside it.
    """
    try:
        found = json.loads(_place(store, start, fingerprint).read_text(encoding="utf-8"))
        if {name: found[name] for name in _machine()} == _machine():
            return ReadingCosts(**found["costs"])
    except (OSError, ValueError, KeyError, TypeError):  # none is there, or it is damaged or of another version
        pass
    inner = source.parameters.get("collection")
    return kept(start, inner, inner.fingerprint(), store) if isinstance(inner, Source) else None


def _place(store: Store, start: StartEncoder, collection: str) -> Path:
    return store.root / "reading" / f"{start.key}-{collection}.json"


def _machine() -> dict[str, str | int | None]:
    """Return what the speed of encoding depends on, as far as it is known without loading torch."""
    return {"machine": platform.node(), "processors": os.cpu_count(), "threads": os.environ.get("OMP_NUM_THREADS")}
