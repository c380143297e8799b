"""A cache of stale vectors that negatives are drawn from: against a bank kept by hand, and in the long run."""

from __future__ import annotations

import copy
import json
from functools import partial
from pathlib import Path
from typing import Any

import moving_grids
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax
from scipy.stats import chi2
from sentence_transformers import SentenceTransformer

from negbench.errors import InputError
from negbench.losses import ScoredBatch
from negbench.losses.negative_cache import NegativeCache
from negbench.mining import mine
from negbench.plan.trials import Trial
from negbench.report import results
from negbench.requirements import CacheTargets
from negbench.rng import CounterRNG, keys
from negbench.stages.inputs import read_collection
from negbench.stages.mining.live_encoder import LiveEncoder
from negbench.stages.refresh.cached_vectors import CachedVectorSearch
from negbench.stages.refresh.refresh_inputs import RefreshInputs
from negbench.stages.training.train import Train
from negbench.store import Store
from negbench.training import loop

Floats = NDArray[np.float64]

TRAIN = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "max_length": 32, "precision": "float32"}
plan = partial(moving_grids.plan, negatives=1, train=TRAIN)
SHALLOW = "candidates.depth=15, selection.depth=12"


def trained(store: Store, trial: Trial) -> tuple[Train, dict[str, dict[int, float]]]:
    """The training of a trial, when it has run, and its curves."""
    assert trial.training is not None
    curves = json.loads((store.ensure(trial.training) / "curves.json").read_text())
    return trial.training, {name: {int(step): value for step, value in points} for name, points in curves.items()}


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the weights were at each search."""
    found: list[dict[str, Any]] = []
    real = CachedVectorSearch.replacement

    def watched(self: CachedVectorSearch, model: SentenceTransformer, *rest: Any) -> Any:
        found.append(copy.deepcopy(model.state_dict()))
        return real(self, model, *rest)

    monkeypatch.setattr(CachedVectorSearch, "replacement", watched)
    return found


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[np.ndarray, np.ndarray]]:
    """The negatives of each batch as training saw them, and what the loss was told of each."""
    found: list[tuple[np.ndarray, np.ndarray]] = []
    real = loop.Collator.__call__

    def watched(self: loop.Collator, features: Any) -> dict[str, Any]:
        rows = [feature["row"] for feature in features]
        batch = real(self, features)
        negatives, read = self.data.negatives[rows], batch["label"]["document_rows"].numpy()
        column = (read[None, :] == negatives).argmax(axis=1)
        found.append((negatives, batch["label"]["targets"][CacheTargets].numpy()[np.arange(len(rows)), column]))
        return batch

    monkeypatch.setattr(loop.Collator, "__call__", watched)
    return found


@pytest.mark.parametrize("size", [None, 50])
def test_each_batch_draws_from_a_bank_of_what_was_seen(
    tmp_path: Path, tiny_encoder: Path, states: list[dict[str, Any]], handed: list[Any], size: int | None
) -> None:
    """The same by hand: with the weights of each step, vectors of its documents that stay until they are read again."""
    (trial,) = plan(tmp_path, tiny_encoder, [f"negative-cache({SHALLOW}, size={size or 'null'})"])
    store = Store(tmp_path / "store")
    training, curves = trained(store, trial)
    collection = read_collection(store.path(training.collection))
    data, batches = training.replay(store.path, collection)
    labels, passages = collection.qrels["train"].at_least(1).by_query(), collection.passages()
    assert len(batches) == len(states) == len(handed) > 4

    def encoded(model: SentenceTransformer, texts: list[str]) -> np.ndarray:
        return np.asarray(model.encode(texts, normalize_embeddings=True))

    model = SentenceTransformer(str(tiny_encoder))
    model.max_seq_length = 32
    bank = encoded(model, passages)
    assert training.negatives is not None
    query_keys, document_keys = keys(collection.query_ids), keys(collection.document_ids)
    inside = np.ones(len(passages), np.bool_)
    if size is not None:
        inside[CounterRNG(0, "cache").order(document_keys)[size:]] = False
    drawn_again = 0
    for step, (batch, weights) in enumerate(zip(batches, states, strict=True)):
        model.load_state_dict(weights)
        rng = CounterRNG(0, training.negatives.sampler.spelling, step + 1)
        asked, negatives = data.queries[batch], data.negatives[batch][:, 0]
        np.testing.assert_array_equal(data.negatives[batch], handed[step][0])
        queries = encoded(model, [collection.queries[row] for row in asked.tolist()])
        for at, query in enumerate(asked.tolist()):
            scores = np.where(inside, bank @ queries[at], -np.inf)
            top = np.argsort(-scores, kind="stable")[:12]
            left = np.setdiff1d(top, labels[query])
            logits = scores[left] / 0.05
            assert negatives[at] == left[np.argmax(logits + rng.gumbel(query_keys[query], document_keys[left]))]
            assert handed[step][1][at] == pytest.approx(logsumexp(logits), abs=1e-3)
        used = np.unique(np.concatenate([data.positives[batch], negatives]))
        fresh = encoded(model, [passages[row] for row in used])
        best = (queries * fresh[np.searchsorted(used, data.positives[batch])]).sum(axis=1) / 0.05
        assert curves["loss"][step + 1] == pytest.approx(np.logaddexp(0, handed[step][1] - best).mean(), abs=1e-3)
        moved = np.square(bank[used] - fresh).sum(axis=1)[np.isin(used, negatives)]
        if step + 1 < len(batches):  # of the last step, nobody asks
            assert curves["cache_staleness"][step + 1] == pytest.approx(moved.mean(), rel=1e-3, abs=1e-9)
        drawn_again += int((moved > 1e-6).sum())
        bank[used] = fresh
    assert drawn_again > 20
    assert not np.isin(np.concatenate([it[0].ravel() for it in handed]), np.flatnonzero(~inside)).any()
    assert store.cost(training)["queries_encoded"] == sum(len(np.unique(data.queries[batch])) for batch in batches)
    assert "documents_encoded" not in store.cost(training)


class Drawing:
    """A search whose bank is up to date, and many draws of every training query."""

    def __init__(self, folder: Path, encoder: Path, draws: int) -> None:
        self.t = 0.1
        spelled = f"negative-cache({SHALLOW}, loss.temperature={self.t}, selection.temperature={self.t})"
        (trial,) = plan(folder, encoder, [spelled])
        store = Store(folder / "store")
        assert trial.training is not None
        for stage in trial.training.inputs:
            store.ensure(stage)
        draw = trial.training.mined
        job = trial.training.job(store.path)
        inputs = RefreshInputs(
            refresh=trial.training.refresh,
            draw=draw,
            path_of=store.path,
            limits={"query": 32, "document": 32},
            folder=folder / "rounds",
            rows=lambda _: job.data,
        )
        search = CachedVectorSearch(inputs, job)
        model = SentenceTransformer(str(encoder))
        model.max_seq_length = 32
        collection = search.collection
        self.asked = collection.split_queries("train")
        texts = [collection.queries[row] for row in self.asked.tolist()]
        self.queries = np.asarray(model.encode(texts, normalize_embeddings=True), np.float64)
        self.labels = collection.qrels["train"].at_least(1).by_query()
        random = np.random.default_rng(0)
        search.bank[:] = _unit(random.standard_normal(search.bank.shape))
        self.bank = search.bank.astype(np.float64)
        pool = draw.candidates_now(
            LiveEncoder(model, {"query": 32, "document": 32}, collection, search.fixed), store.path
        )
        own, size = search.ground.own[self.asked], len(collection.document_ids)
        drawn = [mine(pool, draw.rules, 1, 0, own, size, number).documents[:, 0] for number in range(1, draws + 1)]
        for number in range(1, 4):  # a search of a step draws just so
            found, _ = search.replacement(model, number, self.asked)
            np.testing.assert_array_equal(found.documents[:, 0], drawn[number - 1])
        self.drawn = np.stack(drawn, axis=1)
        assert search.targets is not None
        self.total = search.targets.one_by_one(self.asked, drawn[2])

    def among(self, at: int) -> NDArray[np.int64]:
        """Return the documents that a query's negative is drawn among."""
        top = np.argsort(-(self.bank @ self.queries[at]), kind="stable")[:12]
        return np.setdiff1d(top, self.labels[int(self.asked[at])])


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Drawing:
    return Drawing(tmp_path_factory.mktemp("drawing"), tiny_encoder, 1000)


