"""Mine a method's negatives for the training queries of a collection, without training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from negbench.collections import Source
from negbench.collections.splits import carved
from negbench.collections.whole import uncarved
from negbench.config.grid import Grid
from negbench.errors import InputError
from negbench.evaluation.false_negatives import Rate, TrainingNegatives
from negbench.evaluation.false_negatives.exact import Exact
from negbench.export.mined_rows import MinedRows
from negbench.features import PerCandidateAndPositive
from negbench.methods.overrides import override
from negbench.plan.trials import Trial, trials
from negbench.requirements import TeacherScores
from negbench.runners import local
from negbench.runners.mined_description import describe
from negbench.stages.inputs import TRAINING_SPLIT, LoadCollection, StartEncoder, read_collection, split_queries
from negbench.stages.mining.draw import DrawNegatives
from negbench.stages.mining.negatives_stage import NegativesStage
from negbench.stages.mining.sources import DrawFromSources
from negbench.stages.mining.writing import texts_of, with_synthetic
from negbench.stages.training.train import Train
from negbench.store import Store, ancestors, load_arrays
from negbench.types import ORIGINS, Collection, Negatives


@dataclass(frozen=True, slots=True, kw_only=True)
class MinedNegative:
    """A negative of a training query.

    ``query`` and ``document`` are ids; ``rank`` (from 1) and ``score`` are those in the candidate pool, that of its
    source where there are several, None if the negative is not from a pool. ``origin`` is ``ranked`` (drawn from a
    pool), ``random_fill`` (too few candidates were left) or ``synthetic`` (written by a language model). ``text`` is
    the document's title and text, ``query_text`` that of the query; the places are the file and line or row that they
    were read from, None for texts with ids.
    """

    query: str
    document: str
    rank: int | None
    score: float | None
    origin: str
    text: str
    query_text: str
    document_place: str | None
    query_place: str | None


@dataclass(frozen=True, kw_only=True)
class MiningResult:
    """Mined negatives of a method, notes of the stages, and the false-negative rate by fuller judgments.

    ``rates`` are by estimator, empty if the collection has no fuller judgments. ``about`` says how the negatives were
    made, as plain data. ``inputs`` are the paths that the collection is read from.
    """

    method: str
    collection: str
    rows: MinedRows
    notes: list[str]
    rates: dict[str, Rate]
    about: dict[str, Any]
    inputs: list[Path]

    @cached_property
    def negatives(self) -> list[MinedNegative]:
        """All negatives, in ascending order of the query."""
        return self.first(None)

    def first(self, count: int | None) -> list[MinedNegative]:
        """Return the first ``count`` negatives; all where it is None."""
        places = zip(*(at.tolist() for at in np.nonzero(self.rows.negatives.documents >= 0)), strict=True)
        return [self._negative(query, slot) for query, slot in islice(places, count)]

    @property
    def count(self) -> int:
        """The number of negatives."""
        return int((self.rows.negatives.documents >= 0).sum())

    @property
    def queries(self) -> int:
        """The number of queries that have a negative."""
        return int((self.rows.negatives.documents >= 0).any(axis=1).sum())

    @property
    def false_negatives(self) -> Rate | None:
        """The unweighted rate; None where there are no fuller judgments."""
        return next(iter(self.rates.values()), None)

    def _negative(self, query: int, slot: int) -> MinedNegative:
        document, row = self.rows.negative(query, slot), int(self.rows.negatives.queries[query])
        places = self.rows.collection.places
        return MinedNegative(
            query=self.rows.collection.query_ids[row],
            document=document.id,
            rank=document.rank,
            score=document.score,
            origin=document.origin,
            text=document.passage,
            query_text=self.rows.collection.queries[row],
            document_place=document.place,
            query_place=None if places is None else places.of_query(row),
        )


def mine(
    grid: Grid,
    store: Store,
    report: Callable[[str], None],
    check: Callable[[Collection], None] | None = None,
    without: Mapping[str, Callable[[], Grid]] | None = None,
) -> MiningResult:
    """Mine the negatives of a grid's only method with its only seed.

    Of a method with refreshed negatives, the first draw is returned. ``report`` is called with each stage's label.
    ``check`` is called with the collection before anything is mined. ``without`` gives, by each assignment of the grid,
    the grid without it: a note says which ones change nothing. No dev and no test split is carved from the training
    queries, unless the collection's parameters ask for it. Raises InputError for a method that mines nothing or
    whose phases train the encoder that mines, and for a collection without training queries.
    """
    trial, drawing = _only(grid)
    source = _uncarved(trial, drawing.pool.collection, store, report)
    if source != trial.settings.collection:
        grid = _with_collection(grid, source)
        trial, drawing = _only(grid)
    result = _make(grid, trial, drawing, store, report, check)
    notes = [_unused(text, other, source, trial, drawing) for text, other in (without or {}).items()]
    if not any(isinstance(it, StartEncoder) and it.spec == trial.settings.encoder for it in ancestors(drawing)):
        notes.append(f"{trial.spelling} mines without the encoder {trial.settings.encoder.spelling}")
    return replace(result, notes=[*result.notes, *filter(None, notes)])


def _uncarved(trial: Trial, stage: LoadCollection, store: Store, report: Callable[[str], None]) -> Source:
    """Return the collection without carved splits; the very same where none is carved, so that its stages are found."""
    source = trial.settings.collection
    if (whole := uncarved(source)) == source:
        return source
    return whole if carved(local.make(stage, store, report, lambda _: store.notes(stage))) else source


def _with_collection(grid: Grid, source: Source) -> Grid:
    points = tuple((values, it.model_copy(update={"collection": source})) for values, it in grid.points)
    return grid.model_copy(update={"points": points})


def _unused(
    assignment: str, without: Callable[[], Grid], source: Source, trial: Trial, drawing: NegativesStage
) -> str | None:
    """Return a sentence where an assignment that changes the settings leaves the negatives as they are."""
    try:
        other, drawn = _only(_with_collection(without(), source))
    except InputError:  # the grid needs it
        return None
    if other.settings == trial.settings or drawn.key != drawing.key:
        return None
    return f"--set {assignment} changes none of these negatives"


def _only(grid: Grid) -> tuple[Trial, DrawNegatives | DrawFromSources]:
    """Return the only trial of a grid that trains, and its first draw. Raises InputError as ``mine`` does."""
    all_trials = [trial for trial in trials(grid) if trial.sequence is not None]
    if len(all_trials) > 1:
        raise InputError(
            f"--set: makes {len(all_trials)} trials, and one is mined; leave out axes, and give one method and one "
            "seed, or run a grid"
        )
    trial = all_trials[0]
    assert trial.sequence is not None
    if len(trial.sequence.trainings) > 1:
        raise InputError(
            f"method {trial.spelling}: it mines with an encoder that an earlier phase trains; run it in a grid"
        )
    drawing = trial.sequence.last.negatives
    if not isinstance(drawing, DrawNegatives | DrawFromSources):
        raise InputError(f"method {trial.spelling}: mines no negatives; choose one that does, such as bm25")
    return trial, drawing


def of_grid(
    grid: Grid,
    method: str,
    seed: int | None,
    store: Store,
    report: Callable[[str], None],
    check: Callable[[Collection], None] | None = None,
) -> MiningResult:
    """Return the negatives of a grid's method as its first epoch gets them, from the store as far as they are there.

    ``method`` is a method's spelling or name, as in the results, with its point on the axes where there are several;
    the grid's first seed where ``seed`` is None. ``check`` is called with the collection before a draw is made. Of a
    method in phases, those of the last phase. Raises InputError
    where no row or more than one is called so, and where the draw needs a training that is not stored.
    """
    trial = _chosen(grid, method, seed)
    assert trial.sequence is not None
    drawing = next((it.negatives for it in trial.sequence.on_labels[::-1] if it.negatives is not None), None)
    if drawing is None:
        raise InputError(f"method {trial.spelling}: mines no negatives; choose one that does")
    for stage in ancestors(drawing):
        if isinstance(stage, Train) and not store.has(stage):
            raise InputError(f"method {trial.spelling}: it mines with an encoder that is not trained yet; run the grid")
    return _make(grid, trial, drawing, store, report, check)


def _chosen(grid: Grid, method: str, seed: int | None) -> Trial:
    trained = [trial for trial in trials(grid) if trial.sequence is not None]
    named = [trial for trial in trained if method in (_without_seed(trial), trial.spelling)]
    named = named or [trial for trial in trained if trial.method == method]
    rows = list(dict.fromkeys(_without_seed(trial) for trial in named))
    if len(rows) != 1:
        known = ", ".join(rows or dict.fromkeys(_without_seed(trial) for trial in trained))
        what = f"{len(rows)} rows are called so" if rows else "no row is called so"
        raise InputError(f"method {method}: {what}; expected one of {known}")
    of_seed = [trial for trial in named if seed is None or trial.seed == seed]
    if not of_seed:
        seeds = ", ".join(str(trial.seed) for trial in named)
        raise InputError(f"--seed {seed}: the grid has the seeds {seeds}; give one of them")
    return of_seed[0]


def _without_seed(trial: Trial) -> str:
    return trial.spelling + "".join(f" {key}={value}" for key, value in trial.axis_values.items())


def _make(
    grid: Grid,
    trial: Trial,
    drawing: NegativesStage,
    store: Store,
    report: Callable[[str], None],
    check: Callable[[Collection], None] | None,
) -> MiningResult:
    """Run the missing stages up to the draw, and read it."""
    collection = local.make(drawing.pool.collection, store, report, read_collection)
    split_queries(collection, TRAINING_SPLIT)
    if check is not None:
        check(collection)
    for draw in drawing.by_pool:
        draw.pool.check(collection)
    local.make(drawing, store, report, lambda folder: load_arrays(Negatives, folder))
    notes = [note for stage in ancestors(drawing) for note in store.notes(stage)]
    if (counts := carved(notes)) is not None:
        notes.append(
            f"the negatives are of {counts[0]:,} of {counts[1]:,} training queries: the others are set aside as dev or "
            "test; dev=0 and test=0 in the collection set none aside"
        )
    rows = _rows(drawing, collection, store)
    notes += _fills(trial, rows.negatives)
    rates = _rates(rows.negatives, collection)
    return MiningResult(
        method=trial.spelling,
        collection=collection.name,
        rows=rows,
        notes=notes,
        rates=rates,
        about=describe(grid, trial, drawing, rows, rates, notes, store),
        inputs=trial.settings.collection.paths,
    )


def _fills(trial: Trial, drawn: Negatives) -> list[str]:
    """Return a sentence on the share of random fill, and on the spelling of the method without it; empty for none."""
    there = drawn.documents >= 0
    filled = int((there & (drawn.origins == ORIGINS.index("random_fill"))).sum())
    if not filled:
        return []
    share = f"{filled:,} of {there.sum():,} negatives ({100 * filled / there.sum():.1f} %) are random documents"
    method = next(it for it in trial.settings.methods if it.spelling == trial.spelling)
    try:
        without = f"; '{override(method, {'fill': 'drop'}).spelling}' leaves such queries out"
    except ValueError:  # a method whose rows change in training has to fill them
        without = ""
    return [f"{share} (random fill), since their queries had too few candidates left{without}"]


def _rows(drawing: NegativesStage, collection: Collection, store: Store) -> MinedRows:
    written = drawing.written
    every = store.load(Negatives, drawing)
    pool = drawing.candidates(store.path)
    # the scores of several retrievers cannot be compared, so no positive has one
    scores = pool.positive_scores if len(drawing.by_pool) == 1 else np.full_like(pool.positive_scores, np.nan)
    teacher = drawing.teacher_scores(store.path, every)
    feature = pool.features.get(TeacherScores)
    return MinedRows(
        collection=collection if written is None else with_synthetic(collection, texts_of(store.path(written))),
        negatives=every.of_epoch(0),
        positive_scores=scores,
        teacher=None if teacher is None else teacher[:, : every.width],
        positive_teacher=feature.positives if isinstance(feature, PerCandidateAndPositive) else None,
    )


def _rates(drawn: Negatives, collection: Collection) -> dict[str, Rate]:
    """Return the unweighted share of relevant documents among the drawn corpus documents; nothing without judgments."""
    negatives = TrainingNegatives(
        queries=drawn.queries,
        documents=np.where(drawn.documents < len(collection.document_ids), drawn.documents, np.int32(-1)),
        weights=np.ones(drawn.documents.shape),
        truth=collection.truth.get(TRAINING_SPLIT),
        truth_kind=collection.truth_kind,
    )
    return {name: rate for name, rate in Exact().estimate(negatives).items() if rate.unit == "negative"}
