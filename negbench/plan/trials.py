"""The trials of a grid and the stages of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from negbench.collections import Source
from negbench.collections.hidden import Hidden
from negbench.collections.resolve import collection_name
from negbench.config.further import FurtherCollection
from negbench.config.grid import Grid, Settings
from negbench.encoders import published
from negbench.encoders.precision import Precision, resolve
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import SIDES
from negbench.errors import InputError
from negbench.methods import Method, with_teacher
from negbench.methods.alias import REFERENCES
from negbench.plan import similarity, student
from negbench.plan.fingerprints import fingerprints
from negbench.plan.names import check_names
from negbench.plan.training_builder import TrainingBuilder
from negbench.retrieval import Retriever
from negbench.retrieval.bm25 import BM25
from negbench.retrieval.corpus import Corpus
from negbench.stages.evaluation.added_positives import AddedPositives
from negbench.stages.evaluation.breakdown import DetectorQuality, FilterQuality, LocateFalseNegatives
from negbench.stages.evaluation.false_negatives import CountInBatch, EstimateFalseNegatives
from negbench.stages.evaluation.gradient import WeighFalseNegatives
from negbench.stages.evaluation.judging import JudgeNegatives
from negbench.stages.evaluation.measured_negatives import MeasureNegatives
from negbench.stages.evaluation.quality import EvaluateAmong, EvaluateEncoder, EvaluateRetriever, Geometry
from negbench.stages.evaluation.training_negatives import negatives_of
from negbench.stages.inputs import TRAINING_SPLIT, Embed, LoadCollection, StartEncoder
from negbench.stages.mining.negatives_stage import NegativesStage
from negbench.stages.mining.pool import BuildPool
from negbench.stages.mining.writing import ProbeWritten
from negbench.stages.training.sequence import TrainingSequence
from negbench.stages.training.train import Train
from negbench.store import Stage, ancestors
from negbench.teachers import Teacher
from negbench.teachers.bi_encoder import BiEncoder

BM25_SEARCH, START, UNTOUCHED = REFERENCES
ELSEWHERE_SPLIT = "test"
"""The split that further collections are evaluated on."""

EASIER: dict[str, Retriever] = {"among-bm25": BM25(depth=100), "among-random": Corpus(depth=100)}
"""Tasks easier than search of the whole corpus: rank positives among so many others. They show how much
such evaluations overestimate effectiveness."""

MEASURED = (*EASIER, "geometry", "negatives", "probe")
"""Prefixes of metrics that no collection may be called."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A row of the results: a method with a seed, or a reference (BM25 search, the encoder before training)."""

    method: str
    spelling: str
    form: str
    seed: int | None
    axis_values: dict[str, Any]
    settings: Settings
    evaluation: EvaluateEncoder | EvaluateRetriever
    sequence: TrainingSequence | None = None
    negatives: NegativesStage | None = None
    false_negatives: CountInBatch | None = None
    """Counts false negatives among in-batch documents."""
    estimates: tuple[EstimateFalseNegatives, ...] = ()
    """Estimates of the false-negative rate of its mined negatives, one stage per estimator."""
    extra_evaluations: dict[str, Stage] = field(default_factory=dict)
    """Further measurements of the same encoder, by the prefix of their metrics."""
    breakdowns: tuple[Stage, ...] = ()
    """Breakdowns of false negatives, and quality of filters and detectors (``stages.evaluation.breakdown_files``)."""
    stages: tuple[Stage, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Collect the stages, inputs first."""
        further = (*self.extra_evaluations.values(), *self.breakdowns)
        stages = {stage.key: stage for end in (*self._ends(), *further) for stage in ancestors(end)}
        object.__setattr__(self, "stages", tuple(stages.values()))

    def _ends(self) -> list[Stage]:
        return [self.evaluation, *self.counts]

    @property
    def counts(self) -> tuple[CountInBatch, ...]:
        """The stages of its false-negative rates; none for a reference."""
        return self.estimates if self.false_negatives is None else (*self.estimates, self.false_negatives)

    @property
    def costed_stages(self) -> tuple[Stage, ...]:
        """The stages that count towards the method's cost: those of its quality, not those that estimate a rate."""
        return tuple(ancestors(self.evaluation))

    @property
    def result_stages(self) -> tuple[Stage, ...]:
        """The stages behind its quality and its false-negative rates."""
        return tuple({stage.key: stage for end in self._ends() for stage in ancestors(end)}.values())

    @property
    def training(self) -> Train | None:
        """The training of the final encoder, that of the last phase; None for a reference."""
        return None if self.sequence is None else self.sequence.last

    @property
    def collection_name(self) -> str:
        """The collection's name without the path to it."""
        return collection_name(self.settings.collection)

    @property
    def elsewhere(self) -> dict[str, EvaluateEncoder | EvaluateRetriever]:
        """The evaluations on further collections by their names, without that of the collection trained on."""
        sources = [it.collection for it in self.settings.evaluate_on if it.collection != self.settings.collection]
        found = {name: self.extra_evaluations.get(name) for name in map(collection_name, sources)}
        return {name: it for name, it in found.items() if isinstance(it, EvaluateEncoder | EvaluateRetriever)}

    @property
    def name(self) -> str:
        """Name in tables and logs: the method, the seed, and the point on the axes."""
        where = "".join(f" {key}={value}" for key, value in self.axis_values.items())
        return self.spelling + ("" if self.seed is None else f" seed {self.seed}") + where


def trials(grid: Grid) -> list[Trial]:
    """Expand a grid; needs neither torch nor a store, but reads what digests are made of.

    Raises InputError where the collection or the encoder's weights do not exist.
    """
    fingerprint = fingerprints(grid)
    expanded: list[Trial] = []
    for axis_values, settings in grid.points:
        sources = (settings.collection, *(it.collection for it in settings.evaluate_on))
        check_names(settings, MEASURED)
        loaded = [LoadCollection(it, fingerprint(it), settings.equal_texts) for it in sources]
        fingerprint(settings.encoder)  # what is wrong with it is told before anything asks about its files
        builder = _Builder(
            axis_values=axis_values,
            settings=settings,
            collection=loaded[0],
            others=loaded[1:],
            precision=resolve(settings.train.precision),
            fingerprint=fingerprint,
        )
        with grid.located(settings.encoder.spelling):
            for recipe in (settings.train, settings.warm_up):
                student.check_recipe(recipe, settings.encoder)
            altered = builder.altered
        expanded.append(builder.bm25())
        for seed in settings.seeds if builder.seeded else settings.seeds[:1]:
            expanded.append(builder.start(seed))
        if altered:
            expanded.append(builder.untouched())
        for seed in settings.seeds:
            for method in settings.methods:
                with grid.located(method.label):
                    expanded.append(builder.trial(method, seed))
    return expanded


@dataclass(frozen=True, kw_only=True)
class _Builder:
    axis_values: dict[str, Any]
    settings: Settings
    collection: LoadCollection
    others: list[LoadCollection]
    precision: Precision
    fingerprint: Callable[[Source | Teacher | EncoderSpec], str]

    @cached_property
    def training_builder(self) -> TrainingBuilder:
        return TrainingBuilder(self.settings, self.collection, self.precision, self.fingerprint)

    def bm25(self) -> Trial:
        settings = self.settings
        stage = EvaluateRetriever(self.collection, BM25(), settings.split, settings.measures)
        extra: dict[str, Stage] = {
            collection_name(it.source): EvaluateRetriever(it, BM25(), ELSEWHERE_SPLIT, settings.measures)
            for it in self.others
        }
        return Trial(
            method=BM25_SEARCH,
            spelling=BM25_SEARCH,
            form="reference",
            seed=None,
            axis_values=self.axis_values,
            settings=settings,
            evaluation=stage,
            extra_evaluations=extra,
        )

    @property
    def seeded(self) -> bool:
        """Whether the start depends on the seed."""
        return self.settings.encoder.seeded or self.settings.warm_up is not None

    def start(self, seed: int) -> Trial:
        encoder = self.training_builder.start(seed)
        evaluation, extra = (
            self._evaluate(encoder, self.collection, self.settings.split),
            self._extra_evaluations(encoder),
        )
        shown = seed if self.seeded else None
        return Trial(
            method=START,
            spelling=START,
            form="reference",
            seed=shown,
            axis_values=self.axis_values,
            settings=self.settings,
            evaluation=evaluation,
            extra_evaluations=extra,
        )

    @property
    def altered(self) -> bool:
        """Whether the start is another model than the published one: other layers, shorter texts, a warm-up."""
        settings = self.settings
        return settings.warm_up is not None or published.is_altered(settings.encoder, settings.train.max_length.by_side)

    def untouched(self) -> Trial:
        """Return the trial of the encoder as published, with its own layers, prompts and tokens per text."""
        settings, spec = self.settings, published.as_published(self.settings.encoder)
        encoder = StartEncoder(spec, self.fingerprint(spec), None)

        def measured(collection: LoadCollection, split: str) -> EvaluateEncoder:
            documents, queries = (
                Embed(
                    encoder=encoder,
                    collection=collection.texts,
                    side=side,
                    split=None if side == "document" else split,
                    max_length=None,
                    precision=self.training_builder.precision_of(encoder, side),
                    storage=settings.vectors,
                )
                for side in SIDES
            )
            return EvaluateEncoder(collection, documents, queries, split, settings.measures)

        return Trial(
            method=UNTOUCHED,
            spelling=UNTOUCHED,
            form="reference",
            seed=None,
            axis_values=self.axis_values,
            settings=settings,
            evaluation=measured(self.collection, settings.split),
            extra_evaluations={collection_name(it.source): measured(it, ELSEWHERE_SPLIT) for it in self.others},
        )

    def trial(self, method: Method, seed: int) -> Trial:
        settings = self.settings
        similarity.check(method, settings.encoder)
        student.check_dimensions(method, settings.encoder)
        named, method = method, with_teacher(method, settings.teacher)
        sequence = self.training_builder.of(method, seed)
        training, negatives = sequence.last, negatives_of(sequence)
        judging = self._judging(method, negatives)
        held_out = self._held_out(method, self.training_builder.start(seed), seed)
        estimates = [
            EstimateFalseNegatives(
                sequence, it, judging if "judge" in it.reads else None, held_out if "held-out" in it.reads else None
            )
            for it in settings.estimators
        ]
        return Trial(
            method=named.name,
            spelling=named.label,
            form=named.form,
            seed=seed,
            axis_values=self.axis_values,
            settings=settings,
            evaluation=self._evaluate(training, self.collection, settings.split),
            sequence=sequence,
            negatives=negatives,
            false_negatives=CountInBatch(sequence),
            estimates=tuple(estimates),
            extra_evaluations={
                **self._extra_evaluations(training),
                **self._measured_negatives(sequence, seed),
                **self._probe(sequence),
            },
            breakdowns=self._breakdowns(sequence, negatives),
        )

    def _evaluate(
        self, encoder: Stage, collection: LoadCollection, split: str, further: FurtherCollection | None = None
    ) -> EvaluateEncoder:
        vectors = self._vectors(encoder, collection, split, further)
        return EvaluateEncoder(collection, *vectors, split, self.settings.measures)

    def _vectors(
        self, encoder: Stage, collection: LoadCollection, split: str, further: FurtherCollection | None = None
    ) -> tuple[Embed, Embed]:
        """Return the vectors of the documents and of the queries of ``split``, with the prompts of ``further``."""
        embed = self.training_builder.embed
        of_document, of_query = (None, None) if further is None else (further.document_prompt, further.query_prompt)
        return embed(encoder, collection, None, of_document), embed(encoder, collection, split, of_query)

    def _extra_evaluations(self, encoder: Stage) -> dict[str, Stage]:
        """Return the extra evaluations: other collections, two easier tasks, the geometry."""
        split, measures = self.settings.split, self.settings.measures[:1]
        vectors = self._vectors(encoder, self.collection, split)
        evaluations: dict[str, Stage] = {
            collection_name(it.source): self._evaluate(encoder, it, ELSEWHERE_SPLIT, further)
            for it, further in zip(self.others, self.settings.evaluate_on, strict=True)
        }
        for name, retriever in EASIER.items():
            pool = BuildPool(
                collection=self.collection,
                retriever=retriever,
                split=split,
                seed=0 if retriever.seeded else None,
                documents=None,
                queries=None,
            )
            evaluations[name] = EvaluateAmong(pool, *vectors, measures)
        return {**evaluations, "geometry": Geometry(self.collection, *vectors, split)}

    def _breakdowns(self, sequence: TrainingSequence, negatives: NegativesStage | None) -> tuple[Stage, ...]:
        """Return the breakdowns of false negatives, and the quality of filters, label rules and detectors.

        Each is measured in the last phase that has one, filters and label rules on its first candidates, of several
        sources those of the first. The gradient is that of the last phase.
        """
        training = sequence.last
        breakdowns: list[Stage] = []
        breakdowns += [DetectorQuality(it) for it in sequence.on_labels if it.detector is not None][-1:]
        if negatives is not None:
            breakdowns.append(LocateFalseNegatives(sequence, negatives))
            drawn = [it.negatives for it in sequence.on_labels if it.negatives is not None]
            breakdowns += [FilterQuality(it) for it in drawn if it.rules.filters][-1:]
            breakdowns += [AddedPositives(it) for it in drawn if it.rules.labels][-1:]
        replayable = all(requirement.replayable for requirement in training.loss.requires)
        if self.settings.gradient and replayable and not _has_written(sequence):
            start, trained = (self._vectors(it, self.collection, training.split) for it in (training.encoder, training))
            breakdowns.append(WeighFalseNegatives(training, start, trained))
        return tuple(breakdowns)

    def _measured_negatives(self, sequence: TrainingSequence, seed: int) -> dict[str, Stage]:
        """Return the measures of the negatives by the encoder that the method starts from; none without negatives."""
        if negatives_of(sequence) is None or _has_written(sequence):
            return {}
        vectors = self._vectors(self.training_builder.start(seed), self.collection, sequence.split)
        return {"negatives": MeasureNegatives(sequence, *vectors)}

    def _probe(self, sequence: TrainingSequence) -> dict[str, Stage]:
        for training in sequence.trainings:
            if training.negatives is not None and training.negatives.written is not None:
                vectors = self.training_builder.embed(training.encoder, self.collection, None)
                return {"probe": ProbeWritten(training.negatives.written, vectors)}
        return {}

    def _judging(self, method: Method, negatives: NegativesStage | None) -> JudgeNegatives | None:
        judge = self.settings.judge
        if judge is None or negatives is None:
            return None
        parts = [part for phase in method.trained_phases for part in phase.method.pool_parts]
        asked = [teacher for part in parts for it in part.requires for teacher in it.teachers]
        chose = {self.fingerprint(member) for teacher in asked for member in teacher.members}
        chose |= {self.fingerprint(miner) for miner in method.miners}
        if not chose.isdisjoint(self.fingerprint(member) for member in judge.members):
            raise InputError(
                f"judge: {judge.spelling} is a teacher or miner of {method.spelling}, or has the same starting "
                "weights; a model that selects negatives cannot judge how many are false: give another one"
            )
        vectors = self._judge_vectors(judge) if isinstance(judge, BiEncoder) else None
        return JudgeNegatives(negatives, judge, self.fingerprint(judge), self.precision, vectors)

    def _judge_vectors(self, judge: BiEncoder) -> tuple[Embed, Embed]:
        """Return the judge's vectors of the documents and of the training queries, which all trials share."""
        encoder = self.training_builder.given(judge.encoder, 0)
        documents, queries = (
            replace(self.training_builder.embed(encoder, self.collection, split), max_length=judge.max_length)
            for split in (None, TRAINING_SPLIT)
        )
        return documents, queries

    def _held_out(self, method: Method, encoder: Stage, seed: int) -> NegativesStage | None:
        """Return a draw under thinned labels, never trained on; None without ``held_out``, with a refresh or phases."""
        share = self.settings.held_out
        if share is None or method.phases or method.refresh.is_dynamic:
            return None
        thinned = Hidden(collection=self.collection.source, label_rate=1 - share, seed=seed)
        labels = LoadCollection(thinned, self.fingerprint(thinned), self.settings.equal_texts)
        return self.training_builder.draw(method, encoder, seed, labels)


def _has_written(sequence: TrainingSequence) -> bool:
    """Return whether some negatives are synthetic; no vectors are stored for these."""
    return any(it.negatives is not None and it.negatives.written is not None for it in sequence.trainings)
