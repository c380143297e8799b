"""The stage that fine-tunes an encoder."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from negbench.batching import Batching
from negbench.batching.random import Random
from negbench.losses import Loss
from negbench.plan.clusters import ClusterQueries
from negbench.plan.curve import MEASURE, watcher
from negbench.plan.repair import Negating
from negbench.plan.sources import At, LoadCollection, read_collection, split_queries
from negbench.plan.targets import TargetStage
from negbench.plan.writing import extended, texts_of
from negbench.store import Stage, load_arrays
from negbench.training.recipe import Recipe
from negbench.types import Collection, Int32, Int64, Negatives

if TYPE_CHECKING:
    from negbench.training.data import Instances

WATCHED_SPLIT = "dev"
"""What a training is measured on as it goes."""


@dataclass(frozen=True, eq=False)
class Train(Stage):
    """Fine-tune an encoder; ``recipe.precision`` is resolved, never ``auto``.

    ``curve_points``: how often quality on dev is measured on the way. ``growing``: see ``training.data.instances``.
    """

    kind: ClassVar[str] = "training"
    version: ClassVar[int] = 3
    encoder: Stage
    collection: LoadCollection
    split: str
    negatives: Negating | None
    loss: Loss
    recipe: Recipe
    seed: int
    curve_points: int = 0
    growing: bool = False
    batching: Batching = field(default_factory=Random)
    clusters: ClusterQueries | None = None
    targets: TargetStage | None = None

    def identity(self) -> dict[str, Any]:
        """Return the fields; without ``targets`` where the loss asks for none, as before there were any."""
        found = super().identity()
        if self.targets is None:
            del found["parameters"]["targets"]
        return found

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """What it reads; the texts that were written, too."""
        found = (self.encoder, self.collection, self.negatives, self.clusters, self.targets)
        written = None if self.negatives is None else self.negatives.written
        return tuple(stage for stage in (*found, written) if stage is not None)

    @property
    def label(self) -> str:
        """With which negatives."""
        what = "in-batch negatives" if self.negatives is None else self.negatives.sampler.spelling
        return f"train with {what}"

    def rows(self, at: At, collection: Collection) -> tuple[Instances, Int32 | None]:
        """Return the rows of all epochs, and the clusters of those of one where its batching wants any."""
        from negbench.training.data import instances

        drawn = None if self.negatives is None else load_arrays(Negatives, at(self.negatives))
        data = instances(collection, self.split, drawn, self.recipe, self.seed, self.growing)
        if self.clusters is None:
            return data, None
        return data, self.clusters.of(at(self.clusters), data.queries[: len(data.keys)])

    def told(self, at: At, data: Instances) -> Instances:
        """Return the rows with what the loss asks about them."""
        return data if self.targets is None else replace(data, targets=self.targets.read(at(self.targets)))

    def replay(self, at: At, collection: Collection) -> tuple[Instances, list[Int64]]:
        """Return the rows of all epochs, and the batches of the whole training in order, as row numbers."""
        from negbench.training.loop import all_batches

        data, clusters = self.rows(at, collection)
        epochs = all_batches(data, self.recipe, self.seed, self.batching, clusters)
        return data, [batch for epoch in epochs for batch in epoch]

    @property
    def schedule(self) -> dict[str, Any]:
        """What decides, beside its inputs, which rows each batch holds: neither its encoder nor its loss."""
        return {
            "split": self.split,
            "recipe": self.recipe.model_dump(mode="json"),
            "growing": self.growing,
            "batching": self.batching.identity(),
            "seed": self.seed,
        }

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Train; write ``model/`` and the curves by step."""
        from negbench.encoders.load import load
        from negbench.training.loop import Watch, train

        collection = read_collection(at(self.collection))
        split_queries(collection, self.split)  # says so where there is no such split
        model = load(at(self.encoder) / "model")
        data, clusters = self.rows(at, collection)
        data = self.told(at, data)
        watch = None
        if self.curve_points:
            split_queries(collection, WATCHED_SPLIT)
            measure = watcher(collection, WATCHED_SPLIT, model, self.recipe.max_length)
            watch = Watch(f"{WATCHED_SPLIT}_{MEASURE}", self.curve_points, measure)
        if self.negatives is not None and self.negatives.written is not None:
            collection = extended(collection, texts_of(at(self.negatives.written)))
        with tempfile.TemporaryDirectory() as scratch:
            curves, cost = train(
                model,
                data,
                collection,
                self.loss,
                self.recipe,
                self.seed,
                Path(scratch),
                watch,
                self.batching,
                clusters,
            )
        model.save_pretrained(str(out / "model"), create_model_card=False)
        (out / "curves.json").write_text(json.dumps(curves) + "\n")
        return cost
