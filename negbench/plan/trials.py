"""From a grid to its trials, each a handful of stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from negbench.collections import Source
from negbench.config.grid import Grid, Settings
from negbench.encoders import weights
from negbench.encoders.precision import Precision, resolve
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import Side
from negbench.errors import InputError
from negbench.evaluation.false_negatives import Estimator
from negbench.methods import Method
from negbench.parts import registered
from negbench.plan.evaluation import CountFalseNegatives, EvaluateEncoder, EvaluateRetriever
from negbench.plan.mining import BuildPool, DrawNegatives, ScorePool, TrainTeacher
from negbench.plan.sources import Embed, LoadCollection, StartEncoder
from negbench.plan.training import Train
from negbench.retrieval.bm25 import BM25
from negbench.store import Stage, ancestors
from negbench.teachers import Teacher
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder

START = "start"
BM25_SEARCH = "bm25-search"
TRAINING_SPLIT = "train"


@dataclass(frozen=True)
class Trial:
    """A row of the results: a method with a seed, or one of the two references (start, BM25 search)."""

    method: str
    spelling: str
    form: str
    seed: int | None
    point: dict[str, Any]
    settings: Settings
    evaluation: EvaluateEncoder | EvaluateRetriever
    training: Train | None = None
    negatives: DrawNegatives | None = None
    false_negatives: CountFalseNegatives | None = None
    stages: tuple[Stage, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Collect the stages, inputs first."""
        ends = [end for end in (self.evaluation, self.false_negatives) if end is not None]
        found = {stage.key: stage for end in ends for stage in ancestors(end)}
        object.__setattr__(self, "stages", tuple(found.values()))

    @property
    def collection_name(self) -> str:
        """The collection's name without the path to it."""
        source = self.settings.collection
        path = source.parameters.get("path") or source.parameters.get("id")
        return source.spelling if path is None else str(path).rstrip("/").rpartition("/")[2]

    @property
    def name(self) -> str:
        """What a person calls it."""
        where = "".join(f" {key}={value}" for key, value in self.point.items())
        return self.spelling + ("" if self.seed is None else f" seed {self.seed}") + where


def trials(grid: Grid) -> list[Trial]:
    """Expand a grid; needs neither torch nor a store, but reads what digests are made of.

    Raises InputError where the collection or the encoder's weights do not exist.
    """

    @cache  # a fingerprint reads whole files, and every point and seed asks again
    def fingerprint(thing: Source | Teacher | EncoderSpec) -> str:
        if isinstance(thing, EncoderSpec):
            return weights.fingerprint(thing.model, thing.revision)
        return thing.fingerprint()

    found: list[Trial] = []
    for point, settings in grid.points:
        collection = LoadCollection(settings.collection, fingerprint(settings.collection))
        builder = _Builder(point, settings, collection, resolve(settings.train.precision), fingerprint)
        found.append(builder.bm25())
        for seed in settings.seeds if settings.encoder.seeded else settings.seeds[:1]:
            found.append(builder.start(seed))
        found += [builder.trial(method, seed) for seed in settings.seeds for method in settings.methods]
    return found


@dataclass(frozen=True)
class _Builder:
    point: dict[str, Any]
    settings: Settings
    collection: LoadCollection
    precision: Precision
    fingerprint: Callable[[Source | Teacher | EncoderSpec], str]

    def bm25(self) -> Trial:
        settings = self.settings
        stage = EvaluateRetriever(self.collection, BM25(), settings.split, settings.measures)
        return Trial(BM25_SEARCH, BM25_SEARCH, "reference", None, self.point, settings, stage)

    def start(self, seed: int) -> Trial:
        evaluation = self._evaluate(self._encoder(seed))
        shown = seed if self.settings.encoder.seeded else None
        return Trial(START, START, "reference", shown, self.point, self.settings, evaluation)

    def trial(self, method: Method, seed: int) -> Trial:
        settings = self.settings
        recipe = settings.train.model_copy(update={"precision": self.precision})
        encoder = self._encoder(seed)
        negatives = self._negatives(method, encoder, seed)
        training = Train(encoder, self.collection, TRAINING_SPLIT, negatives, method.loss, recipe, seed)
        estimators = tuple(_default(kind) for kind in registered("estimator").values())
        count = CountFalseNegatives(self.collection, TRAINING_SPLIT, negatives, estimators, recipe, seed)
        return Trial(
            method.name,
            method.spelling,
            method.form,
            seed,
            self.point,
            settings,
            self._evaluate(training),
            training,
            negatives,
            count,
        )

    def _encoder(self, seed: int) -> StartEncoder:
        spec = self.settings.encoder
        return StartEncoder(spec, self.fingerprint(spec), seed if spec.seeded else None)

    def _embed(self, encoder: Stage, split: str | None) -> Embed:
        side: Side = "document" if split is None else "query"
        return Embed(encoder, self.collection, side, split, self.settings.train.max_length, self.precision)

    def _evaluate(self, encoder: Stage) -> EvaluateEncoder:
        split = self.settings.split
        vectors = self._embed(encoder, None), self._embed(encoder, split)
        return EvaluateEncoder(self.collection, *vectors, split, self.settings.measures)

    def _negatives(self, method: Method, encoder: StartEncoder, seed: int) -> DrawNegatives | None:
        retriever, sampler = method.retriever, method.selection
        if retriever is None or sampler is None:
            return None
        dense = retriever.needs_vectors
        pool = BuildPool(
            self.collection,
            retriever,
            TRAINING_SPLIT,
            seed if retriever.seeded else None,
            self._embed(encoder, None) if dense else None,
            self._embed(encoder, TRAINING_SPLIT) if dense else None,
        )
        k = method.negatives if method.negatives is not None else self.settings.negatives
        return DrawNegatives(pool, method.filters, sampler, self._scores(method, pool), k, seed)

    def _scores(self, method: Method, pool: BuildPool) -> ScorePool | None:
        asked = [request for rule in method.filters if (request := rule.asks) is not None]
        if not asked:
            return None
        teacher, depth = asked[0][0], max(depth for _, depth in asked)
        if any(other != teacher for other, _ in asked):
            raise InputError(f"method {method.spelling}: its filters ask different teachers; give them the same one")
        print_of = self.fingerprint(teacher)
        copies: tuple[TrainTeacher, ...] = ()
        if isinstance(teacher, TrainedCrossEncoder):
            folds = range(teacher.folds)
            copies = tuple(TrainTeacher(pool, teacher, print_of, fold, self.precision) for fold in folds)
        return ScorePool(pool, teacher, print_of, depth, copies, self.precision)


def _default(kind: Any) -> Estimator:
    estimator = kind()
    assert isinstance(estimator, Estimator)
    return estimator