def test_draws_are_as_frequent_as_the_softmax_says(drawing: Drawing) -> None:
    observed, expected = [], []
    for at, query in enumerate(drawing.asked.tolist()):
        among = drawing.among(at)
        assert not np.isin(drawing.drawn[at], drawing.labels[query]).any()
        chances = softmax(drawing.bank[among] @ drawing.queries[at] / drawing.t) * drawing.drawn.shape[1]
        often = (drawing.drawn[at][:, None] == among).sum(axis=0)
        assert often.sum() == drawing.drawn.shape[1]
        rare = chances < 5
        for counts, found in ((chances, expected), (often, observed)):
            found += [*counts[~rare].tolist(), counts[rare].sum()]
    kept = np.array(expected) > 5
    assert kept.sum() > 100
    statistic = (np.square(np.subtract(observed, expected))[kept] / np.array(expected)[kept]).sum()
    assert chi2.sf(statistic, kept.sum() - len(drawing.asked)) > 1e-3


@pytest.mark.parametrize("whole", [True, False])
def test_the_mean_gradient_is_that_of_the_whole_softmax(drawing: Drawing, whole: bool) -> None:
    """By query and documents, in standard errors; not so without the positive's share, a half (``whole=False``)."""
    errors: list[float] = []
    for at in range(len(drawing.asked)):
        among, vector = drawing.among(at), drawing.queries[at]
        along = drawing.t * logsumexp(drawing.bank[among] @ vector / drawing.t)
        across = _unit(drawing.bank[0] - drawing.bank[0] @ vector * vector)
        documents = np.vstack([along * vector + np.sqrt(1 - along**2) * across, drawing.bank[among]])
        shares = softmax(documents @ vector / drawing.t)
        assert shares[0] == pytest.approx(0.5, abs=1e-3)
        pull = shares - (np.arange(len(documents)) == 0)
        truth = np.concatenate([pull @ documents, np.outer(pull, vector).ravel()]) / drawing.t
        told = drawing.total[at] if whole else np.inf
        gradients = np.stack([gradient(vector, documents, one, told, drawing.t) for one in range(1, len(documents))])
        often = (drawing.drawn[at][:, None] == among).sum(axis=0) / drawing.drawn.shape[1]
        mean = often @ gradients
        error = np.sqrt(often @ (gradients - mean) ** 2 / drawing.drawn.shape[1])
        sure = error < 1e-6  # the pull on the positive is the same whatever is drawn
        if whole:
            np.testing.assert_allclose(mean[sure], truth[sure], atol=1e-4)
        errors += ((mean - truth)[~sure] / error[~sure]).tolist()
    off = np.sqrt(np.mean(np.square(errors)))
    assert (off < 1.1) if whole else (off > 5)


