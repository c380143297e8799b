"""The stage that fine-tunes an encoder."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from negbench.batching import Batching
from negbench.batching.random import Random
from negbench.detectors import Detector
from negbench.encoders.load import load, save
from negbench.encoders.tokens import Limits, limits_of
from negbench.losses import Loss
from negbench.mining import none_whole
from negbench.refresh import Refresh
from negbench.refresh.never import Never
from negbench.stages.inputs import Embed, LoadCollection, PathOf, read_collection, read_vectors, split_queries
from negbench.stages.mining.clusters import RowGroups
from negbench.stages.mining.draw import DrawNegatives
from negbench.stages.mining.negatives_stage import NegativesStage
from negbench.stages.mining.writing import texts_of, with_synthetic
from negbench.stages.refresh.modes import negatives_hook
from negbench.stages.refresh.refresh_inputs import RefreshInputs
from negbench.stages.refresh.rounds import read_rounds, rounds_of_batches
from negbench.stages.training.curve import MEASURE, watcher
from negbench.stages.training.detecting import Detecting, read_clean, weighed
from negbench.stages.training.targets import TargetStage
from negbench.store import Stage, load_arrays, scratch
from negbench.training.batches import all_batches
from negbench.training.data import Instances, in_rounds, instances
from negbench.training.hooks import DevEvaluation, RefreshHook
from negbench.training.job import TrainingJob
from negbench.training.loop import train
from negbench.training.recipe import Recipe
from negbench.types import Collection, Int32, Int64, Negatives, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

WATCHED_SPLIT = "dev"
"""The split of the learning curve."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Train(Stage):
    """Fine-tune an encoder; ``recipe.precision`` is resolved, never ``auto``.

    ``curve_points``: number of evaluations on dev during training. ``growing``: see ``training.data.instances``. With
    a ``refresh``, the negatives of each further round are kept in ``rounds/``. ``step_range``: only those steps that
    lie between two shares of the whole training, (0.2, 0.5) say: the rows of a phase (``methods.Phase``).
    ``documents``: where only queries are trained, the documents' vectors, which stay. With a ``detector``, the rows
    that it counted as matched are kept (``stages.training.detecting``).
    """

    kind: ClassVar[str] = "training"
    on_gpu: ClassVar[bool] = True
    version: ClassVar[int] = 3
    encoder: Stage
    collection: LoadCollection
    split: str
    negatives: NegativesStage | None
    loss: Loss
    recipe: Recipe
    seed: int
    curve_points: int = 0
    growing: bool = False
    batching: Batching = field(default_factory=Random)
    clusters: RowGroups | None = None
    targets: tuple[TargetStage, ...] = ()
    refresh: Refresh = field(default_factory=Never)
    step_range: tuple[float, float] | None = None
    documents: Embed | None = None
    detector: Detector | None = None

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The stages among the fields, the synthetic texts, and the inputs of a refresh."""
        direct = (self.encoder, self.collection, self.negatives, self.clusters, *self.targets, self.documents)
        written = None if self.negatives is None else self.negatives.written
        for_refresh: tuple[Stage | None, ...] = ()
        if self.is_dynamic:
            pool = self.mined.pool
            for_refresh = (pool, pool.queries, pool.documents, *self.mined.features)
        return tuple(stage for stage in (*direct, written, *for_refresh) if stage is not None)

    @property
    def is_dynamic(self) -> bool:
        """Whether negatives are replaced during the training."""
        return self.refresh.is_dynamic

    @property
    def mined(self) -> DrawNegatives:
        """The draw that a refresh repeats."""
        assert isinstance(self.negatives, DrawNegatives), "only what was mined can be mined again"
        return self.negatives

    @property
    def label(self) -> str:
        what = "in-batch negatives" if self.negatives is None else self.negatives.sampler.spelling
        return f"train with {what}"

    def rows(self, path_of: PathOf, collection: Collection) -> tuple[Instances, Int32 | None]:
        """Return the rows of all epochs, and the groups of one epoch's rows where the batching requires them."""
        data = self._with(
            collection, None if self.negatives is None else load_arrays(Negatives, path_of(self.negatives))
        )
        if self.clusters is None:
            return data, None
        return data, self.clusters.of(path_of(self.clusters), data)

    def told(self, path_of: PathOf, data: Instances) -> Instances:
        """Return the rows with the targets that the loss requires."""
        return replace(data, targets={stage.provides: stage.read(path_of(stage)) for stage in self.targets})

    def _with(self, collection: Collection, drawn: Negatives | None) -> Instances:
        return instances(
            collection,
            self.split,
            drawn,
            self.recipe,
            self.seed,
            self.growing,
            self.loss.further_positives,
            without_short=self.drops_short,
        )

    @property
    def drops_short(self) -> bool:
        """Whether rows with too few negatives are left out."""
        return self.negatives is not None and self.negatives.rules.fill == "drop"

    def replay(self, path_of: PathOf, collection: Collection) -> tuple[Instances, list[Int64]]:
        """Return the rows of all epochs, and the batches of the whole training in order, as row numbers.

        Of R rows an epoch and E epochs, row ``(round * E + epoch) * R + r`` is row r as it was after ``round``
        refreshes.
        """
        data, clusters = self.rows(path_of, collection)
        if self.detector is not None:
            data = weighed(data, read_clean(path_of(self)))
        epochs = self._batches(data, clusters)
        batches = [batch for epoch in epochs for batch in epoch]
        if not self.is_dynamic:
            return data, batches
        rounds = rounds_of_batches(self.refresh, data.queries, epochs)
        later = [self._with(collection, one.negatives) for one in read_rounds(path_of(self) / "rounds")]
        moved = [batch + len(data.queries) * number for batch, number in zip(batches, rounds, strict=True)]
        return in_rounds([data, *later]), moved

    def _batches(self, data: Instances, clusters: Int32 | None) -> list[list[Int64]]:
        return all_batches(data, self.recipe, self.seed, self.batching, clusters, self.step_range)

    def served(self, path_of: PathOf, collection: Collection) -> set[tuple[int, int]]:
        """Return the (round, epoch) pairs, from 0, whose draws are used in some batch."""
        data, clusters = self.rows(path_of, collection)
        epochs = self._batches(data, clusters)
        rounds = rounds_of_batches(self.refresh, data.queries, epochs)
        batches = [batch for epoch in epochs for batch in epoch]
        round_epochs = np.unique(np.stack([np.concatenate(rounds), np.concatenate(batches) // len(data.keys)]), axis=1)
        return {(int(number), int(epoch)) for number, epoch in round_epochs.T}

    @property
    def schedule(self) -> dict[str, Any]:
        """The parameters that, with the inputs, determine the rows of each batch: neither encoder nor loss.

        Of the loss only the number of further positives counts that it puts into batches. With a detector, which sets
        weights by the encoder, the key of the whole training is part of it.
        """
        return {
            "split": self.split,
            "recipe": self.recipe.model_dump(mode="json"),
            "growing": self.growing,
            "batching": self.batching.identity(),
            "seed": self.seed,
            **({"further_positives": further} if (further := self.loss.further_positives) else {}),
            **({} if self.step_range is None else {"step_range": self.step_range}),
            **({} if self.detector is None else {"training": self.key}),
        }

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Train; write ``model/`` and the curves by step."""
        split_queries(read_collection(path_of(self.collection)), self.split)  # says so where there is no such split
        model = load(path_of(self.encoder) / "model")
        job = self.job(path_of)
        watch, hook = self._watch(path_of, model, job.documents), self._hook(path_of, out, limits_of(model), job)
        with scratch(out) as folder, hook or nullcontext():
            curves, cost = train(model, job, Path(folder), watch, hook)
        save(model, out / "model")
        (out / "curves.json").write_text(json.dumps(curves) + "\n")
        return {**cost, **(hook.cost if hook else {}), **self._left_out(job)}

    def _left_out(self, job: TrainingJob) -> dict[str, float]:
        """Return the number of rows of all epochs, and of those left out; nothing where none can be."""
        if not self.drops_short:
            return {}
        every = replace(job, data=replace(job.data, kept=None))
        rows, trained = (sum(map(len, it.batches)) for it in (every, job))
        return {"rows": float(rows), "rows_left_out": float(rows - trained)}

    def job(self, path_of: PathOf) -> TrainingJob:
        """Return the rows, their batching, the loss and the recipe of the training."""
        collection = read_collection(path_of(self.collection))
        data, clusters = self.rows(path_of, collection)
        if data.kept is not None and not data.kept.any():
            raise none_whole(data.negatives.shape[1])
        if self.negatives is not None and self.negatives.written is not None:
            collection = with_synthetic(collection, texts_of(path_of(self.negatives.written)))
        return TrainingJob(
            data=self.told(path_of, data),
            collection=collection,
            loss=self.loss,
            recipe=self.recipe,
            seed=self.seed,
            batching=self.batching,
            clusters=clusters,
            step_range=self.step_range,
            documents=None if self.documents is None else read_vectors(path_of(self.documents)),
            stored=path_of(self.collection),
        )

    def _watch(self, path_of: PathOf, model: SentenceTransformer, documents: Vectors | None) -> DevEvaluation | None:
        """Return the evaluation on dev during training; None without ``curve_points``."""
        if not self.curve_points:
            return None
        collection = read_collection(path_of(self.collection))
        split_queries(collection, WATCHED_SPLIT)
        measure = watcher(collection, WATCHED_SPLIT, model, self.recipe.max_length, documents)
        return DevEvaluation(f"{WATCHED_SPLIT}_{MEASURE}", self.curve_points, measure)

    def _hook(self, path_of: PathOf, out: Path, limits: Limits, job: TrainingJob) -> RefreshHook | None:
        """Return the hook of a detector or of a refresh, never both; None for neither."""
        if self.detector is not None:
            return Detecting(self.detector, job, out)
        if not self.is_dynamic:
            return None
        inputs = RefreshInputs(
            refresh=self.refresh,
            draw=self.mined,
            path_of=path_of,
            limits=limits,
            folder=out / "rounds",
            rows=partial(self._rows_with, path_of),
        )
        return negatives_hook(inputs, job)

    def _rows_with(self, path_of: PathOf, negatives: Negatives) -> Instances:
        return self._with(read_collection(path_of(self.collection)), negatives)
