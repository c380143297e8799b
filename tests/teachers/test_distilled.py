"""The distilled cross-encoder: its parts against closed forms, who sees what, and what imitation is for."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_ranked import planted
from scipy.special import softmax
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

from negbench.collections.beir import Beir
from negbench.errors import InputError
from negbench.retrieval import pool as pools
from negbench.retrieval.bm25 import BM25, terms
from negbench.teachers import joint_cosine, stacking
from negbench.teachers.bi_encoder import BiEncoder
from negbench.teachers.corpus_scores import CorpusScores
from negbench.teachers.cross_encoder import predict
from negbench.teachers.distilled_cross_encoder import DistilledCrossEncoder
from negbench.teachers.query_groups import Group, contrasts, unlabelled
from negbench.teachers.trained import LabelledPairs, Recipe
from negbench.training.teacher import fold_of, train_fold, training_pairs
from negbench.types import CandidatePool, Collection

DOCUMENTS = ["cats sit, a cat sat on mats", "dogs bark at cats", "mats are flat, flat things", "galaxies", ""]
QUERIES = ["cats on mats, flat flat", "galaxies barking", "zzz"]


def tiny(folder: Path, **changed: Any) -> DistilledCrossEncoder:
    recipe = {"learning_rate": 3e-3, "max_length": 48, "depth": 20, "negatives": 2, "unlabelled": 12}
    return DistilledCrossEncoder.model_validate({"model": str(folder), **recipe, **changed})


@pytest.fixture(scope="module")
def garden(tiny_collection: Path) -> tuple[Collection, CandidatePool]:
    """Return the garden with the BM25 pool of its training queries."""
    collection = Beir(path=str(tiny_collection)).load()
    return collection, pools.build(BM25(depth=20), collection, collection.split_queries("train"), "train", 0)


def data_of(given: tuple[Collection, CandidatePool], teacher: DistilledCrossEncoder) -> LabelledPairs:
    collection, pool = given
    return LabelledPairs(
        pairs=training_pairs(teacher, pool, np.arange(len(pool.queries)), 0),
        queries=[collection.queries[row] for row in pool.queries],
        passages=collection.passages(),
        titles=collection.titles,
        pool=pool,
        seed=0,
    )


class TestCorpusScores:
    def test_they_are_the_retriever_s_scores_less_their_mean_over_their_deviation(
        self, tiny_encoder: Path, tmp_path: Path
    ) -> None:
        encoder = BiEncoder(model=str(tiny_encoder))
        known = CorpusScores.of(DOCUMENTS, np.arange(5), encoder, "float32")
        pairs = [(query, text) for query in QUERIES for text in DOCUMENTS]
        found = known.standardised(pairs, encoder, "float32")
        bm25 = BM25()
        words = bm25.tokenizer(DOCUMENTS)
        index = bm25.index(terms(words, DOCUMENTS, learn=True), words.get_vocab_dict())
        model = SentenceTransformer(str(tiny_encoder), device="cpu")
        vectors = model.encode(DOCUMENTS)
        for column, scores in enumerate((model.encode(QUERIES) @ vectors.T, index(terms(words, QUERIES)))):
            spread = scores.std(axis=1, keepdims=True)
            wanted = (scores - scores.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
            np.testing.assert_allclose(found[:, column].reshape(3, 5), wanted, atol=1e-4)
        assert np.ptp(found[:5], axis=0).min() > 1
        assert (found[10:, 1] == 0).all()
        known.save(tmp_path)
        np.testing.assert_array_equal(CorpusScores.load(tmp_path).standardised(pairs, encoder, "float32"), found)

    def test_the_nearest_are_the_highest_by_bm25(self, tiny_encoder: Path) -> None:
        known = CorpusScores.of(DOCUMENTS, np.array([0, 2, 3]), BiEncoder(model=str(tiny_encoder)), "float32")
        assert known.nearest(["flat things", "galaxies", "cats"], 1).tolist() == [[1], [2], [0]]


class TestJointCosine:
    def test_the_output_is_the_cosine_of_both_parts_means(self, tiny_encoder: Path) -> None:
        pairs = [("will rose live through snow", "cut old shoots"), ("mint", "give mint water, less on cool days")]
        found = predict(joint_cosine.load(tiny_encoder, 48), pairs, "float32", log_odds=True)
        tokenizer, body = AutoTokenizer.from_pretrained(tiny_encoder), AutoModel.from_pretrained(tiny_encoder)
        for pair, output in zip(pairs, found, strict=True):
            read = tokenizer(*pair, return_tensors="pt")
            with torch.inference_mode():
                states = body.eval()(**read).last_hidden_state[0].numpy()
            middle = read["input_ids"][0].tolist().index(tokenizer.sep_token_id) + 1
            a, b = states[:middle].mean(axis=0), states[middle:].mean(axis=0)
            assert output == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b) / 0.05, abs=1e-3)

    def test_the_loss_is_the_cross_entropy_of_softmaxes(self, tiny_encoder: Path) -> None:
        model = joint_cosine.load(tiny_encoder, 48)
        asked, listed = ["mint", "rose soil"], [["sun", "frost", "pot"], ["sand", ""]]
        targets = [torch.tensor([0.5, 0.3, 0.2]), torch.tensor([1.0, 0.0])]
        found = joint_cosine.listwise(model.eval())((asked, listed), targets)
        wanted = 0.0
        for query, documents, target in zip(asked, listed, targets, strict=True):
            outputs = predict(model, [(query, text) for text in documents], "float32", log_odds=True).astype(float)
            wanted -= (target.numpy() * np.log(np.exp(outputs) / np.exp(outputs).sum())).sum() / 2
        assert found.item() == pytest.approx(wanted, abs=1e-4)

    def test_a_tokenizer_that_does_not_tell_texts_apart(self, tiny_encoder: Path, tmp_path: Path) -> None:
        shutil.copytree(tiny_encoder, tmp_path / "none")
        path = tmp_path / "none" / "tokenizer.json"
        told = json.loads(path.read_text())
        told["post_processor"] = None
        path.write_text(json.dumps(told))
        with pytest.raises(InputError, match="puts no token between the two texts of a pair"):
            joint_cosine.load(tmp_path / "none", 48)


def test_weights_are_those_that_the_labels_were_drawn_with() -> None:
    """The first of a query's five documents by a softmax of the weighted sum is relevant; a constant of the query,
    which orders nothing, is in a feature of its own and has no weight."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((4000, 5, 3)) * [10, 1, 0.1] + rng.standard_normal((4000, 1, 3))
    features[:, :, 1] = features[:, :1, 1]
    odds = features @ [0.2, 0, 5] + rng.gumbel(size=(4000, 5))
    relevant = odds == odds.max(axis=1, keepdims=True)
    flat, queries = features.reshape(-1, 3), np.repeat(np.arange(4000), 5)
    weights = stacking.fitted(flat, relevant.ravel(), queries)
    assert weights[1] / weights[3] == pytest.approx(0.2 / 5, rel=0.2)
    assert abs(weights[2]) < 1e-6
    said = stacking.weighted(flat, weights)
    assert said.mean() == pytest.approx(0.2, abs=0.002)
    for low, high in ((0.05, 0.15), (0.3, 0.5)):
        inside = (said > low) & (said < high)
        assert relevant.ravel()[inside].mean() == pytest.approx(said[inside].mean(), abs=0.05)
    apart = stacking.fitted(flat[:50], flat[:50, 0] > 0, queries[:50])
    assert np.isfinite(apart).all()


