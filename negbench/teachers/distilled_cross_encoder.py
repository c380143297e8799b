"""A cross-encoder that imitates cosine and BM25 before it learns from labels, and is added to both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from negbench import rng
from negbench.collections.splits import normalised
from negbench.encoders.precision import Precision
from negbench.teachers import joint_cosine, stacking
from negbench.teachers.bi_encoder import BiEncoder
from negbench.teachers.corpus_scores import CorpusScores, sampled
from negbench.teachers.cross_encoder import predict
from negbench.teachers.query_groups import Group, contrasts, unlabelled
from negbench.teachers.trained import Fit, LabelledPairs
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder
from negbench.types import Float32, Float64

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder


class DistilledCrossEncoder(TrainedCrossEncoder):
    """The weighted sum of a cross-encoder trained here, an embedding model's cosine and BM25; cross-fitted by query.

    Cosine and BM25 are in the query's standard deviations over a sample of documents (``corpus_scores``). The
    cross-encoder starts as the embedding model (``joint_cosine``). It first imitates the sum of both on queries without
    labels, as distillation does (Hofstätter et al. 2020, arXiv 2010.02666): training queries, spans of documents and
    titles, each with documents near the top and random ones. Then it learns the labels, each query's positives against
    its mined negatives. Both losses are a softmax over a query's documents.

    The weights of the three are a logistic regression on training queries that are held back from the cross-encoder
    (``stacking``), so it counts as much as it is worth on queries that it has not seen.

    The other parameters are those of trained-cross-encoder; a batch counts queries.
    """

    name: ClassVar[str] = "distilled-cross-encoder"
    version: ClassVar[int] = 1

    depth: int = Field(
        default=50, ge=1, description="Number of top retriever ranks that training negatives are drawn from."
    )
    epochs: int = Field(default=2, ge=1, le=1000, description="Passes over the labelled queries.")
    batch_size: int = Field(default=8, ge=1, description="Queries per step, each with its documents.")
    learning_rate: float = Field(default=5e-5, gt=0, description="Peak learning rate of AdamW.")
    max_length: int = Field(default=128, ge=8, description="Tokens of a text, and of query and document together.")
    unlabelled: int = Field(
        default=200,
        ge=0,
        description="Queries without labels that are imitated first, five documents each; 0 for none.",
    )
    held_back: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="Share of a copy's queries on which the weights of cross-encoder, cosine and BM25 are set.",
    )

    @property
    def encoder(self) -> BiEncoder:
        """The embedding model whose cosines count."""
        return BiEncoder(model=self.model, max_length=self.max_length)

    def start(self) -> CrossEncoder:
        """Return the embedding model as a cross-encoder; nothing is drawn."""
        return joint_cosine.load(self.model, self.max_length, self.keep_layers)

    def learn(self, data: LabelledPairs, fit: Fit, precision: Precision, out: Path) -> dict[str, float]:
        """Imitate, learn the labels, weigh; save the transformer, what is known of the corpus, and the weights."""
        model = self.start()
        rows = sampled(data.passages, data.seed)
        known = CorpusScores.of(data.passages, rows, self.encoder, precision)
        held = self._held_back(data)

        def train(of_queries: Sequence[Group], epochs: int) -> None:
            if of_queries:
                columns: dict[str, list[Any]] = {
                    "query": [group.query for group in of_queries],
                    "documents": [list(group.documents) for group in of_queries],
                    "label": [list(group.targets) for group in of_queries],
                }
                read = sum(len(group.documents) for group in of_queries)
                fit(model, columns, joint_cosine.listwise(model), self.recipe(epochs), read)

        imitated = unlabelled(data, held, rows, known, self.unlabelled)
        asked = [(group.query, document) for group in imitated for document in group.documents]
        wanted = known.standardised(asked, self.encoder, precision).sum(axis=1)
        ends = np.cumsum([len(group.documents) for group in imitated])[:-1]
        train([group.towards(scores) for group, scores in zip(imitated, np.split(wanted, ends), strict=False)], 1)
        train(contrasts(data, held), self.epochs)

        judged = [pair for pair in data.pairs if pair[0] in held] or data.pairs
        pairs = [(data.queries[query], data.passages[row]) for query, row, _ in judged]
        features = self.features(model, known, pairs, precision)
        rows_of, _, labels = zip(*judged, strict=True)
        weights = stacking.fitted(features, np.array(labels) > 0, np.array(rows_of, np.int64))
        joint_cosine.save(model, out)
        known.save(out)
        stacking.save(weights, out)
        texts = len(rows) + len({text for _, text in [*asked, *pairs]})
        queries = len({query for query, _ in [*asked, *pairs]})
        return {"pairs_read": len(pairs), "documents_encoded": texts, "queries_encoded": queries}

    def score(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        """Return the probabilities that the weighted sum gives."""
        assert folder is not None, "a trained teacher is scored from its folder"
        if not pairs:
            return np.zeros(0, np.float32)
        model, known = joint_cosine.load(folder, self.max_length), CorpusScores.load(folder)
        weights = stacking.load(folder)
        return self.at_prior(stacking.weighted(self.features(model, known, pairs, precision), weights))

    def features(
        self, model: CrossEncoder, known: CorpusScores, pairs: Sequence[tuple[str, str]], precision: Precision
    ) -> Float64:
        """Return [pairs, 3]: the cross-encoder's output, cosine and BM25."""
        outputs = predict(model, pairs, precision, log_odds=True)
        return np.column_stack([outputs, known.standardised(pairs, self.encoder, precision)]).astype(np.float64)

    def _held_back(self, data: LabelledPairs) -> frozenset[int]:
        """Return the queries, by row, that the weights are set on; equal texts are on one side."""
        members = sorted({query for query, _, _ in data.pairs})
        keys = rng.keys([normalised(data.queries[query]) for query in members])
        luck = rng.CounterRNG(data.seed, "held back").uniform(keys)
        return frozenset(query for query, chance in zip(members, luck.tolist(), strict=True) if chance < self.held_back)
