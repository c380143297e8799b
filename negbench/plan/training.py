"""The stage that fine-tunes an encoder."""

from __future__ import annotations

import json
import tempfile
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from negbench.asks import CacheTargets
from negbench.batching import Batching
from negbench.batching.random import Random
from negbench.detectors import Detector
from negbench.encoders.tokens import Limits, limits_of
from negbench.losses import Loss
from negbench.plan.background import Background, InLine
from negbench.plan.bank import BankSearch
from negbench.plan.clusters import ClusterQueries
from negbench.plan.curve import MEASURE, watcher
from negbench.plan.detecting import FILE, Detecting, read_clean, weighed
from negbench.plan.draw import DrawNegatives
from negbench.plan.live import LiveSearch, check_memory, rounds_of
from negbench.plan.refreshing import Redrawer, Refresher, read_rounds
from negbench.plan.repair import Negating
from negbench.plan.sources import At, Embed, LoadCollection, read_collection, read_vectors, split_queries
from negbench.plan.targets import GuideStage, TargetStage
from negbench.plan.writing import extended, texts_of
from negbench.refresh import Refresh
from negbench.refresh.cache import Cache
from negbench.refresh.every_epoch import EveryEpoch
from negbench.refresh.never import Never
from negbench.store import Stage, load_arrays
from negbench.training.recipe import Recipe
from negbench.types import Collection, Int32, Int64, Negatives, Vectors

if TYPE_CHECKING:
    from negbench.training.data import Instances

WATCHED_SPLIT = "dev"
"""What a training is measured on as it goes."""


