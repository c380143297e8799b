"""Cosine and BM25, weighted by the labels of the training split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.encoders.precision import Precision
from negbench.teachers import stacking
from negbench.teachers.bi_encoder import BiEncoder
from negbench.teachers.corpus_scores import CorpusScores, sampled
from negbench.teachers.trained import Fit, LabelledPairs, TrainedTeacher
from negbench.types import Float32


class ScoreFusion(TrainedTeacher):
    """The weighted sum of an embedding model's cosine and BM25 as a probability of relevance; cross-fitted by query.

    Bruch et al. 2022, arXiv 2210.11934, find such a sum better than fusing ranks, and few labels enough to weigh it.
    Here both scores are in the query's standard deviations over a sample of documents (``corpus_scores``), and the
    weights are a logistic regression on the labelled pairs and the negatives drawn for them (``stacking``). Training
    and scoring cost little more than embedding the texts that they read.

    It is distilled-cross-encoder without the cross-encoder. Differs from the paper in: how scores are scaled, and
    weights learnt as those of a probability, not tuned for nDCG.
    """

    name: ClassVar[str] = "score-fusion"

    model: str = Field(
        default="all-MiniLM-L6-v2", min_length=1, description="Embedding model: a hub id, folder or offline name."
    )
    depth: int = Field(
        default=50, ge=1, description="Number of top retriever ranks that training negatives are drawn from."
    )
    max_length: int = Field(default=128, ge=8, description="Tokens per text that the embedding model reads.")

    @property
    def encoder(self) -> BiEncoder:
        """The embedding model whose cosines count."""
        return BiEncoder(model=self.model, max_length=self.max_length)

    def check_usable(self) -> None:
        self.encoder.check_usable()

    def learn(self, data: LabelledPairs, fit: Fit, precision: Precision, out: Path) -> dict[str, float]:
        """Weigh both scores; save what is known of the corpus, and the weights."""
        rows = sampled(data.passages, data.seed)
        known = CorpusScores.of(data.passages, rows, self.encoder, precision)
        pairs = [(data.queries[query], data.passages[row]) for query, row, _ in data.pairs]
        features = known.standardised(pairs, self.encoder, precision).astype(np.float64)
        queries, _, labels = zip(*data.pairs, strict=True)
        weights = stacking.fitted(features, np.array(labels) > 0, np.array(queries, np.int64))
        out.mkdir(parents=True, exist_ok=True)
        known.save(out)
        stacking.save(weights, out)
        read, asked = {text for _, text in pairs}, {query for query, _ in pairs}
        return {"documents_encoded": len(rows) + len(read), "queries_encoded": len(asked)}

    def score(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        """Return the probabilities that the weighted sum gives."""
        assert folder is not None, "a trained teacher is scored from its folder"
        known, weights = CorpusScores.load(folder), stacking.load(folder)
        features = known.standardised(pairs, self.encoder, precision).astype(np.float64)
        return self.at_prior(stacking.weighted(features, weights))
