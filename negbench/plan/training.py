"""The stage that fine-tunes an encoder."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from negbench.batching import Batching
from negbench.batching.random import Random
from negbench.losses import Loss
from negbench.plan.clusters import ClusterQueries
from negbench.plan.curve import MEASURE, watcher
from negbench.plan.draw import DrawNegatives
from negbench.plan.refreshing import Refresher, read_rounds
from negbench.plan.repair import Negating
from negbench.plan.sources import At, LoadCollection, read_collection, split_queries
from negbench.plan.targets import TargetStage
from negbench.plan.writing import extended, texts_of
from negbench.refresh import Refresh
from negbench.refresh.never import Never
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
    With a ``refresh``, what each further round drew is kept in ``rounds/``. ``part``: only those steps of the whole
    training that lie between two shares of it, (0.2, 0.5) say: the rows of a stage (``methods.Phase``).
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
    refresh: Refresh = field(default_factory=Never)
    part: tuple[float, float] | None = None

    def identity(self) -> dict[str, Any]:
        """Return the fields, those left out that came later and are at rest: what was stored before them stays."""
        found = super().identity()
        rests = {"targets": self.targets is None, "refresh": not self.refresh.moves, "part": self.part is None}
        for name in rests:
            if rests[name]:
                del found["parameters"][name]
        return found

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """What it reads; the texts that were written, too, and what a refresh begins with."""
        found = (self.encoder, self.collection, self.negatives, self.clusters, self.targets)
        written = None if self.negatives is None else self.negatives.written
        drawn = self.redrawn
        again = () if drawn is None else (drawn.pool, drawn.pool.queries, *drawn.answers)
        return tuple(stage for stage in (*found, written, *again) if stage is not None)

    @property
    def redrawn(self) -> DrawNegatives | None:
        """The draw that is made again on the way; None where there is no refresh."""
        if not self.refresh.moves:
            return None
        assert isinstance(self.negatives, DrawNegatives), "only what was mined can be mined again"
        return self.negatives

    @property
    def label(self) -> str:
        """With which negatives."""
        what = "in-batch negatives" if self.negatives is None else self.negatives.sampler.spelling
        return f"train with {what}"

    def rows(self, at: At, collection: Collection) -> tuple[Instances, Int32 | None]:
        """Return the rows of all epochs, and the clusters of those of one where its batching wants any."""
        data = self._with(collection, None if self.negatives is None else load_arrays(Negatives, at(self.negatives)))
        if self.clusters is None:
            return data, None
        return data, self.clusters.of(at(self.clusters), data.queries[: len(data.keys)])

    def told(self, at: At, data: Instances) -> Instances:
        """Return the rows with what the loss asks about them."""
        return data if self.targets is None else replace(data, targets=self.targets.read(at(self.targets)))

    def _with(self, collection: Collection, drawn: Negatives | None) -> Instances:
        from negbench.training.data import instances

        return instances(collection, self.split, drawn, self.recipe, self.seed, self.growing)

    def replay(self, at: At, collection: Collection) -> tuple[Instances, list[Int64]]:
        """Return the rows of all epochs, and the batches of the whole training in order, as row numbers.

        Of R rows an epoch and E epochs, row ``(round * E + epoch) * R + r`` is row r as it was after ``round``
        refreshes.
        """
        from negbench.training.data import in_rounds
        from negbench.training.loop import all_batches, epoch_ends

        data, clusters = self.rows(at, collection)
        epochs = all_batches(data, self.recipe, self.seed, self.batching, clusters, self.part)
        batches = [batch for epoch in epochs for batch in epoch]
        if not self.refresh.moves:
            return data, batches
        later = [self._with(collection, one.negatives) for one in read_rounds(at(self) / "rounds")]
        due = self.refresh.due(epoch_ends(epochs))
        rounds = np.searchsorted(due, np.arange(len(batches)), side="right").tolist()
        moved = [batch + len(data.queries) * number for batch, number in zip(batches, rounds, strict=True)]
        return in_rounds([data, *later]), moved

    @property
    def schedule(self) -> dict[str, Any]:
        """What decides, beside its inputs, which rows each batch holds: neither its encoder nor its loss."""
        return {
            "split": self.split,
            "recipe": self.recipe.model_dump(mode="json"),
            "growing": self.growing,
            "batching": self.batching.identity(),
            "seed": self.seed,
            **({} if self.part is None else {"part": self.part}),
        }

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Train; write ``model/`` and the curves by step."""
        from negbench.encoders.load import load
        from negbench.training.loop import Renewal, Watch, train

        collection = labelled = read_collection(at(self.collection))
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
        drawn, refresher, renewal = self.redrawn, None, None
        if drawn is not None:
            refresher = Refresher(drawn, at, model.max_seq_length, out / "rounds", partial(self._with, labelled))
            renewal = Renewal(self.refresh, refresher)
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
                renewal,
                self.part,
            )
        model.save_pretrained(str(out / "model"), create_model_card=False)
        (out / "curves.json").write_text(json.dumps(curves) + "\n")
        return cost if refresher is None else {**cost, **refresher.cost}
