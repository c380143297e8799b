"""The pooler that simulates which documents were judged: TF-IDF over character 4-grams, with integer weights.

It differs from all retrievers of candidates. With integer weights sums do not depend on their order, and ranks are
the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from negbench.types import Float64, Int64

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_GRAM: Final = 4
_BUCKET_BITS: Final = 16
_RESOLUTION: Final = 64  # steps of inverse document frequency in one natural-log unit
_TEXTS: Final = 8192  # texts counted at once
_CHUNK: Final = 64  # queries scored at once


def similarities(queries: list[str], documents: list[str]) -> Iterator[Float64]:
    """Yield for each query in turn its cosines [N] with the documents' vectors, 0 where they share no 4-gram."""
    counts = _counts(documents)
    frequency = np.bincount(counts.indices, minlength=1 << _BUCKET_BITS)
    idf = np.rint(_RESOLUTION * np.log(1 + len(documents) / np.maximum(frequency, 1))).astype(np.int64)
    table, asked = _weighted(counts, idf), _weighted(_counts(queries), idf)
    lengths, wanted = _lengths(table), _lengths(asked)
    columns = table.T.tocsr()
    for start in range(0, len(queries), _CHUNK):
        products = (asked[start : start + _CHUNK] @ columns).toarray()
        yield from products / (wanted[start : start + _CHUNK, None] * lengths)


def pair_similarities(queries: list[str], documents: list[str], asked: Int64, rows: Int64) -> Float64:
    """Return the cosines [J] of the queries at ``asked`` [J] with the documents at ``rows`` [J]."""
    counts = _counts(documents)
    frequency = np.bincount(counts.indices, minlength=1 << _BUCKET_BITS)
    idf = np.rint(_RESOLUTION * np.log(1 + len(documents) / np.maximum(frequency, 1))).astype(np.int64)
    table, questions = _weighted(counts, idf), _weighted(_counts(queries), idf)
    lengths, wanted = _lengths(table), _lengths(questions)
    cosines = np.zeros(len(asked))
    for start in range(0, len(asked), _TEXTS):
        some = slice(start, start + _TEXTS)
        products = questions[asked[some]].multiply(table[rows[some]]).sum(axis=1)
        cosines[some] = np.asarray(products).ravel() / (wanted[asked[some]] * lengths[rows[some]])
    return cosines


def _counts(texts: list[str]) -> csr_array:
    """Count each text's hashed 4-grams of lower-case UTF-8 bytes; int64 [texts, buckets]."""
    from scipy.sparse import vstack

    table: csr_array = vstack(
        [_count(texts[start : start + _TEXTS]) for start in range(0, len(texts), _TEXTS)], format="csr"
    )
    return table


def _count(texts: list[str]) -> csr_array:
    from scipy.sparse import csr_array

    encoded = [f" {text.lower()} ".encode() for text in texts]
    stream = np.frombuffer(b"".join(encoded), np.uint8).astype(np.uint32)
    owner = np.repeat(np.arange(len(texts)), [len(text) for text in encoded])
    grams = len(stream) - _GRAM + 1
    code = np.zeros(grams, np.uint32)
    for place in range(_GRAM):
        code |= stream[place : place + grams] << np.uint32(8 * place)
    bucket = (code * np.uint32(2654435761)) >> np.uint32(32 - _BUCKET_BITS)  # modulo 2**32
    within_text = owner[:grams] == owner[_GRAM - 1 :]  # a gram across two texts is none
    cells = (owner[:grams][within_text], bucket[within_text].astype(np.int64))
    table = csr_array((np.ones(within_text.sum(), np.int64), cells), shape=(len(texts), 1 << _BUCKET_BITS))
    table.sum_duplicates()
    return table


def _weighted(counts: csr_array, idf: Int64) -> csr_array:
    table = counts.copy()
    table.data = counts.data * idf[counts.indices]
    return table


def _lengths(table: csr_array) -> Float64:
    squares = table.copy()
    squares.data = table.data**2
    lengths: Float64 = np.sqrt(squares.sum(axis=1).astype(np.float64))
    return np.where(lengths > 0, lengths, 1.0)  # a text of under four bytes has no gram
