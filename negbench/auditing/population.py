"""Population of an audit: every distinct (query, document) pair that training uses as a negative, with its weight."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from negbench.auditing.known import Known
from negbench.collections.duplicates import folded, words_of
from negbench.collections.layouts import row_warnings
from negbench.collections.layouts.rows import Row
from negbench.errors import InputError
from negbench.rng import keys
from negbench.types import Bool, Float64, Int32, TruthKind, UInt64


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """N distinct pairs of texts as drawn by M methods.

    ``queries`` and ``documents`` int32 [N] index ``query_texts`` [Q] and ``document_texts`` [D]; ``positives`` [Q] are
    the texts known to be relevant to a query. Texts that differ only in white space are the same.

    By method: ``weights`` float64 [M, N] is what training multiplies the pair by, summed over its rows, 0 where the
    method did not draw it; ``ranks`` int32 [M, N] the best place in its list, from 0, -1 where unknown; ``scores``
    float64 [M, N] the retriever's, NaN where unknown.

    ``labelled`` bool [N] marks pairs whose document has the words and signs of a known positive of the query, in any
    case and punctuation (``duplicates.words_of``): false negatives for certain.
    ``relevant`` float64 [N] is 1 or 0 by fuller judgments of ``truth_kind``, NaN without a judgment.
    ``warnings`` are sentences for the user on the rows of each method.
    """

    methods: tuple[str, ...]
    query_texts: list[str]
    document_texts: list[str]
    positives: list[tuple[str, ...]]
    queries: Int32
    documents: Int32
    weights: Float64
    ranks: Int32
    scores: Float64
    labelled: Bool
    relevant: Float64
    truth_kind: TruthKind
    warnings: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.queries)

    def digests(self) -> list[str]:
        """Return the SHA-256 of each pair's two texts."""
        return [hashlib.sha256(text.encode()).hexdigest() for text in self._texts()]

    def keys(self) -> UInt64:
        """Return a stable 64-bit hash of each pair's two texts, for seeded noise."""
        return keys(self._texts())

    def _texts(self) -> list[str]:
        queries, documents = self.queries.tolist(), self.documents.tolist()
        return [
            f"{folded(self.query_texts[query])}\x1f{folded(self.document_texts[document])}"
            for query, document in zip(queries, documents, strict=True)
        ]


def build(rows: Mapping[str, Sequence[Row]], known: Known | None) -> Population:
    """Collect the pairs of each method's rows; ``known`` adds a collection's positives and fuller judgments.

    Pairs are sorted by their texts, so that the order of rows does not matter. Raises InputError without any negative.
    """
    texts: dict[str, str] = {}
    positives: dict[str, dict[str, str]] = {}
    drawn: dict[tuple[str, str], dict[int, tuple[float, int, float]]] = {}
    for method, rows_of_method in enumerate(rows.values()):
        for row in rows_of_method:
            query = folded(row.query)
            texts.setdefault(query, row.query)
            of_query = positives.setdefault(query, {})
            for text in filter(str.strip, row.positives):
                of_query.setdefault(folded(text), text)
            for one in row.negatives:
                document = folded(one.text)
                if not document:
                    continue
                texts.setdefault(document, one.text)
                cells = drawn.setdefault((query, document), {})
                weight, rank, score = cells.get(method, (0.0, -1, np.nan))
                best = one.rank if rank < 0 else min(rank, one.rank) if one.rank >= 0 else rank
                cells[method] = weight + one.weight, best, one.score if np.isnan(score) else score
    pairs = sorted(pair for pair, cells in drawn.items() if any(weight > 0 for weight, _, _ in cells.values()))
    if not pairs:
        raise InputError(f"{', '.join(rows)}: no negatives; expected at least one training row with a negative")
    queries, documents = sorted({query for query, _ in pairs}), sorted({document for _, document in pairs})
    row_of_query = {text: number for number, text in enumerate(queries)}
    row_of_document = {text: number for number, text in enumerate(documents)}
    for query in queries:
        for text in known.positives(query) if known else ():
            positives[query].setdefault(folded(text), text)
    shape = len(rows), len(pairs)
    weights, ranks, scores = np.zeros(shape), np.full(shape, -1, np.int32), np.full(shape, np.nan)
    for column, pair in enumerate(pairs):
        for method, cell in drawn[pair].items():
            weights[method, column], ranks[method, column], scores[method, column] = cell
    judged = [known.relevant(*pair) if known else None for pair in pairs]
    words = {query: {words_of(text) for text in positives[query]} for query in queries}
    return Population(
        methods=tuple(rows),
        query_texts=[texts[query] for query in queries],
        document_texts=[texts[document] for document in documents],
        positives=[tuple(positives[query].values()) for query in queries],
        queries=np.array([row_of_query[query] for query, _ in pairs], np.int32),
        documents=np.array([row_of_document[document] for _, document in pairs], np.int32),
        weights=weights,
        ranks=ranks,
        scores=scores,
        labelled=np.array(
            [
                words_of(document) in words[query] or (known is not None and known.labelled(query, document))
                for query, document in pairs
            ]
        ),
        relevant=np.array([np.nan if relevance is None else float(relevance) for relevance in judged]),
        truth_kind=known.truth_kind if known else "none",
        warnings=tuple(map(row_warnings.sentences, rows.values())),
    )