def gradient(query: Floats, documents: Floats, drawn: int, total: float, t: float) -> Floats:
    """Return the gradient of the loss by a query [d] and its documents [n, d], the positive first, in one piece."""
    left, right = torch.tensor(query, requires_grad=True), torch.tensor(documents, requires_grad=True)
    own = torch.arange(len(documents))[None, :] == drawn
    told = torch.where(own, total, torch.nan)
    relevant = torch.arange(len(documents))[None, :] == 0
    batch = ScoredBatch(
        scores=(left @ right.T)[None, :],
        positive_column=torch.tensor([0]),
        known_mask=relevant,
        mined_mask=own,
        targets={CacheTargets: told},
    )
    NegativeCache(temperature=t).rows(batch).sum().backward()  # type: ignore[no-untyped-call]
    assert left.grad is not None
    assert right.grad is not None
    return np.concatenate([left.grad.numpy(), right.grad.numpy().ravel()])


def test_staleness_falls_with_the_learning_rate(tmp_path: Path, tiny_encoder: Path) -> None:
    store, means = Store(tmp_path / "store"), []
    rates = [1e-2, 1e-3, 1e-4, 1e-14]
    for trial in plan(tmp_path, tiny_encoder, [f"negative-cache({SHALLOW})"], axes={"train.learning_rate": rates}):
        _, curves = trained(store, trial)
        points = curves["cache_staleness"]
        assert min(points) == 1
        means.append(np.mean(list(points.values())))
    assert means[0] > 3 * means[1] > 9 * means[2] > 0
    assert means[3] < 1e-10  # an encoder that stands still


