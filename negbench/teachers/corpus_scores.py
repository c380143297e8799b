"""Cosine and BM25 of any pair of texts, in the query's standard deviations over a collection's documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from negbench import rng
from negbench.encoders.precision import Precision
from negbench.retrieval import analysis
from negbench.retrieval.bm25 import BM25, terms
from negbench.teachers.bi_encoder import BiEncoder
from negbench.types import Float32, Float64, Int64

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_BM25 = BM25()
"""The retriever whose k1, b and formula are used."""

SAMPLE = 1000
"""Largest number of documents that scores are standardised over."""


def sampled(passages: Sequence[str], seed: int) -> Int64:
    """Return the rows of the documents that scores are standardised over, ascending: at most ``SAMPLE``, at random."""
    return np.sort(rng.CounterRNG(seed, "reference").order(rng.keys(passages))[:SAMPLE])


@dataclass(frozen=True, eq=False, kw_only=True)
class CorpusScores:
    """Scores of a pair, and those of a sample of n documents that they are compared with.

    ``mean`` [d] and ``covariance`` [d, d] are those of the sample's vectors: a query's cosines with them have the mean
    q . mean and the variance q' covariance q. ``vocabulary`` maps terms of ``language`` to T columns with weights
    ``idf`` [T]; ``length`` is a document's mean number of terms; these are of the whole collection. ``sample`` [n, T]
    has the saturated term frequencies of the sample.
    """

    language: str
    vocabulary: dict[str, int]
    length: float
    idf: Float64
    sample: csr_array
    mean: Float64
    covariance: Float64

    @classmethod
    def of(cls, passages: Sequence[str], rows: Int64, encoder: BiEncoder, precision: Precision) -> CorpusScores:
        """Count the terms of all ``passages``; compare with those at ``rows`` [n], which are encoded."""
        language = analysis.language_of(passages)
        ids, vocabulary = _read(passages, language)
        counts = _counts(ids, len(vocabulary))
        documents = np.bincount(counts.indices, minlength=len(vocabulary))
        length = max(1.0, float(np.mean([len(terms) for terms in ids])))
        vectors = encoder.vectors(encoder.load(), [passages[row] for row in rows.tolist()], "document", precision)
        mean = vectors.mean(axis=0, dtype=np.float64)
        centred = vectors - mean
        return cls(
            language=language,
            vocabulary=vocabulary,
            length=length,
            idf=np.log1p((len(passages) - documents + 0.5) / (documents + 0.5)),
            sample=_saturated([ids[row] for row in rows.tolist()], len(vocabulary), length),
            mean=mean,
            covariance=centred.T @ centred / max(1, len(rows)),
        )

    def standardised(self, pairs: Sequence[tuple[str, str]], encoder: BiEncoder, precision: Precision) -> Float32:
        """Return (cosine, BM25) [pairs, 2] of each (query, text), less the query's mean and over its deviation.

        0 where a query scores the whole sample alike: without a known term, say.
        """
        if not pairs:
            return np.zeros((0, 2), np.float32)
        asked = {text: row for row, text in enumerate(dict.fromkeys(query for query, _ in pairs))}
        read = {text: row for row, text in enumerate(dict.fromkeys(text for _, text in pairs))}
        query_of, text_of = [asked[query] for query, _ in pairs], [read[text] for _, text in pairs]

        model = encoder.load()
        queries = encoder.vectors(model, list(asked), "query", precision).astype(np.float64)
        documents = encoder.vectors(model, list(read), "document", precision)
        cosines = np.einsum("pd,pd->p", queries[query_of], documents[text_of])
        spread = np.sqrt(np.maximum(np.einsum("qd,de,qe->q", queries, self.covariance, queries), 0))

        size = len(self.vocabulary)
        weights = _counts(self._ids(list(asked)), size) * self.idf
        saturated = _saturated(self._ids(list(read)), size, self.length)
        lexical = np.asarray((weights[query_of] * saturated[text_of]).sum(axis=1))
        among = (weights @ self.sample.T).toarray()
        scaled = (
            _scaled(cosines, (queries @ self.mean)[query_of], spread[query_of]),
            _scaled(lexical, among.mean(axis=1)[query_of], among.std(axis=1)[query_of]),
        )
        return np.stack(scaled, axis=1).astype(np.float32)

    def nearest(self, queries: Sequence[str], k: int) -> Int64:
        """Return the places in the sample [queries, k] of the documents that BM25 ranks highest, ties by place."""
        if not queries:
            return np.zeros((0, min(k, self.sample.shape[0])), np.int64)
        scores = (_counts(self._ids(queries), len(self.vocabulary)) * self.idf @ self.sample.T).toarray()
        return np.argsort(-scores, axis=1, kind="stable")[:, :k]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the columns of each text's terms, -1 for unknown ones."""
        ids, found = _read(texts, self.language)
        column = {number: self.vocabulary.get(term, -1) for term, number in found.items()}
        return [[column[number] for number in text] for text in ids]

    def save(self, folder: Path) -> None:
        """Write ``corpus.npz`` and ``terms.json`` into ``folder``."""
        sample = {"data": self.sample.data, "indices": self.sample.indices, "indptr": self.sample.indptr}
        of_vectors = {"idf": self.idf, "mean": self.mean, "covariance": self.covariance}
        np.savez(folder / "corpus.npz", allow_pickle=False, **sample, **of_vectors)
        told = {"language": self.language, "length": self.length, "terms": list(self.vocabulary)}
        (folder / "terms.json").write_text(json.dumps(told, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> CorpusScores:
        """Read what ``save`` wrote."""
        from scipy.sparse import csr_array

        told = json.loads((folder / "terms.json").read_text(encoding="utf-8"))
        with np.load(folder / "corpus.npz", allow_pickle=False) as arrays:
            shape = len(arrays["indptr"]) - 1, len(told["terms"])
            return cls(
                language=told["language"],
                vocabulary={term: column for column, term in enumerate(told["terms"])},
                length=told["length"],
                idf=arrays["idf"],
                sample=csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape),
                mean=arrays["mean"],
                covariance=arrays["covariance"],
            )


def _read(texts: Sequence[str], language: str) -> tuple[list[list[int]], dict[str, int]]:
    """Return the ids of each text's terms, and the id of each term, numbered from 0 as they occur."""
    tokenizer = analysis.tokenizer(language, True, texts)
    ids = terms(tokenizer, texts, learn=True)
    named = sorted(tokenizer.get_vocab_dict().items(), key=lambda item: item[1])
    place = {number: column for column, (_, number) in enumerate(named)}
    return [[place[number] for number in text] for text in ids], {term: place[number] for term, number in named}


def _counts(ids: Sequence[Sequence[int]], size: int) -> csr_array:
    """Return how often each text has each of ``size`` terms, float64 [texts, size]; unknown terms, -1, are left out."""
    from scipy.sparse import csr_array

    known = [[term for term in text if term >= 0] for text in ids]
    ends = np.cumsum([0, *map(len, known)])
    columns = np.array([term for text in known for term in text], np.int32)
    counted = csr_array((np.ones(len(columns)), columns, ends), shape=(len(ids), size))
    counted.sum_duplicates()
    return counted


def _saturated(ids: Sequence[Sequence[int]], size: int, length: float) -> csr_array:
    """Return BM25's term frequencies tf / (tf + k1 (1 - b + b terms / mean terms)) of each text, [texts, size]."""
    counted = _counts(ids, size)
    norms = _BM25.k1 * (1 - _BM25.b + _BM25.b * np.array([len(text) for text in ids]) / length)
    counted.data = counted.data / (counted.data + np.repeat(norms, np.diff(counted.indptr)))
    return counted


def _scaled(scores: Float64, mean: Float64, spread: Float64) -> Float64:
    flat = spread <= 1e-9
    return np.where(flat, 0.0, (scores - mean) / np.where(flat, 1.0, spread))
