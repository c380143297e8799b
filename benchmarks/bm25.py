"""BM25's top 100 for all training queries: against rank-bm25 and bm25s, with the formula that all three have, BM25+.

All sides get the same terms. rank-bm25 is used as it documents: ``BM25Plus``, ``get_scores`` for one query after
another, argsort. bm25s gets all queries in one call of ``retrieve`` (numpy backend, one thread; all threads are a side
of their own). The headline is the search, given the index; reading the texts and building the index are sides of
their own. BM25+ gives every document of a query the same floor, which negbench leaves out; it is taken off the
others' scores before they are compared.

A list is right if rank-bm25's float64 scores of its documents, in its order, are the highest ones in descending order.
Where they are so to within float32 rounding alone, the list is counted as a near tie. Documents at the floor, which
share no term with the query, are no result.
"""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("TQDM_DISABLE", "1")

import bm25s
import numpy as np
import Stemmer
from rank_bm25 import BM25Plus

from benchmarks import compare
from negbench.retrieval.bm25 import BM25, Scorer, Tokens, terms
from negbench.types import Collection

DEPTH, K1, B = 100, 0.9, 0.4
ROUNDING = 1e-5
RANK_BM25, BM25S, NEGBENCH = "search: rank-bm25", "search: bm25s", "search: negbench"


def tokenise(texts: list[str]) -> list[list[str]]:
    stemmer = Stemmer.Stemmer("english")
    return bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False)


def index_bm25s(documents: Any) -> bm25s.BM25:
    index = bm25s.BM25(k1=K1, b=B, method="bm25+", delta=1)
    index.index(documents, show_progress=False)
    return index


def search_rank_bm25(index: BM25Plus, queries: list[list[str]]) -> list[tuple[Any, Any]]:
    """Return of each query the top documents and the scores of all."""
    found = []
    for query in queries:
        scores = index.get_scores(query)
        found.append((np.argsort(scores)[::-1][:DEPTH], scores))
    return found


def agreement(lists: Any, reference: list[tuple[Any, Any]], floors: list[float]) -> dict[str, int]:
    """Count the queries whose list [DEPTH] is rank-bm25's, and how the others differ from it."""
    counts = {"identical": 0, "identical but for ties": 0, "but for near ties (rounding)": 0, "different": 0}
    for mine, (theirs, scores), floor in zip(lists, reference, floors, strict=True):
        above = scores - floor
        matched = int((above > 1e-9).sum())  # what float64 leaves of the floor is far smaller
        theirs, mine = theirs[:matched], mine[mine >= 0][: min(matched, DEPTH)]
        if np.array_equal(mine, theirs):
            counts["identical"] += 1
        elif len(mine) != len(theirs) or len(set(mine.tolist())) != len(mine):
            counts["different"] += 1
        elif np.array_equal(above[mine], above[theirs]):
            counts["identical but for ties"] += 1
        elif np.allclose(above[mine], above[theirs], rtol=ROUNDING, atol=0):
            counts["but for near ties (rounding)"] += 1
        else:
            counts["different"] += 1
    return counts


def main() -> None:
    asked = compare.arguments(__doc__ or "", rounds=3)
    measure(compare.collection("helpdesk(articles=200, queries=60)" if asked.small else asked.collection), asked.rounds)


def measure(collection: Collection, rounds: int) -> None:
    passages = collection.passages()
    queries = [collection.queries[row] for row in collection.split_queries("train")]
    tokens, asked = tokenise(passages), tokenise(queries)
    reference = BM25Plus(tokens, k1=K1, b=B, delta=1)
    peer = index_bm25s(tokens)

    retriever = BM25(variant="bm25+", k1=K1, b=B, depth=DEPTH)
    words = retriever.tokenizer(passages)
    ids = terms(words, passages, learn=True)
    mine = retriever.index(ids, words.get_vocab_dict())
    wanted = terms(words, queries)
    nobody = np.zeros((len(queries), 0), np.int32)

    def block_by_block(index: Scorer, asked: Tokens) -> None:
        block = max(1, 2**20 // len(passages))
        for at in range(0, len(asked), block):
            index(asked[at : at + block])

    def read() -> Tokens:
        return terms(retriever.tokenizer(passages), passages, learn=True)

    def retrieve(threads: int) -> Any:
        return peer.retrieve(asked, k=DEPTH, show_progress=False, n_threads=threads).documents

    timed = compare.in_turn(
        {
            RANK_BM25: lambda: search_rank_bm25(reference, asked),
            BM25S: lambda: retrieve(0),
            f"{BM25S}, all threads": lambda: retrieve(-1),
            NEGBENCH: lambda: retriever.search(mine, wanted, len(passages), nobody).documents,
            "scores alone: bm25s": lambda: [peer.get_scores(query) for query in asked if query] and None,
            "scores alone: negbench": lambda: block_by_block(mine, wanted),
            "texts to terms: bm25s.tokenize": lambda: len(tokenise(passages)),
            "texts to terms: negbench": lambda: len(read()),
            "index: rank-bm25": lambda: BM25Plus(tokens, k1=K1, b=B, delta=1).corpus_size,
            "index: bm25s": lambda: index_bm25s(tokens).k1,
            "index: negbench": lambda: retriever.index(ids, words.get_vocab_dict()) and None,
        },
        rounds,
    )

    floors = [sum(reference.idf.get(term, 0) * reference.delta for term in query) for query in asked]
    theirs = timed.returned[RANK_BM25]
    quality = {
        f"lists of {side.removeprefix('search: ')} beside rank-bm25's": agreement(timed.returned[side], theirs, floors)
        for side in (NEGBENCH, BM25S)
    }
    right = next(iter(quality.values()))["different"] == 0
    alone = compare.ratio(timed.seconds[BM25S], timed.seconds[NEGBENCH])
    median = {side: float(np.median(seconds)) for side, seconds in timed.seconds.items()}
    whole = {
        name: median[search] + median[f"texts to terms: {reader}"] + median[f"index: {name}"]
        for name, search, reader in (
            ("rank-bm25", RANK_BM25, "bm25s.tokenize"),
            ("bm25s", BM25S, "bm25s.tokenize"),
            ("negbench", NEGBENCH, "negbench"),
        )
    }
    compare.report(
        "bm25",
        f"BM25+ top {DEPTH} for all training queries, given the index",
        "at least 100x, identical lists but for ties; not slower than bm25s alone",
        timed,
        RANK_BM25,
        NEGBENCH,
        lambda ratio: bool(ratio["median"] >= 100 and alone["median"] >= 1 and right),
        quality,
        {
            "collection": collection.name,
            "documents": len(passages),
            "queries": len(queries),
            "depth": DEPTH,
            "terms a query": round(float(np.mean([len(query) for query in asked])), 1),
            "k1": K1,
            "b": B,
        },
        [
            ("bm25s / negbench, search", BM25S, NEGBENCH),
            ("weights worked out ahead, rank-bm25 / bm25s", RANK_BM25, BM25S),
            (
                "adding up many queries' weights at once, bm25s / negbench",
                "scores alone: bm25s",
                "scores alone: negbench",
            ),
        ],
        [
            f"top {DEPTH} out of the scores: bm25s {median[BM25S] - median['scores alone: bm25s']:.3f} s, "
            f"negbench {median[NEGBENCH] - median['scores alone: negbench']:.3f} s",
            "texts to lists (terms, index, search): "
            + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in whole.items())
            + "; most of negbench's is reading texts and building the index, which one index serves all searches for",
        ],
    )


if __name__ == "__main__":
    main()
