"""From a grid to its trials, each a handful of stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from negbench.asks import (
    GuideTargets,
    JudgedRanks,
    LexicalTargets,
    NearDuplicates,
    PositiveSimilarity,
    TeacherScores,
    TeacherTargets,
)
from negbench.collections import Source
from negbench.collections.hidden import Hidden
from negbench.config.grid import Grid, Settings
from negbench.encoders import weights
from negbench.encoders.precision import Precision, resolve
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import Side
from negbench.errors import InputError
from negbench.evaluation.false_negatives import Estimator
from negbench.losses.infonce import InfoNCE
from negbench.methods import Method, with_teacher
from negbench.parts import registered
from negbench.plan.answers import (
    Answer,
    CompareWithPositives,
    CountJudgedRanks,
    GroupDuplicates,
    ScorePool,
)
from negbench.plan.clusters import ClusterQueries
from negbench.plan.draw import DrawNegatives
from negbench.plan.evaluation import EvaluateAmong, EvaluateEncoder, EvaluateRetriever, Geometry
from negbench.plan.false_negatives import CountFalseNegatives
from negbench.plan.gradient import WeighFalseNegatives
from negbench.plan.handed import Handing, handing
from negbench.plan.judging import JudgeNegatives
from negbench.plan.mining import BuildPool, TrainTeacher
from negbench.plan.repair import Negating, RepairNegatives
from negbench.plan.sources import Embed, LoadCollection, StartEncoder
from negbench.plan.targets import GuideStage, LexicalStage, TargetStage, TeachTargets
from negbench.plan.training import Train
from negbench.plan.where import JudgeFilters, LocateFalseNegatives
from negbench.plan.writing import ProbeWritten, WriteNegatives
from negbench.retrieval import Retriever
from negbench.retrieval.bm25 import BM25
from negbench.retrieval.corpus import Corpus
from negbench.store import Stage, ancestors
from negbench.teachers import Teacher
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder
from negbench.training.recipe import Recipe

START = "start"
BM25_SEARCH = "bm25-search"
TRAINING_SPLIT = "train"
ELSEWHERE_SPLIT = "test"
"""What further collections are measured on."""

EASIER: dict[str, Retriever] = {"among-bm25": BM25(depth=100), "among-random": Corpus(depth=100)}
"""Tasks beside the search of the whole corpus: rank positives among so many others. How much these flatter shows what
an evaluation of that kind is worth."""


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
    negatives: Handing | None = None
    false_negatives: CountFalseNegatives | None = None
    beside: dict[str, Stage] = field(default_factory=dict)
    """Further measurements of the same encoder, by the prefix of their metrics."""
    details: tuple[Stage, ...] = ()
    """What is told of its false negatives beside their rate (``plan.details``)."""
    stages: tuple[Stage, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Collect the stages, inputs first."""
        further = (*self.beside.values(), *self.details)
        found = {stage.key: stage for end in (*self._ends(), *further) for stage in ancestors(end)}
        object.__setattr__(self, "stages", tuple(found.values()))

    def _ends(self) -> list[Stage]:
        return [end for end in (self.evaluation, self.false_negatives) if end is not None]

    @property
    def priced(self) -> tuple[Stage, ...]:
        """The stages that the method's cost counts: all but what is measured beside."""
        return tuple({stage.key: stage for end in self._ends() for stage in ancestors(end)}.values())

    @property
    def collection_name(self) -> str:
        """The collection's name without the path to it."""
        return collection_name(self.settings.collection)

    @property
    def name(self) -> str:
        """What a person calls it."""
        where = "".join(f" {key}={value}" for key, value in self.point.items())
        return self.spelling + ("" if self.seed is None else f" seed {self.seed}") + where