class TestGroups:
    def test_a_positive_stands_against_its_share_of_the_negatives(self, garden: Any, tiny_encoder: Path) -> None:
        data = data_of(garden, tiny(tiny_encoder))
        found = contrasts(data, {0})
        labels = {(data.queries[query], data.passages[row]): label for query, row, label in data.pairs}
        negatives = [(group.query, text) for group in found for text in group.documents[1:]]
        wanted = {pair for pair, label in labels.items() if label == 0 and pair[0] != data.queries[0]}
        assert len(negatives) == len(wanted)
        assert set(negatives) == wanted
        for group in found:
            assert [labels[group.query, text] for text in group.documents] == list(group.targets)
            assert group.targets == (1.0, *[0.0] * (len(group.documents) - 1))
        positives = [(group.query, group.documents[0]) for group in found]
        assert len(set(positives)) == len(positives) > 30

    def test_unlabelled_ones_are_queries_spans_and_titles(self, garden: Any, tiny_encoder: Path) -> None:
        data = data_of(garden, tiny(tiny_encoder))
        rows = np.arange(0, 60, 2)
        known = CorpusScores.of(data.passages, rows, BiEncoder(model=str(tiny_encoder)), "float32")
        found = unlabelled(data, {0, 1}, rows, known, 40)
        assert len(found) == 40
        assert unlabelled(data, {0, 1}, rows, known, 40) == found
        asked = {group.query for group in found}
        assert asked & set(data.queries) <= set(data.queries[2:])
        assert sum(group.query in data.queries for group in found) == 20
        assert asked & set(data.titles)
        assert all(
            any(group.query in text for text in data.passages) for group in found if group.query not in data.queries
        )
        assert all(3 <= len(set(group.documents)) == len(group.documents) <= 5 for group in found)

    def test_targets_are_a_softmax(self) -> None:
        targets = Group("q", ("a", "b")).towards(np.array([1000.0, 1000.0 + np.log(3)], np.float32)).targets
        assert targets == pytest.approx((0.25, 0.75), abs=1e-3)


