"""The trainings of a method, and the stages that they read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from negbench.batching.pairs import PairBatching
from negbench.collections import Source
from negbench.collections.crops import Crops
from negbench.config.grid import Settings
from negbench.encoders.modules import precision_of_vectors
from negbench.encoders.precision import Precision
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import Side
from negbench.errors import InputError
from negbench.losses.infonce import InfoNCE
from negbench.methods import Method
from negbench.methods.sources import CandidateSources
from negbench.plan.required import stages_for
from negbench.retrieval import Retriever
from negbench.stages.inputs import TRAINING_SPLIT, Embed, LoadCollection, StartEncoder, start_of
from negbench.stages.mining.clusters import ClusterQueries, GroupPairs, RowGroups
from negbench.stages.mining.draw import DrawNegatives
from negbench.stages.mining.negatives_stage import NegativesStage
from negbench.stages.mining.pool import BuildPool
from negbench.stages.mining.pool_features import FeatureStage, PlannedPool
from negbench.stages.mining.repair import RepairNegatives
from negbench.stages.mining.sources import DrawFromSources
from negbench.stages.mining.writing import WriteNegatives
from negbench.stages.training.sequence import TrainingSequence
from negbench.stages.training.targets import PlannedPairs, TargetStage
from negbench.stages.training.train import Train
from negbench.store import Stage
from negbench.teachers import Teacher
from negbench.training.recipe import Recipe


@dataclass(frozen=True)
class TrainingBuilder:
    """Builds the trainings of one point on a grid's axes, and their input stages. ``precision`` is resolved."""

    settings: Settings
    collection: LoadCollection
    precision: Precision
    fingerprint: Callable[[Source | Teacher | EncoderSpec], str]

    def of(self, method: Method, seed: int) -> TrainingSequence:
        """Return the trainings of a method: one, unless it has phases."""
        start = before = self.start(seed)
        trainings: list[Train] = []
        end = 0.0
        for phase in method.trained_phases:
            begin = 0.0 if phase.weights_from == "start" else end
            end = begin + phase.work
            own = phase.method.model_copy(update={"train": {**method.train, **phase.method.train}})
            before = self._train(
                own,
                start if phase.weights_from == "start" else before,
                start if phase.candidates_from == "start" else before,
                seed,
                (begin, end) if method.phases else None,
                self._crops(seed) if phase.pairs == "crops" else self.collection,
            )
            trainings.append(before)
        return TrainingSequence(tuple(trainings))

    def start(self, seed: int) -> Stage:
        """Return the encoder that every method starts from: as given, or warmed up with in-batch negatives."""
        spec, warm_up = self.settings.encoder, self.settings.warm_up
        given = self.given(spec, seed)
        if warm_up is None:
            return given
        return Train(
            encoder=given,
            collection=self.collection,
            split=TRAINING_SPLIT,
            negatives=None,
            loss=InfoNCE(),
            recipe=self._recipe(warm_up),
            seed=seed,
        )

    def given(self, spec: EncoderSpec, seed: int) -> StartEncoder:
        """Return an encoder as it is given; it depends on the seed only where layers are drawn afresh.

        Raises InputError for one that does not exist or cannot be used, at this precision.
        """
        if spec.attention == "flash_attention_2" and self.precision != "bfloat16":
            raise InputError(f"encoder {spec.spelling}: flash attention needs bfloat16; set train.precision=bfloat16")
        return StartEncoder(spec, self.fingerprint(spec), seed if spec.seeded else None)

    def embed(self, encoder: Stage, collection: LoadCollection, split: str | None, prompt: str | None = None) -> Embed:
        """Return the vectors of the documents, or of the queries of ``split``, with ``prompt`` or the encoder's own.

        Documents have those of the encoder that trained them last: some trainings leave them as they were.
        """
        while split is None and isinstance(encoder, Train) and encoder.documents is not None:
            encoder = encoder.documents.encoder
        side: Side = "document" if split is None else "query"
        return Embed(
            encoder=encoder,
            collection=collection.texts,
            side=side,
            split=split,
            max_length=self.settings.train.max_length.by_side[side],
            precision=self.precision_of(encoder, side),
            prompt=prompt,
            storage=self.settings.vectors,
        )

    def precision_of(self, encoder: Stage, side: Side) -> Precision:
        """Return the precision of the vectors that an encoder, trained or not, gives texts of one side."""
        start = start_of(encoder)
        return self.precision if start is None else precision_of_vectors(start.spec, side, self.precision)

    def _train(
        self,
        method: Method,
        weights: Stage,
        student: Stage,
        seed: int,
        step_range: tuple[float, float] | None,
        collection: LoadCollection,
    ) -> Train:
        """Return a training from ``weights`` on, with negatives that ``student`` finds, or the retriever's miner."""
        negatives = self._negatives(method, student, seed, collection)
        return Train(
            encoder=weights,
            collection=collection,
            split=TRAINING_SPLIT,
            negatives=negatives,
            loss=method.loss,
            recipe=self._recipe(self.settings.train, method),
            seed=seed,
            curve_points=self.settings.curve_points if collection == self.collection else 0,
            growing=method.growing,
            batching=method.batching,
            clusters=self._clusters(method, student, collection),
            targets=self._targets(method, negatives, collection),
            refresh=method.refresh,
            step_range=step_range,
            documents=self.embed(weights, self.collection, None) if method.trains == "queries" else None,
            detector=method.detector,
        )

    def _recipe(self, recipe: Recipe, method: Method | None = None) -> Recipe:
        """Return the recipe with its precision resolved; larger and longer for a method that makes documents equal."""
        times = 1 + self.settings.negatives if method is not None and method.equal_documents else 1
        sizes = {"batch_size": recipe.batch_size * times, "epochs": recipe.epochs * times}
        own = {} if method is None else method.train
        return recipe.model_copy(update={**sizes, **own, "precision": self.precision})

    def draw(self, method: Method, student: Stage, seed: int, labels: LoadCollection) -> NegativesStage | None:
        """Return the negatives that ``student`` finds, by the labels of ``labels``; None for a method without.

        Raises InputError where one of several sources would give none.
        """
        k = method.negatives if method.negatives is not None else self.settings.negatives
        if not isinstance(method.candidates, CandidateSources):
            return self._draw(method, student, seed, labels, k)
        try:
            counts = method.candidates.counts(k)
        except ValueError as error:
            raise InputError(f"method {method.spelling}: {error}") from error
        draws = [self._draw(one, student, seed, labels, n) for one, n in zip(method.by_source, counts, strict=True)]
        return DrawFromSources(tuple(draw for draw in draws if draw is not None))

    def _draw(self, method: Method, student: Stage, seed: int, labels: LoadCollection, k: int) -> DrawNegatives | None:
        """Return ``k`` negatives a row from the one retriever of a method; None for a method without.

        A retriever with a miner searches the miner's vectors, and all features of its candidates are the miner's.
        """
        retriever, sampler = method.retriever, method.selection
        if retriever is None or sampler is None:
            return None
        encoder = student if retriever.miner is None else self.given(retriever.miner, seed)
        pool = self.pool(retriever, encoder, TRAINING_SPLIT, seed, labels)
        features = self._features(method, pool, encoder)
        written = None
        if method.written is not None:
            written = WriteNegatives(self.collection, TRAINING_SPLIT, method.written)
        per_epoch = method.draws == "each-epoch" and not method.refresh.per_batch
        epochs = self._recipe(self.settings.train, method).epochs if per_epoch else 1
        return DrawNegatives(
            pool=pool,
            labels=method.labels,
            filters=method.filters,
            sampler=sampler,
            features=features,
            fill=method.fill,
            k=k,
            seed=seed,
            written=written,
            epochs=epochs,
        )

    def _negatives(
        self, method: Method, encoder: Stage, seed: int, collection: LoadCollection
    ) -> NegativesStage | None:
        drawn = self.draw(method, encoder, seed, collection)
        repair = self.settings.repair if collection == self.collection else None
        if repair is not None and method.refresh.is_dynamic:
            raise InputError(
                f"repair: {method.spelling} refreshes its negatives, and only fixed negatives can be repaired; "
                "set refresh=never"
            )
        if drawn is None or repair is None:
            return drawn
        if not isinstance(drawn, DrawNegatives):
            raise InputError(
                f"repair: {method.spelling} draws from several retrievers, and a repair exchanges negatives of one "
                "pool; give one retriever"
            )
        return RepairNegatives(drawn, repair)

    def pool(
        self, retriever: Retriever, encoder: Stage, split: str, seed: int, labels: LoadCollection | None = None
    ) -> BuildPool:
        """Return the pool of ``labels``, the collection or another of the same documents; their vectors are shared."""
        dense, labels = retriever.needs_vectors, labels or self.collection
        asking = labels if isinstance(labels.source, Crops) else self.collection
        return BuildPool(
            collection=labels,
            retriever=retriever,
            split=split,
            seed=seed if retriever.seeded else None,
            documents=self.embed(encoder, self.collection, None) if dense else None,
            queries=self.embed(encoder, asking, split) if dense else None,
        )

    def _crops(self, seed: int) -> LoadCollection:
        """Return training pairs cropped from the corpus, as many as an epoch has rows."""
        per: Literal["query", "pair"] = "query" if self.settings.train.positives == "one" else "pair"
        crops = Crops(collection=self.collection.source, per=per, seed=seed)
        return LoadCollection(crops, self.fingerprint(crops), self.settings.equal_texts)

    def _clusters(self, method: Method, encoder: Stage, collection: LoadCollection) -> RowGroups | None:
        """Return the stage that groups rows for the method's batching, by the vectors of ``encoder`` or its teacher."""
        batching = method.batching
        if isinstance(batching, PairBatching):
            if batching.teacher is not None:
                encoder = self.given(EncoderSpec(model=batching.teacher), seed=0)
            queries = self.embed(encoder, collection, TRAINING_SPLIT)
            return GroupPairs(batching, queries, self.embed(encoder, self.collection, None))
        if batching.wants_clusters is None:
            return None
        return ClusterQueries(self.embed(encoder, collection, TRAINING_SPLIT), batching.wants_clusters)

    def _targets(
        self, method: Method, negatives: NegativesStage | None, collection: LoadCollection
    ) -> tuple[TargetStage, ...]:
        """Return the stages that provide what the method's loss requires."""
        alone = any(requirement.one_negative for requirement in method.loss.requires)
        if alone and self.settings.negatives != 1 and method.negatives is None:
            raise InputError(f"method {method.spelling}: its loss needs exactly one negative; set negatives=1")
        planned = PlannedPairs(
            collection=collection,
            split=TRAINING_SPLIT,
            negatives=negatives,
            precision=self.precision,
            fingerprint=self.fingerprint,
        )
        return stages_for(method, [method.loss], TargetStage, planned)  # type: ignore[type-abstract]

    def _features(self, method: Method, pool: BuildPool, encoder: Stage) -> tuple[FeatureStage, ...]:
        """Return the stages that provide what the method's filters, sampler and label rules require."""
        planned = PlannedPool(
            pool=pool,
            collection=self.collection,
            documents=self.embed(encoder, self.collection, None),
            precision=self.precision,
            fingerprint=self.fingerprint,
        )
        return stages_for(method, method.pool_parts, FeatureStage, planned)  # type: ignore[type-abstract]