def collection_name(source: Source) -> str:
    """Return a collection's name without the path to it."""
    if isinstance(inner := source.parameters.get("collection"), Source):
        return f"{source.name}({collection_name(inner)})"
    path = source.parameters.get("path") or source.parameters.get("id")
    return source.spelling if path is None else str(path).rstrip("/").rpartition("/")[2]


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
        loaded = [LoadCollection(it, fingerprint(it)) for it in (settings.collection, *settings.evaluate_on)]
        builder = _Builder(point, settings, loaded[0], loaded[1:], resolve(settings.train.precision), fingerprint)
        found.append(builder.bm25())
        for seed in settings.seeds if builder.seeded else settings.seeds[:1]:
            found.append(builder.start(seed))
        found += [builder.trial(method, seed) for seed in settings.seeds for method in settings.methods]
    return found


@dataclass(frozen=True)
class _Builder:
    point: dict[str, Any]
    settings: Settings
    collection: LoadCollection
    others: list[LoadCollection]
    precision: Precision
    fingerprint: Callable[[Source | Teacher | EncoderSpec], str]

    def bm25(self) -> Trial:
        settings = self.settings
        stage = EvaluateRetriever(self.collection, BM25(), settings.split, settings.measures)
        beside: dict[str, Stage] = {
            collection_name(it.source): EvaluateRetriever(it, BM25(), ELSEWHERE_SPLIT, settings.measures)
            for it in self.others
        }
        return Trial(BM25_SEARCH, BM25_SEARCH, "reference", None, self.point, settings, stage, beside=beside)

    @property
    def seeded(self) -> bool:
        """Whether the start depends on the seed."""
        return self.settings.encoder.seeded or self.settings.warm_up is not None

    def start(self, seed: int) -> Trial:
        encoder = self._start(seed)
        evaluation, beside = self._evaluate(encoder, self.collection, self.settings.split), self._beside(encoder)
        shown = seed if self.seeded else None
        return Trial(START, START, "reference", shown, self.point, self.settings, evaluation, beside=beside)

    def trial(self, method: Method, seed: int) -> Trial:
        settings = self.settings
        named, method = method, with_teacher(method, settings.teacher)
        recipe = self._recipe(settings.train, method)
        encoder = self._start(seed)
        negatives = self._negatives(method, encoder, seed)
        points = settings.curve_points
        training = Train(
            encoder,
            self.collection,
            TRAINING_SPLIT,
            negatives,
            method.loss,
            recipe,
            seed,
            points,
            method.growing,
            method.batching,
            self._clusters(method, encoder),
            self._targets(method, negatives),
            method.refresh,
        )
        handed = handing(training)
        estimators = tuple(_default(kind) for kind in registered("estimator").values())
        count = CountFalseNegatives(
            training, estimators, self._judging(method, handed), self._held_out(method, encoder, seed)
        )
        return Trial(
            named.name,
            named.spelling,
            named.form,
            seed,
            self.point,
            settings,
            self._evaluate(training, self.collection, settings.split),
            training,
            handed,
            count,
            {**self._beside(training), **self._probe(negatives, encoder)},
            self._details(training, handed),
        )

    def _recipe(self, recipe: Recipe, method: Method | None = None) -> Recipe:
        """Return the recipe with its precision resolved; larger and longer for a method that makes documents equal."""
        times = 1 + self.settings.negatives if method is not None and method.equal_documents else 1
        sizes = {"batch_size": recipe.batch_size * times, "epochs": recipe.epochs * times}
        own = {} if method is None else method.train
        return recipe.model_copy(update={**sizes, **own, "precision": self.precision})

    def _start(self, seed: int) -> Stage:
        """Return the encoder that every method starts from: as given, or warmed up with in-batch negatives."""
        spec, warm_up = self.settings.encoder, self.settings.warm_up
        given = StartEncoder(spec, self.fingerprint(spec), seed if spec.seeded else None)
        if warm_up is None:
            return given
        return Train(given, self.collection, TRAINING_SPLIT, None, InfoNCE(), self._recipe(warm_up), seed)

    def _embed(self, encoder: Stage, collection: LoadCollection, split: str | None) -> Embed:
        side: Side = "document" if split is None else "query"
        return Embed(encoder, collection, side, split, self.settings.train.max_length, self.precision)

    def _evaluate(self, encoder: Stage, collection: LoadCollection, split: str) -> EvaluateEncoder:
        vectors = self._embed(encoder, collection, None), self._embed(encoder, collection, split)
        return EvaluateEncoder(collection, *vectors, split, self.settings.measures)

    def _beside(self, encoder: Stage) -> dict[str, Stage]:
        """Return what else is measured: other collections, two easier tasks, the geometry."""
        split, measures = self.settings.split, self.settings.measures[:1]
        vectors = self._embed(encoder, self.collection, None), self._embed(encoder, self.collection, split)
        found: dict[str, Stage] = {
            collection_name(it.source): self._evaluate(encoder, it, ELSEWHERE_SPLIT) for it in self.others
        }
        for name, retriever in EASIER.items():
            pool = BuildPool(self.collection, retriever, split, 0 if retriever.seeded else None, None, None)
            found[name] = EvaluateAmong(pool, *vectors, measures)
        return {**found, "geometry": Geometry(self.collection, *vectors, split)}

    def _details(self, training: Train, negatives: Handing | None) -> tuple[Stage, ...]:
        """Return what looks closer at false negatives; filters are judged on the first candidates."""
        found: list[Stage] = []
        if negatives is not None:
            found.append(LocateFalseNegatives(training, negatives))
            draw = negatives if isinstance(negatives, DrawNegatives) else negatives.draw
            found += [JudgeFilters(draw)] if draw.filters else []
        written = negatives is not None and negatives.written is not None  # which has no stored vectors
        if self.settings.gradient and not written:
            start, trained = (
                (self._embed(it, self.collection, None), self._embed(it, self.collection, training.split))
                for it in (training.encoder, training)
            )
            found.append(WeighFalseNegatives(training, start, trained))
        return tuple(found)

    def _probe(self, negatives: Negating | None, encoder: Stage) -> dict[str, Stage]:
        if negatives is None or negatives.written is None:
            return {}
        return {"probe": ProbeWritten(negatives.written, self._embed(encoder, self.collection, None))}

    def _negatives(self, method: Method, encoder: Stage, seed: int) -> Negating | None:
        drawn, repair = self._draw(method, encoder, seed, self.collection), self.settings.repair
        if repair is not None and method.refresh.moves:
            raise InputError(
                f"repair: {method.spelling} draws again on the way, and only negatives that stay can be repaired; "
                "give it refresh=never"
            )
        return drawn if drawn is None or repair is None else RepairNegatives(drawn, repair)

    def _draw(self, method: Method, encoder: Stage, seed: int, labels: LoadCollection) -> DrawNegatives | None:
        retriever, sampler = method.retriever, method.selection
        if retriever is None or sampler is None:
            return None
        pool = self._pool(retriever, encoder, TRAINING_SPLIT, seed, labels)
        k = method.negatives if method.negatives is not None else self.settings.negatives
        answers = self._answers(method, pool, encoder, seed)
        written = None
        if method.written is not None:
            written = WriteNegatives(self.collection, TRAINING_SPLIT, method.written)
        return DrawNegatives(pool, method.labels, method.filters, sampler, answers, method.fill, k, seed, written)

    def _judging(self, method: Method, negatives: Handing | None) -> JudgeNegatives | None:
        judge = self.settings.judge
        if judge is None or negatives is None:
            return None
        asked = [ask.teacher for part in method.asking for ask in part.asks if isinstance(ask, TeacherScores)]
        if any(self.fingerprint(teacher) == self.fingerprint(judge) for teacher in asked):
            raise InputError(
                f"judge: {judge.spelling} is the teacher of {method.spelling}, or began from the same weights; what "
                "chose the negatives cannot say how many are false"
            )
        return JudgeNegatives(negatives, judge, self.fingerprint(judge), self.precision)

    def _held_out(self, method: Method, encoder: Stage, seed: int) -> DrawNegatives | None:
        """Return a draw of the method's under thinned labels; it shares the vectors, and nothing is trained on it.

        It would say nothing of lists that are drawn later.
        """
        share = self.settings.held_out
        if share is None or method.refresh.moves:
            return None
        thinned = Hidden(collection=self.collection.source, label_rate=1 - share, seed=seed)
        return self._draw(method, encoder, seed, LoadCollection(thinned, self.fingerprint(thinned)))

    def _pool(
        self, retriever: Retriever, encoder: Stage, split: str, seed: int, labels: LoadCollection | None = None
    ) -> BuildPool:
        dense = retriever.needs_vectors
        return BuildPool(
            labels or self.collection,
            retriever,
            split,
            seed if retriever.seeded else None,
            self._embed(encoder, self.collection, None) if dense else None,
            self._embed(encoder, self.collection, split) if dense else None,
        )

    def _clusters(self, method: Method, encoder: Stage) -> ClusterQueries | None:
        wanted = method.batching.wants_clusters
        if wanted is None:
            return None
        return ClusterQueries(self._embed(encoder, self.collection, TRAINING_SPLIT), wanted)

    def _targets(self, method: Method, negatives: Negating | None) -> TargetStage | None:
        """Return the stage that tells the method's loss what it asks."""
        trained = (self.collection, TRAINING_SPLIT)
        match method.loss.asks:
            case TeacherTargets(teacher):
                if negatives is None:
                    raise InputError(f"method {method.spelling}: its loss asks a teacher, and there are no negatives")
                copies = self._copies(teacher, negatives.pool)
                return TeachTargets(*trained, negatives, teacher, self.fingerprint(teacher), copies, self.precision)
            case LexicalTargets(bm25):
                return LexicalStage(*trained, negatives, bm25)
            case GuideTargets(guide):
                return GuideStage(*trained, negatives, guide, self.fingerprint(guide), self.precision)
            case None:
                return None

    def _answers(self, method: Method, pool: BuildPool, encoder: Stage, seed: int) -> tuple[Answer, ...]:
        """Return the stages that tell the method's parts what they ask; a teacher is asked once, as deep as needed."""
        asks = dict.fromkeys(ask for part in method.asking for ask in part.asks)
        found: list[Answer] = []
        scores = [ask for ask in asks if isinstance(ask, TeacherScores)]
        if scores:
            if any(ask.teacher != scores[0].teacher for ask in scores):
                raise InputError(f"method {method.spelling}: its parts ask different teachers; give them the same one")
            found.append(self._scores(scores[0].teacher, max(ask.depth for ask in scores), pool))
        thresholds = [ask.threshold for ask in asks if isinstance(ask, NearDuplicates)]
        if len(thresholds) > 1:
            raise InputError(f"method {method.spelling}: near-duplicates at different thresholds; give them the same")
        found += [GroupDuplicates(self.collection, threshold) for threshold in thresholds]
        for ask in asks:
            if isinstance(ask, PositiveSimilarity):
                found.append(CompareWithPositives(pool, self._embed(encoder, self.collection, None)))
            if isinstance(ask, JudgedRanks):
                found.append(CountJudgedRanks(self._pool(pool.retriever, encoder, ask.split, seed)))
        return tuple(found)

    def _scores(self, teacher: Teacher, depth: int, pool: BuildPool) -> ScorePool:
        copies = self._copies(teacher, pool)
        return ScorePool(pool, teacher, self.fingerprint(teacher), depth, copies, self.precision)

    def _copies(self, teacher: Teacher, pool: BuildPool) -> tuple[TrainTeacher, ...]:
        if not isinstance(teacher, TrainedCrossEncoder):
            return ()
        print_of = self.fingerprint(teacher)
        return tuple(TrainTeacher(pool, teacher, print_of, fold, self.precision) for fold in range(teacher.folds))


def _default(kind: Any) -> Estimator:
    estimator = kind()
    assert isinstance(estimator, Estimator)
    return estimator
