"""BM25 by bm25s, many queries at a time, with rank-bm25 as the reference."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from negbench.retrieval import Ranking, Retriever, Search, analysis
from negbench.retrieval.analysis import Language
from negbench.retrieval.segmenters import Segmenter
from negbench.types import Float32, Int32

_BLOCK = 2**20
"""Number of scores (queries x documents) held at a time."""

Tokens: TypeAlias = "list[array[int]]"
"""The ids of each text's terms, in the order of the text: 4 bytes a term, so that a large corpus fits."""

Scorer = Callable[[Tokens], Float32]
"""An index: gives B queries' scores of all N documents, [B, N]."""


class BM25(Retriever):
    """BM25 over title and text, stop words and Snowball stems by language.

    The defaults are Anserini's (k1 0.9, b 0.4, Lucene's idf). Documents that share no term with the query, or
    only terms without weight, are not retrieved; ``bm25+`` goes without the floor that it gives to every document
    alike. ``rank-bm25`` is the slow reference backend: of the formulas here it has ``bm25+`` alone (its Okapi
    has an idf of its own).

    Scripts without spaces are cut into pairs of characters whatever the language, or by ICU into words (``analysis``).
    """

    name: ClassVar[str] = "bm25"
    version: ClassVar[int] = 2

    k1: float = Field(default=0.9, ge=0, description="Term saturation: the higher, the more a repeated term counts.")
    b: float = Field(default=0.4, ge=0, le=1, description="Length normalisation, from 0 (none) to 1 (full).")
    variant: Literal["lucene", "robertson", "atire", "bm25+"] = Field(
        default="lucene", description="BM25 formula, as bm25s names it."
    )
    stem: bool = Field(default=True, description="Whether terms are reduced to Snowball stems.")
    language: Language = Field(
        default="auto",
        description=(
            "Two-letter code, as in `de`; `auto` detects it by stop words, `none` has neither stop words nor stems."
        ),
    )
    backend: Literal["bm25s", "rank-bm25"] = Field(
        default="bm25s",
        description="Implementation: `bm25s`, or the slow reference `rank-bm25`, which has `bm25+` alone.",
    )

    segmenter: Segmenter = Field(
        default="pairs",
        description=(
            "Terms of scripts without spaces: `pairs` of adjacent characters, or words by `icu`, which needs "
            "`negbench[icu]`."
        ),
    )

    def identity(self) -> dict[str, Any]:
        """Return all that the ranking depends on; the segmenter only where it is not the default."""
        identity = super().identity()
        if self.segmenter == "pairs":
            del identity["parameters"]["segmenter"]
        return identity

    @model_validator(mode="after")
    def _formula_exists(self) -> BM25:
        if self.backend == "rank-bm25" and self.variant != "bm25+":
            raise ValueError("backend rank-bm25 has variant bm25+ only; add variant=bm25+")
        if self.variant == "bm25+" and self.k1 == 0:
            raise ValueError("k1=0 divides by 0 in variant bm25+; give k1 above 0")
        return self

    def rank(self, search: Search) -> Ranking:
        """Index the documents, then score all of them for a block of queries at a time."""
        language = analysis.language_of(search.documents) if self.language == "auto" else self.language
        words = self.model_copy(update={"language": language}).tokenizer(search.documents)
        index = self.index(terms(words, search.documents, learn=True), words.get_vocab_dict())
        ranking = self.search(index, terms(words, search.queries), len(search.documents), search.positives)
        return replace(ranking, note=analysis.note(self.language, language, self.stem))

    def tokenizer(self, documents: Sequence[str]) -> Any:
        """Return a bm25s tokenizer for ``documents`` that knows no term yet; ``terms`` reads texts with it."""
        return analysis.tokenizer(self.language, self.stem, documents, self.segmenter)

    def index(self, documents: Tokens, vocabulary: dict[str, int]) -> Scorer:
        """Return the index of ``documents`` whose term ids are the values of ``vocabulary``."""
        if not vocabulary:
            return lambda queries: np.zeros((len(queries), len(documents)), np.float32)
        if self.backend == "rank-bm25":
            return self._reference(documents)

        import bm25s
        from bm25s.tokenization import Tokenized

        made = bm25s.BM25(k1=self.k1, b=self.b, method=self.variant, csc_backend="scipy")  # half the memory of its own
        made.index(Tokenized(documents, vocabulary), create_empty_token=False, show_progress=False)
        return _scorer(made.scores["data"], made.scores["indices"], made.scores["indptr"], made.scores["num_docs"])

    def search(self, index: Scorer, queries: Tokens, documents: int, positives: Int32) -> Ranking:
        """Rank the ``documents`` (their number) of ``index`` for each query; ``positives`` [Q, P] as in ``Search``.

        A block of queries is scored at once, so memory does not grow with their number: at worst it takes 8 bytes
        a score in the block and term of a query, as a rule a tenth of that.
        """
        ranked = np.full((len(queries), self.depth), -1, np.int32)
        values = np.full((len(queries), self.depth), np.nan, np.float32)
        positive_scores = np.full(positives.shape, np.nan, np.float32)
        block = max(1, _BLOCK // max(1, documents))
        for start in range(0, len(queries), block):
            here = slice(start, start + block)
            scores = index(queries[here])
            row, column = np.nonzero(positives[here] >= 0)
            positive_scores[start + row, column] = scores[row, positives[start + row, column]]
            ranked[here], values[here] = highest(scores, self.depth)
        return Ranking(ranked, values, positive_scores)

    def _reference(self, documents: Tokens) -> Scorer:
        from rank_bm25 import BM25Plus

        reference = BM25Plus(documents, k1=self.k1, b=self.b, delta=1)

        def score(queries: Tokens) -> Float32:
            scores = np.zeros((len(queries), len(documents)), np.float32)
            for row, query in enumerate(queries):
                floor = sum(reference.idf[term] * reference.delta for term in query)
                with np.errstate(invalid="ignore"):  # an empty document under b=1 is 0 / 0: it has no score
                    scores[row] = np.nan_to_num(reference.get_scores(query) - floor)
            return scores

        return score


def terms(tokenizer: Any, texts: Sequence[str], learn: bool = False) -> Tokens:
    """Return the ids of each text's terms: ``learn`` gives ids to new terms, which are left out otherwise."""
    return [array("i", ids) for ids in tokenizer.streaming_tokenize(texts, update_vocab=learn, allow_empty=False)]


def _scorer(data: Float32, indices: Int32, indptr: Any, documents: int) -> Scorer:
    """Return the scorer for bm25s's matrix: term t gives ``data`` to the documents ``indices`` in its ``indptr`` range.

    The postings of a query's terms, one after another, are a sparse row in which documents repeat; making it dense
    adds them up in float32 in the order of the query's terms, which is how bm25s adds. So a score depends neither on
    the other queries nor on the numbering of the terms.
    """
    from scipy.sparse import csr_array

    width = np.int32 if len(data) < 2**31 else np.int64
    postings = csr_array((data, indices, indptr.astype(width)), shape=(len(indptr) - 1, documents))

    def score(queries: Tokens) -> Float32:
        ends = np.cumsum([0, *map(len, queries)])
        rows = postings[np.concatenate([np.asarray(query, np.intp) for query in queries])]
        together = (rows.data, rows.indices, rows.indptr[ends])
        scores: Float32 = csr_array(together, shape=(len(queries), documents)).toarray()
        return scores

    return score


def highest(scores: Float32, k: int) -> tuple[Int32, Float32]:
    """Return the columns and values [B, k] of the ``k`` highest positive scores of each row of ``scores`` [B, N].

    Best first, ties in ascending column, at the cut too; -1 and NaN where a row has fewer.
    """
    rows, width = scores.shape
    bound = np.zeros((rows, 1), np.float32)
    groups = 4 * k
    if width >= 2 * groups:  # k groups peak at the bound or above, so a score below it is not among the k highest
        peaks = scores[:, : width // groups * groups].reshape(rows, -1, groups).max(axis=1)
        bound = np.partition(peaks, groups - k, axis=1)[:, groups - k, None]
    row, column = np.divmod(np.flatnonzero((scores >= bound) & (scores > 0)), max(1, width))
    # As one whole number, positive scores order by their bits, and of equal ones the lower column is the larger.
    keys = (scores[row, column].view(np.int32).astype(np.int64) << 32) + (width - column)
    counts = np.bincount(row, minlength=rows)
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.zeros((rows, max(k, counts.max(initial=0))), np.int64)
    table[row, place] = keys
    table.sort(axis=1)
    best = np.ascontiguousarray(table[:, : -k - 1 : -1])
    documents = np.where(best > 0, width - (best & 0xFFFFFFFF), -1).astype(np.int32)
    values = np.where(best > 0, (best >> 32).astype(np.int32).view(np.float32), np.float32(np.nan))
    return documents, values
