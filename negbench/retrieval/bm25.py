"""BM25 by bm25s, with rank-bm25 as the reference."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from negbench.retrieval import Ranking, Retriever, Search
from negbench.retrieval.topk import top_k
from negbench.types import Float32


class BM25(Retriever):
    """BM25 over title and text, English stop words and Snowball stems.

    The defaults are Anserini's (k1 0.9, b 0.4, Lucene's idf). Documents that share no term with the query, or
    only terms without weight, are not retrieved; ``bm25+`` goes without the floor that it gives to every document
    alike. ``rank-bm25`` is the slow reference backend: of the formulas here it has ``bm25+`` alone (its Okapi
    has an idf of its own).

    variant: the formula, as bm25s names it. k1: term saturation. b: length normalisation. stem: Snowball stems.
    """

    name: ClassVar[str] = "bm25"

    k1: float = Field(default=0.9, ge=0)
    b: float = Field(default=0.4, ge=0, le=1)
    variant: Literal["lucene", "robertson", "atire", "bm25+"] = "lucene"
    stem: bool = True
    backend: Literal["bm25s", "rank-bm25"] = "bm25s"

    @model_validator(mode="after")
    def _formula_exists(self) -> BM25:
        if self.backend == "rank-bm25" and self.variant != "bm25+":
            raise ValueError("backend rank-bm25 has variant bm25+ only; add variant=bm25+")
        if self.variant == "bm25+" and self.k1 == 0:
            raise ValueError("k1=0 divides by 0 in variant bm25+; give k1 above 0")
        return self

    def rank(self, search: Search) -> Ranking:
        """Score every document for one query after another."""
        documents = self._terms(search.documents)
        queries = self._terms(search.queries)
        score = self._index(documents)
        found = np.full((len(queries), self.depth), -1, np.int32)
        values = np.full((len(queries), self.depth), np.nan, np.float32)
        positive_scores = np.full(search.positives.shape, np.nan, np.float32)
        for row, terms in enumerate(queries):
            scores = score(terms)
            mine = search.positives[row]
            positive_scores[row, mine >= 0] = scores[mine[mine >= 0]]
            matched = np.where(scores > 0, scores, -np.inf)
            found[row], values[row] = (part[0] for part in top_k(matched[None, :], self.depth))
        return Ranking(found, values, positive_scores)

    def _terms(self, texts: list[str]) -> list[list[str]]:
        import bm25s
        import Stemmer

        stemmer = Stemmer.Stemmer("english") if self.stem else None
        return bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False)  # type: ignore[no-any-return]

    def _index(self, documents: list[list[str]]) -> Any:
        """Return a function from a query's terms to the scores of all documents [N]."""
        vocabulary = {term for terms in documents for term in terms}
        if not vocabulary:
            return lambda terms: np.zeros(len(documents), np.float32)
        if self.backend == "rank-bm25":
            from rank_bm25 import BM25Plus

            reference = BM25Plus(documents, k1=self.k1, b=self.b, delta=1)

            def score_reference(terms: list[str]) -> Float32:
                known = [term for term in terms if term in vocabulary]
                floor = sum(reference.idf[term] * reference.delta for term in known)
                with np.errstate(invalid="ignore"):  # an empty document under b=1 is 0 / 0: it has no score
                    scores: Float32 = np.nan_to_num(reference.get_scores(known) - floor).astype(np.float32)
                return scores

            return score_reference

        import bm25s

        index = bm25s.BM25(k1=self.k1, b=self.b, method=self.variant)
        index.index(documents, show_progress=False)
        index.nonoccurrence_array = None  # bm25+'s floor, which would be added to every document's score

        def score(terms: list[str]) -> Float32:
            known = [term for term in terms if term in vocabulary]
            return index.get_scores(known) if known else np.zeros(len(documents), np.float32)

        return score