class TestTraining:
    @pytest.fixture
    def fits(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """Return a list that gets the columns of each fit, its epochs, pairs and weights before and after."""
        seen: list[Any] = []
        learn = DistilledCrossEncoder.learn

        def watched(self: Any, data: Any, fit: Any, precision: Any, out: Path) -> Any:
            def recorded(model: Any, columns: Any, loss: Any, recipe: Recipe, pairs_read: int) -> None:
                before = loss.model[0].model.state_dict()
                before = {name: value.clone() for name, value in before.items()}
                fit(model, columns, loss, recipe, pairs_read)
                after = {name: value.clone() for name, value in loss.model[0].model.state_dict().items()}
                seen.append((columns, recipe.epochs, pairs_read, before, after))

            return learn(self, data, recorded, precision, out)

        monkeypatch.setattr(DistilledCrossEncoder, "learn", watched)
        return seen

    def test_what_can_be_learnt_holds_for_queries_never_seen(self, tiny_encoder: Path, tmp_path: Path) -> None:
        collection, pool = planted()
        teacher = tiny(tiny_encoder, epochs=8, batch_size=2, held_back=0.4)
        train_fold(teacher, pool, collection, 0, 0, "float32", tmp_path / "m", tmp_path / "scratch")
        for query in np.flatnonzero(fold_of(collection.queries, 2) == 0):
            pairs = [(collection.queries[query], collection.texts[row]) for row in pool.documents[query]]
            scores = teacher.score(pairs, tmp_path / "m", "float32")
            assert scores[0] > scores[1:].max()

    def test_a_copy_sees_no_query_of_its_fold_and_everything_is_charged(
        self, garden: Any, tiny_encoder: Path, tmp_path: Path, fits: list[Any]
    ) -> None:
        collection, pool = garden
        teacher = tiny(tiny_encoder, epochs=3)
        cost = train_fold(teacher, pool, collection, 1, 0, "float32", tmp_path / "m", tmp_path / "scratch")
        texts = [collection.queries[row] for row in pool.queries]
        fold = fold_of(texts, 2)
        scored, own = ({texts[query] for query in np.flatnonzero(fold == side)} for side in (1, 0))
        imitated, learnt = (columns for columns, *_ in fits)
        assert [epochs for _, epochs, *_ in fits] == [1, 3]
        assert not scored & {*imitated["query"], *learnt["query"]}
        assert set(learnt["query"]) < own  # some are held back, and weigh what was learnt
        assert not own - set(learnt["query"]) & set(imitated["query"])
        held = [query for query in np.flatnonzero(fold == 0) if texts[query] not in learnt["query"]]
        weighed = len(training_pairs(teacher, pool, np.array(held), 0))
        read = [sum(map(len, columns["documents"])) for columns in (imitated, learnt)]
        assert cost["pairs_read"] == read[0] + 3 * read[1] + weighed
        assert cost["documents_encoded"] >= 60
        assert cost["steps"] == -(-len(imitated["query"]) // 8) + 3 * -(-len(learnt["query"]) // 8)

    def test_imitation_brings_it_nearer_to_cosine_and_bm25_on_pairs_not_seen(
        self, garden: Any, tiny_encoder: Path, tmp_path: Path, fits: list[Any]
    ) -> None:
        collection, pool = garden
        teacher = tiny(tiny_encoder, unlabelled=300, learning_rate=1e-3, epochs=1)
        train_fold(teacher, pool, collection, 0, 0, "float32", tmp_path / "m", tmp_path / "scratch")
        columns, _, _, before, after = fits[0]
        known, data = CorpusScores.load(tmp_path / "m"), replace(data_of(garden, teacher), seed=1)
        seen = set(columns["query"])
        others = [it for it in unlabelled(data, (), np.arange(60), known, 100) if it.query not in seen]
        assert len(others) > 30
        pairs = [(group.query, text) for group in others for text in group.documents]
        ends = np.cumsum([len(group.documents) for group in others])[:-1]
        wanted = np.split(known.standardised(pairs, teacher.encoder, "float32").sum(axis=1), ends)
        model, distances = joint_cosine.load(tiny_encoder, 48), []
        for weights in (before, after):
            model[0].model.load_state_dict(weights)
            outputs = np.split(predict(model, pairs, "float32", log_odds=True), ends)
            shares = [(softmax(target), softmax(found)) for target, found in zip(wanted, outputs, strict=True)]
            distances.append(np.mean([(target * np.log(target / found)).sum() for target, found in shares]))
        assert distances[1] < 0.6 * distances[0]

    def test_twice_is_the_same_to_the_byte(self, garden: Any, tiny_encoder: Path, tmp_path: Path) -> None:
        collection, pool = garden
        costs: list[dict[str, float]] = []
        for name in ("first", "second"):
            torch.manual_seed(len(costs))
            costs.append(
                train_fold(tiny(tiny_encoder), pool, collection, 0, 0, "float32", tmp_path / name, tmp_path / "scratch")
            )
        assert costs[0] == costs[1]
        for path in sorted((tmp_path / "first").iterdir()):
            assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name

    def test_a_prior_lowers_probabilities_and_keeps_their_order(self, tiny_encoder: Path, tmp_path: Path) -> None:
        collection, pool = planted()
        teacher = tiny(tiny_encoder)
        train_fold(teacher, pool, collection, 0, 0, "float32", tmp_path / "m", tmp_path / "scratch")
        pairs = [(collection.queries[0], text) for text in ("sun", "frost", "sun frost")]
        plain = teacher.score(pairs, tmp_path / "m", "float32")
        rare = tiny(tiny_encoder, prior=0.01).score(pairs, tmp_path / "m", "float32")
        assert (rare < plain).all()
        assert np.argsort(rare).tolist() == np.argsort(plain).tolist()