def test_the_same_twice_and_counted(tmp_path: Path, tiny_encoder: Path) -> None:
    found = []
    for name in ("one", "two"):
        (trial,) = plan(tmp_path / name, tiny_encoder, [f"negative-cache({SHALLOW}, size=60)"], gradient=True)
        store = Store(tmp_path / name / "store")
        for stage in trial.stages:
            store.ensure(stage)
        training, curves = trained(store, trial)
        folder = store.path(training)
        rounds = [it.read_bytes() for it in sorted((folder / "rounds").rglob("*.npy"))]
        found.append(((folder / "model/model.safetensors").read_bytes(), curves, rounds))
    assert found[0] == found[1]
    # false negatives are counted over what was drawn on the way
    collection = read_collection(store.path(training.collection))
    data, batches = training.replay(store.path, collection)
    truth = collection.truth["train"].at_least(1)
    seen = np.concatenate(batches)
    false = truth.contains(data.queries[seen, None], data.negatives[seen])
    row = results.record(trial, [trial], store, None)
    assert row["false_negatives"]["exact"]["rate"] == pytest.approx(false.mean())


@pytest.mark.slow
def test_two_processes_draw_what_one_does(tmp_path: Path, tiny_encoder: Path) -> None:
    """The first sees all vectors, and hands on the rows with what the loss is told."""
    rows, losses = [], []
    for processes in (1, 2):
        train = {**TRAIN, "epochs": 1, "learning_rate": 1e-3, "processes": processes}
        (trial,) = plan(tmp_path, tiny_encoder, [f"negative-cache({SHALLOW})"], train=train)
        store = Store(tmp_path / "store")
        training, curves = trained(store, trial)
        data, batches = training.replay(store.path, read_collection(store.path(training.collection)))
        rows.append([data.negatives[batch] for batch in batches])
        losses.append([curves[name] for name in ("loss", "cache_staleness")])
    for one, two in zip(*rows, strict=True):
        np.testing.assert_array_equal(one, two)
    for left, right in zip(*losses, strict=True):
        assert left == pytest.approx(right, rel=1e-3, abs=1e-6)


def test_any_sampler_and_loss_may_draw_from_it(tmp_path: Path, tiny_encoder: Path) -> None:
    """The top of a bank that stands still is the top that was there before."""
    train = {**TRAIN, "learning_rate": 1e-14}
    (trial,) = plan(tmp_path, tiny_encoder, ["naive(refresh=cache)"], train=train, negatives=3)
    store = Store(tmp_path / "store")
    training, curves = trained(store, trial)
    assert max(curves["cache_staleness"].values()) < 1e-10
    data, batches = training.replay(store.path, read_collection(store.path(training.collection)))
    for batch in batches:
        assert (data.negatives[batch] >= 0).all()
        np.testing.assert_array_equal(data.negatives[batch], data.negatives[batch % (2 * len(data.keys))])


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("negative-cache(trains=queries)", "searches over documents that are trained; give trains=both, no labels"),
        ("negative-cache(labels=[promote-duplicates])", "give trains=both, no labels and nothing written"),
        ("negative-cache(candidates=voyager)", "vectors that always change need no index; give candidates=dense"),
        ("negative-cache(candidates=bm25)", "need no index; give candidates=dense"),
        ("negative-cache(size=0)", "size: expected at least 1"),
        ("negative-cache(refresh=every-step)", "documents that stay; give trains=queries"),
        ("negative-cache(refresh=never)", "refresh=cache, negatives=1 and selection=softmax with temperature=0.05"),
        ("negative-cache(refresh=every-epoch)", "its loss wants one negative, drawn from a cache"),
        ("negative-cache(negatives=2)", "its loss wants one negative, drawn from a cache"),
        ("negative-cache(selection=uniform)", "its loss wants one negative, drawn from a cache"),
        ("negative-cache(loss.temperature=0.1)", "selection=softmax with temperature=0.1"),
        ("bm25(loss=negative-cache)", "its loss wants one negative, drawn from a cache"),
        ("in-batch(loss=negative-cache)", "learns from mined negatives alone"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path, tiny_encoder: Path, method: str, reason: str) -> None:
    with pytest.raises(InputError) as error:
        plan(tmp_path, tiny_encoder, [method])
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_drawn_on_the_way_cannot_be_repaired(tmp_path: Path, tiny_encoder: Path) -> None:
    with pytest.raises(InputError, match="repair: negative-cache refreshes its negatives"):
        plan(tmp_path, tiny_encoder, ["negative-cache"], repair="replaced")
