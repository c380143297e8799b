"""From a grid to its trials, each a handful of stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from negbench.asks import CacheTargets, TeacherScores
from negbench.collections import Source
from negbench.collections.hidden import Hidden
from negbench.config.grid import Grid, Settings
from negbench.encoders import files, weights
from negbench.encoders.precision import Precision, resolve
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError
from negbench.methods import Method, with_teacher
from negbench.plan import similarity
from negbench.plan.course import Course
from negbench.plan.courses import Courses
from negbench.plan.draw import DrawNegatives
from negbench.plan.evaluation import EvaluateAmong, EvaluateEncoder, EvaluateRetriever, Geometry
from negbench.plan.false_negatives import CountInBatch, EstimateFalseNegatives
from negbench.plan.gradient import WeighFalseNegatives
from negbench.plan.handed import Handing, handing
from negbench.plan.judging import JudgeNegatives
from negbench.plan.mining import BuildPool
from negbench.plan.sources import LoadCollection
from negbench.plan.training import Train
from negbench.plan.where import JudgeDetector, JudgeFilters, LocateFalseNegatives
from negbench.plan.writing import ProbeWritten
from negbench.retrieval import Retriever
from negbench.retrieval.bm25 import BM25
from negbench.retrieval.corpus import Corpus
from negbench.store import Stage, ancestors
from negbench.teachers import Teacher

START = "start"
BM25_SEARCH = "bm25-search"
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
    course: Course | None = None
    negatives: Handing | None = None
    false_negatives: CountInBatch | None = None
    """Those among the documents of its batches."""
    estimates: tuple[EstimateFalseNegatives, ...] = ()
    """Those among its mined negatives, an estimator each."""
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
        return [self.evaluation, *self.counts]

    @property
    def counts(self) -> tuple[CountInBatch, ...]:
        """The stages that tell its false-negative rates; none for a reference."""
        return self.estimates if self.false_negatives is None else (*self.estimates, self.false_negatives)

    @property
    def priced(self) -> tuple[Stage, ...]:
        """The stages that the method's cost counts: all but what is measured beside."""
        return tuple({stage.key: stage for end in self._ends() for stage in ancestors(end)}.values())

    @property
    def training(self) -> Train | None:
        """The training that makes the encoder; before it come those of other stages."""
        return None if self.course is None else self.course.last

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
            files.check(thing)
            return weights.fingerprint(thing.model, thing.revision)
        return thing.fingerprint()

    found: list[Trial] = []
    for point, settings in grid.points:
        sources = (settings.collection, *settings.evaluate_on)
        loaded = [LoadCollection(it, fingerprint(it), settings.equal_texts) for it in sources]
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

    @cached_property
    def courses(self) -> Courses:
        return Courses(self.settings, self.collection, self.precision, self.fingerprint)

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
        encoder = self.courses.start(seed)
        evaluation, beside = self._evaluate(encoder, self.collection, self.settings.split), self._beside(encoder)
        shown = seed if self.seeded else None
        return Trial(START, START, "reference", shown, self.point, self.settings, evaluation, beside=beside)

    def trial(self, method: Method, seed: int) -> Trial:
        settings = self.settings
        similarity.check(method, settings.encoder)
        named, method = method, with_teacher(method, settings.teacher)
        course = self.courses.of(method, seed)
        training, handed = course.last, handing(course)
        judging = self._judging(method, handed)
        held_out = self._held_out(method, self.courses.start(seed), seed)
        estimates = [
            EstimateFalseNegatives(
                course, it, judging if "judge" in it.reads else None, held_out if "held-out" in it.reads else None
            )
            for it in settings.estimators
        ]
        return Trial(
            named.name,
            named.spelling,
            named.form,
            seed,
            self.point,
            settings,
            self._evaluate(training, self.collection, settings.split),
            course,
            handed,
            CountInBatch(course),
            tuple(estimates),
            {**self._beside(training), **self._probe(course)},
            self._details(course, handed),
        )

    def _evaluate(self, encoder: Stage, collection: LoadCollection, split: str) -> EvaluateEncoder:
        vectors = self.courses.embed(encoder, collection, None), self.courses.embed(encoder, collection, split)
        return EvaluateEncoder(collection, *vectors, split, self.settings.measures)

    def _beside(self, encoder: Stage) -> dict[str, Stage]:
        """Return what else is measured: other collections, two easier tasks, the geometry."""
        split, measures = self.settings.split, self.settings.measures[:1]
        vectors = (
            self.courses.embed(encoder, self.collection, None),
            self.courses.embed(encoder, self.collection, split),
        )
        found: dict[str, Stage] = {
            collection_name(it.source): self._evaluate(encoder, it, ELSEWHERE_SPLIT) for it in self.others
        }
        for name, retriever in EASIER.items():
            pool = BuildPool(self.collection, retriever, split, 0 if retriever.seeded else None, None, None)
            found[name] = EvaluateAmong(pool, *vectors, measures)
        return {**found, "geometry": Geometry(self.collection, *vectors, split)}

    def _details(self, course: Course, negatives: Handing | None) -> tuple[Stage, ...]:
        """Return what looks closer at false negatives, and at labels.

        Filters are judged on the first candidates, those of the last stage that has some; so is a detector. The
        gradient is that of the last stage.
        """
        training = course.last
        found: list[Stage] = []
        found += [JudgeDetector(it) for it in course.on_labels if it.detector is not None][-1:]
        if negatives is not None:
            found.append(LocateFalseNegatives(course, negatives))
            drawn = [it.negatives for it in course.on_labels if it.negatives is not None]
            draws = [it if isinstance(it, DrawNegatives) else it.draw for it in drawn]
            found += [JudgeFilters(draw) for draw in draws if draw.filters][-1:]
        written = any(it.negatives is not None and it.negatives.written is not None for it in course.trainings)
        told = isinstance(training.loss.asks, CacheTargets)  # of each step by itself, which is not kept
        if self.settings.gradient and not written and not told:  # what was written has no stored vectors
            start, trained = (
                (self.courses.embed(it, self.collection, None), self.courses.embed(it, self.collection, training.split))
                for it in (training.encoder, training)
            )
            found.append(WeighFalseNegatives(training, start, trained))
        return tuple(found)

    def _probe(self, course: Course) -> dict[str, Stage]:
        for training in course.trainings:
            if training.negatives is not None and training.negatives.written is not None:
                vectors = self.courses.embed(training.encoder, self.collection, None)
                return {"probe": ProbeWritten(training.negatives.written, vectors)}
        return {}

    def _judging(self, method: Method, negatives: Handing | None) -> JudgeNegatives | None:
        judge = self.settings.judge
        if judge is None or negatives is None:
            return None
        asking = [part for phase in method.phases for part in phase.method.asking]
        asked = [ask.teacher for part in asking for ask in part.asks if isinstance(ask, TeacherScores)]
        chose = {self.fingerprint(member) for teacher in asked for member in teacher.members}
        if not chose.isdisjoint(self.fingerprint(member) for member in judge.members):
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
        if share is None or method.stages or method.refresh.moves:
            return None
        thinned = Hidden(collection=self.collection.source, label_rate=1 - share, seed=seed)
        labels = LoadCollection(thinned, self.fingerprint(thinned), self.settings.equal_texts)
        return self.courses.draw(method, encoder, seed, labels)