@dataclass(frozen=True, eq=False)
class Train(Stage):
    """Fine-tune an encoder; ``recipe.precision`` is resolved, never ``auto``.

    ``curve_points``: how often quality on dev is measured on the way. ``growing``: see ``training.data.instances``.
    With a ``refresh``, what each further round drew is kept in ``rounds/``. ``part``: only those steps of the whole
    training that lie between two shares of it, (0.2, 0.5) say: the rows of a stage (``methods.Phase``). ``documents``:
    where only queries are trained, the documents' vectors, which stay. With a ``detector``, which rows it took for
    matched is kept (``plan.detecting``).
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
    documents: Embed | None = None
    detector: Detector | None = None
    guide: GuideStage | None = None

    def identity(self) -> dict[str, Any]:
        """Return the fields, those left out that came later and are at rest: what was stored before them stays."""
        found = super().identity()
        resting = ("targets", "part", "documents", "detector", "guide")
        for name in (*resting, *(() if self.refresh.moves else ("refresh",))):
            if name == "refresh" or getattr(self, name) is None:
                del found["parameters"][name]
        return found

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """What it reads; the texts that were written, too, and what a refresh begins with."""
        told = (self.targets, self.guide)
        found = (self.encoder, self.collection, self.negatives, self.clusters, *told, self.documents)
        written = None if self.negatives is None else self.negatives.written
        drawn = self.redrawn
        again = () if drawn is None else (drawn.pool, drawn.pool.queries, drawn.pool.documents, *drawn.answers)
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
        targets, guide = (None if stage is None else stage.read(at(stage)) for stage in (self.targets, self.guide))
        return replace(data, targets=targets, guide=guide)

    def _with(self, collection: Collection, drawn: Negatives | None) -> Instances:
        from negbench.training.data import instances

        return instances(collection, self.split, drawn, self.recipe, self.seed, self.growing)

    def replay(self, at: At, collection: Collection) -> tuple[Instances, list[Int64]]:
        """Return the rows of all epochs, and the batches of the whole training in order, as row numbers.

        Of R rows an epoch and E epochs, row ``(round * E + epoch) * R + r`` is row r as it was after ``round``
        refreshes.
        """
        from negbench.training.data import in_rounds

        data, clusters = self.rows(at, collection)
        if self.detector is not None:
            data = weighed(data, read_clean(at(self)))
        epochs = self._batches(data, clusters)
        batches = [batch for epoch in epochs for batch in epoch]
        if not self.refresh.moves:
            return data, batches
        later = [self._with(collection, one.negatives) for one in read_rounds(at(self) / "rounds")]
        rounds = self._rounds(data, epochs)
        moved = [batch + len(data.queries) * number for batch, number in zip(batches, rounds, strict=True)]
        return in_rounds([data, *later]), moved

    def _batches(self, data: Instances, clusters: Int32 | None) -> list[list[Int64]]:
        from negbench.training.loop import all_batches

        return all_batches(data, self.recipe, self.seed, self.batching, clusters, self.part)

    def _rounds(self, data: Instances, epochs: list[list[Int64]]) -> list[Int64]:
        """Return the round of negatives that each row of each batch has."""
        from negbench.training.loop import epoch_ends

        batches = [batch for epoch in epochs for batch in epoch]
        due = self.refresh.due(epoch_ends(epochs))
        if not self.refresh.whole:
            return rounds_of(data.queries, batches, set(due))
        return [np.full(len(batch), np.searchsorted(due, step, side="right")) for step, batch in enumerate(batches)]

    def served(self, at: At, collection: Collection) -> set[tuple[int, int]]:
        """Return the rounds and the epochs, from 0, whose draws some row of a batch has."""
        data, clusters = self.rows(at, collection)
        epochs = self._batches(data, clusters)
        batches = [batch for epoch in epochs for batch in epoch]
        rounds = self._rounds(data, epochs) if self.refresh.moves else [np.zeros_like(batch) for batch in batches]
        found = np.unique(np.stack([np.concatenate(rounds), np.concatenate(batches) // len(data.keys)]), axis=1)
        return {(int(number), int(epoch)) for number, epoch in found.T}

    @property
    def schedule(self) -> dict[str, Any]:
        """What decides, beside its inputs, which rows each batch holds: neither its encoder nor its loss.

        Unless a detector weighs them: then all of the training does.
        """
        return {
            "split": self.split,
            "recipe": self.recipe.model_dump(mode="json"),
            "growing": self.growing,
            "batching": self.batching.identity(),
            "seed": self.seed,
            **({} if self.part is None else {"part": self.part}),
            **({} if self.detector is None else {"training": self.key}),
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
        if self.redrawn is not None and not self.refresh.whole:
            found = self._rounds(data, self._batches(data, clusters))
            check_memory(found, len(data.queries), load_arrays(Negatives, at(self.redrawn)))
        documents = None if self.documents is None else read_vectors(at(self.documents))
        watch = None
        if self.curve_points:
            split_queries(collection, WATCHED_SPLIT)
            measure = watcher(collection, WATCHED_SPLIT, model, self.recipe.max_length, documents)
            watch = Watch(f"{WATCHED_SPLIT}_{MEASURE}", self.curve_points, measure)
        if self.negatives is not None and self.negatives.written is not None:
            collection = extended(collection, texts_of(at(self.negatives.written)))
        detecting = self._detecting(data, clusters, labelled, documents)
        before: dict[str, float] = {}
        with tempfile.TemporaryDirectory() as scratch, self._again(at, out, limits_of(model), documents) as again:
            renewal = None
            if detecting is not None:
                detecting.ask(model, 0)
                data, before = detecting.take(0)
                renewal = Renewal(EveryEpoch(), detecting.ask, detecting.take)
            if again is not None:
                bank = again.search if isinstance(again.search, BankSearch) else None

                def taken(number: int) -> tuple[Instances, dict[str, float]]:
                    drawn, points = again.take(number)
                    return replace(self._with(labelled, drawn), targets=bank.targets if bank else None), points

                renewal = Renewal(self.refresh, again.ask, taken, bank.seen if bank else None)
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
                documents,
            )
        model.save_pretrained(str(out / "model"), create_model_card=False)
        if detecting is not None:
            np.save(out / FILE, detecting.clean, allow_pickle=False)
            curves |= {name: [(0, value), *curves.get(name, [])] for name, value in before.items()}
        (out / "curves.json").write_text(json.dumps(curves) + "\n")
        return {**cost, **({} if again is None else again.cost), **({} if detecting is None else detecting.cost)}

    def _detecting(
        self, data: Instances, clusters: Int32 | None, collection: Collection, documents: Vectors | None
    ) -> Detecting | None:
        """Return what weighs rows between epochs, if anything does."""
        if self.detector is None:
            return None
        epochs = [int(epoch[0][0]) // len(data.keys) for epoch in self._batches(data, clusters) if epoch]
        return Detecting(self.detector, data, epochs, collection, self.recipe, self.seed, documents)

    def _again(
        self, at: At, out: Path, limit: Limits, documents: Vectors | None
    ) -> AbstractContextManager[InLine | Background | None]:
        """Return what searches again on the way, if anything does."""
        drawn = self.redrawn
        if drawn is None:
            return nullcontext()
        if not self.refresh.searches:
            return InLine(Redrawer(drawn, at, out / "rounds"))
        assert drawn.pool.documents is not None
        if isinstance(self.refresh, Cache):
            temperature = self.loss.asks.temperature if isinstance(self.loss.asks, CacheTargets) else None
            return InLine(BankSearch(drawn, at, limit, out / "rounds", self.refresh.size, temperature))
        given = {} if documents is None else {drawn.pool.documents.key: documents}
        if not self.refresh.whole:
            return InLine(LiveSearch(drawn, at, limit, out / "rounds", given))
        search = Refresher(drawn, at, limit, out / "rounds", given)
        return Background(search) if self.refresh.behind else InLine(search)
