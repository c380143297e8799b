"""From a method to the trainings that it asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from negbench.asks import (
    AverageTargets,
    CacheTargets,
    GuideTargets,
    JudgedRanks,
    LexicalTargets,
    NearDuplicates,
    PositiveSimilarity,
    TeacherScores,
    TeacherTargets,
)
from negbench.collections import Source
from negbench.collections.crops import Crops
from negbench.config.grid import Settings
from negbench.encoders.precision import Precision
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import Side
from negbench.errors import InputError
from negbench.losses.infonce import InfoNCE
from negbench.methods import Method
from negbench.plan.answers import Answer, CompareWithPositives, CountJudgedRanks, GroupDuplicates, ScorePool
from negbench.plan.clusters import ClusterQueries
from negbench.plan.course import Course
from negbench.plan.draw import DrawNegatives
from negbench.plan.mining import BuildPool, TrainTeacher
from negbench.plan.repair import Negating, RepairNegatives
from negbench.plan.sources import TRAINING_SPLIT, Embed, LoadCollection, StartEncoder
from negbench.plan.targets import GuideStage, LexicalStage, TargetStage, TeachTargets
from negbench.plan.training import Train
from negbench.plan.writing import WriteNegatives
from negbench.retrieval import Retriever
from negbench.store import Stage
from negbench.teachers import Teacher
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder
from negbench.training.recipe import Recipe


@dataclass(frozen=True)
class Courses:
    """Makes the trainings of a point of a grid's axes, and what they read. ``precision`` is resolved."""

    settings: Settings
    collection: LoadCollection
    precision: Precision
    fingerprint: Callable[[Source | Teacher | EncoderSpec], str]

    def of(self, method: Method, seed: int) -> Course:
        """Return the trainings of a method: one, unless it has stages."""
        start = before = self.start(seed)
        trainings: list[Train] = []
        end = 0.0
        for phase in method.phases:
            begin = 0.0 if phase.weights_from == "start" else end
            end = begin + phase.work
            own = phase.method.model_copy(update={"train": {**method.train, **phase.method.train}})
            before = self._train(
                own,
                start if phase.weights_from == "start" else before,
                start if phase.candidates_from == "start" else before,
                seed,
                (begin, end) if method.stages else None,
                self._crops(seed) if phase.pairs == "crops" else self.collection,
            )
            trainings.append(before)
        return Course(tuple(trainings))

    def start(self, seed: int) -> Stage:
        """Return the encoder that every method starts from: as given, or warmed up with in-batch negatives."""
        spec, warm_up = self.settings.encoder, self.settings.warm_up
        given = StartEncoder(spec, self.fingerprint(spec), seed if spec.seeded else None)
        if warm_up is None:
            return given
        return Train(given, self.collection, TRAINING_SPLIT, None, InfoNCE(), self._recipe(warm_up), seed)

    def embed(self, encoder: Stage, collection: LoadCollection, split: str | None) -> Embed:
        """Return the vectors of the documents, or of the queries of ``split``.

        Documents have those of the encoder that trained them last: some trainings leave them as they were.
        """
        while split is None and isinstance(encoder, Train) and encoder.documents is not None:
            encoder = encoder.documents.encoder
        side: Side = "document" if split is None else "query"
        return Embed(encoder, collection.texts, side, split, self.settings.train.max_length, self.precision)

    def _train(
        self,
        method: Method,
        weights: Stage,
        miner: Stage,
        seed: int,
        part: tuple[float, float] | None,
        collection: LoadCollection,
    ) -> Train:
        """Return a training from ``weights`` on, with negatives that the encoder ``miner`` finds."""
        negatives = self._negatives(method, miner, seed, collection)
        return Train(
            weights,
            collection,
            TRAINING_SPLIT,
            negatives,
            method.loss,
            self._recipe(self.settings.train, method),
            seed,
            self.settings.curve_points if collection == self.collection else 0,
            method.growing,
            method.batching,
            self._clusters(method, miner, collection),
            self._targets(method, negatives, collection),
            method.refresh,
            part,
            self.embed(weights, self.collection, None) if method.trains == "queries" else None,
            method.detector,
            self._guide(method.loss.guided, negatives, collection),
        )

    def _recipe(self, recipe: Recipe, method: Method | None = None) -> Recipe:
        """Return the recipe with its precision resolved; larger and longer for a method that makes documents equal."""
        times = 1 + self.settings.negatives if method is not None and method.equal_documents else 1
        sizes = {"batch_size": recipe.batch_size * times, "epochs": recipe.epochs * times}
        own = {} if method is None else method.train
        return recipe.model_copy(update={**sizes, **own, "precision": self.precision})

    def draw(self, method: Method, encoder: Stage, seed: int, labels: LoadCollection) -> DrawNegatives | None:
        """Return the negatives that ``encoder`` finds, by the labels of ``labels``; None for a method without."""
        retriever, sampler = method.retriever, method.selection
        if retriever is None or sampler is None:
            return None
        pool = self.pool(retriever, encoder, TRAINING_SPLIT, seed, labels)
        k = method.negatives if method.negatives is not None else self.settings.negatives
        answers = self._answers(method, pool, encoder, seed)
        written = None
        if method.written is not None:
            written = WriteNegatives(self.collection, TRAINING_SPLIT, method.written)
        per_epoch = method.draws == "each-epoch" and method.refresh.whole
        epochs = self._recipe(self.settings.train, method).epochs if per_epoch else 1
        return DrawNegatives(
            pool, method.labels, method.filters, sampler, answers, method.fill, k, seed, written, epochs
        )

    def _negatives(self, method: Method, encoder: Stage, seed: int, collection: LoadCollection) -> Negating | None:
        drawn = self.draw(method, encoder, seed, collection)
        repair = self.settings.repair if collection == self.collection else None
        if repair is not None and method.refresh.moves:
            raise InputError(
                f"repair: {method.spelling} draws again on the way, and only negatives that stay can be repaired; "
                "give it refresh=never"
            )
        return drawn if drawn is None or repair is None else RepairNegatives(drawn, repair)

    def pool(
        self, retriever: Retriever, encoder: Stage, split: str, seed: int, labels: LoadCollection | None = None
    ) -> BuildPool:
        """Return the pool of ``labels``, the collection or another of the same documents; their vectors are shared."""
        dense, labels = retriever.needs_vectors, labels or self.collection
        asking = labels if isinstance(labels.source, Crops) else self.collection
        return BuildPool(
            labels,
            retriever,
            split,
            seed if retriever.seeded else None,
            self.embed(encoder, self.collection, None) if dense else None,
            self.embed(encoder, asking, split) if dense else None,
        )

    def _crops(self, seed: int) -> LoadCollection:
        """Return pairs made of the corpus, as many as an epoch has rows."""
        per: Literal["query", "pair"] = "query" if self.settings.train.positives == "one" else "pair"
        crops = Crops(collection=self.collection.source, per=per, seed=seed)
        return LoadCollection(crops, self.fingerprint(crops), self.settings.equal_texts)

    def _clusters(self, method: Method, encoder: Stage, collection: LoadCollection) -> ClusterQueries | None:
        wanted = method.batching.wants_clusters
        if wanted is None:
            return None
        return ClusterQueries(self.embed(encoder, collection, TRAINING_SPLIT), wanted)

    def _targets(self, method: Method, negatives: Negating | None, collection: LoadCollection) -> TargetStage | None:
        """Return the stage that tells the method's loss what it asks."""
        trained = (collection, TRAINING_SPLIT)
        match method.loss.asks:
            case TeacherTargets(teacher):
                if negatives is None:
                    raise InputError(f"method {method.spelling}: its loss asks a teacher, and there are no negatives")
                copies = self._copies(teacher, negatives.pool)
                return TeachTargets(*trained, negatives, teacher, self.fingerprint(teacher), copies, self.precision)
            case LexicalTargets(bm25):
                return LexicalStage(*trained, negatives, bm25)
            case GuideTargets() as asked:
                return self._guide(asked, negatives, collection)
            case CacheTargets():
                if self.settings.negatives != 1 and method.negatives is None:
                    raise InputError(f"method {method.spelling}: its loss wants one negative; give it negatives=1")
                return None
            case AverageTargets() | None:
                return None

    def _guide(
        self, asked: GuideTargets | None, negatives: Negating | None, collection: LoadCollection
    ) -> GuideStage | None:
        if asked is None:
            return None
        guide = asked.guide
        return GuideStage(collection, TRAINING_SPLIT, negatives, guide, self.fingerprint(guide), self.precision)

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
                found.append(CompareWithPositives(pool, self.embed(encoder, self.collection, None)))
            if isinstance(ask, JudgedRanks):
                found.append(CountJudgedRanks(self.pool(pool.retriever, encoder, ask.split, seed)))
        return tuple(found)

    def _scores(self, teacher: Teacher, depth: int, pool: BuildPool) -> ScorePool:
        copies = self._copies(teacher, pool)
        return ScorePool(pool, teacher, self.fingerprint(teacher), depth, copies, self.precision)

    def _copies(self, teacher: Teacher, pool: BuildPool) -> tuple[TrainTeacher, ...]:
        if not isinstance(teacher, TrainedCrossEncoder):
            return ()
        print_of = self.fingerprint(teacher)
        return tuple(TrainTeacher(pool, teacher, print_of, fold, self.precision) for fold in range(teacher.folds))
