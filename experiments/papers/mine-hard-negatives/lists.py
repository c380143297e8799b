"""Whether sentence-transformers' ``mine_hard_negatives`` and negbench mine the same lists, for each training query."""

from __future__ import annotations

import contextlib
import csv
import io
import sys
from typing import Any

from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import mine_hard_negatives

import negbench
from negbench.collections.resolve import source_of
from negbench.encoders.weights import locate

COLLECTION = "helpdesk(articles=150, queries=40, dev=6, test=12)"
MODEL = "all-MiniLM-L6-v2"
K, LENGTH, DEPTH = 4, 64, 149
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "top": ({}, []),
    "absolute-margin": ({"absolute_margin": 0.05}, ["margin(unit=absolute, margin=0.05)"]),
    "relative-margin": ({"relative_margin": 0.05}, ["margin(unit=percent, margin=0.05)"]),
    "max-score": ({"max_score": 0.5}, ["score-cap(cap=0.5)"]),
}
"""Arguments of the library, and the filters that say the same in negbench."""


def theirs(arguments: dict[str, Any]) -> dict[str, list[str]]:
    """Return the texts that the library mines, by the text of the query."""
    collection = source_of(COLLECTION).load()
    texts = collection.passages()
    labels = [(query, document) for query, document, _ in collection.qrels["train"].at_least(1).triples()]
    pairs = Dataset.from_dict(
        {
            "anchor": [collection.queries[query] for query, _ in labels],
            "positive": [texts[document] for _, document in labels],
        }
    )
    model = SentenceTransformer(str(locate(MODEL)), device="cpu")
    model.max_seq_length = LENGTH
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        mined = mine_hard_negatives(
            pairs, model, corpus=list(texts), num_negatives=K, range_max=DEPTH, verbose=False, **arguments
        )
    found: dict[str, dict[str, None]] = {}
    for row in mined:
        found.setdefault(row["anchor"], {})[row["negative"]] = None
    return {query: list(negatives) for query, negatives in found.items()}


def ours(filters: list[str]) -> dict[str, list[str]]:
    """Return the texts that negbench mines by the id of the query, without random fill."""
    mined = negbench.mine(
        {"naive": {"filters": filters, "depth": DEPTH + 1}},
        COLLECTION,
        encoder=MODEL,
        negatives=K,
        max_length=LENGTH,
        precision="float32",
    )
    found: dict[str, list[str]] = {}
    for row in mined.rows:
        found.setdefault(row.query, []).extend([row.text] if row.origin == "ranked" else [])
    return found


if __name__ == "__main__":
    collection = source_of(COLLECTION).load()
    text_of = dict(zip(collection.query_ids, collection.queries, strict=True))
    with open(sys.argv[1], "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "measure", "seed", "query", "value"])
        for name, (arguments, filters) in CASES.items():
            of_library = theirs(arguments)
            for query, texts in ours(filters).items():
                same = of_library.get(text_of[query], []) == texts
                writer.writerow([name, "same", "", f"helpdesk/{query}", int(same)])
