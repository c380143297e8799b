"""What is known of a collection before any grid is run: sizes, labels, duplicates, BM25, and a grid to begin with."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from negbench.collections import profile
from negbench.collections.resolve import short_name, source_of
from negbench.encoders.modules import has_transformer
from negbench.errors import InputError
from negbench.evaluation import rank_bands
from negbench.evaluation.false_negatives.held_out import LEAST_HIDDEN
from negbench.report.sizes import FEWEST
from negbench.retrieval.bm25 import BM25
from negbench.runners import local
from negbench.runners.evaluate import evaluated, start_encoder
from negbench.runners.reading_costs import ReadingCosts, keep, reading_costs
from negbench.runners.reading_times import PASSES
from negbench.runners.suggested_grid import BATCH, STEPS, SuggestedGrid
from negbench.stages.evaluation.quality import EvaluateRetriever
from negbench.stages.inputs import TRAINING_SPLIT, LoadCollection, read_collection
from negbench.stages.mining.pool import BuildPool
from negbench.store import Stage, Store, ancestors, load_arrays
from negbench.types import CandidatePool, Collection

MEASURES: Final = ("nDCG@10", "R@100")
WIDTH: Final = 0.05
"""Half of the interval that the number of labels is for."""

LABELS: Final = math.ceil(1.96**2 * 0.25 / WIDTH**2)
"""Labels for an interval of +- ``WIDTH`` at a rate of one half, where it is widest (normal approximation)."""

HELD_OUT: Final = 0.3
"""Share of the labels that the suggested grid hides, as far as each query keeps one."""

RateKind = Literal["exact", "exact-proxy", "held-out", "audit", "none"]
Unit = Literal["count", "number", "share", "seconds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A computed number: what it is ``about``, its name, and where there is one its 95 % interval over queries."""

    about: str
    name: str
    value: float
    unit: Unit
    low: float | None = None
    high: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that is said: ``kind`` is the best false-negative rate that can be had, ``why`` says why.

    ``grid`` and the ``steps`` of each of its trainings are None without training queries, ``minutes`` where the
    encoder's speed was not measured; ``basis`` says what these rest on. ``notes`` are those of the stages.
    """

    collection: str
    figures: list[Figure]
    kind: RateKind
    why: str
    warnings: list[str]
    notes: list[str]
    grid: str | None
    steps: int | None
    minutes: float | None
    basis: str


def advise(
    collection: str | Mapping[str, Any],
    named: str | Mapping[str, Any],
    encoder: str | Mapping[str, Any],
    timing: bool,
    needs_grid: bool,
    store: Store,
    report: Callable[[str], None],
) -> Findings:
    """Measure a collection. Raises InputError for what does not exist, and without training queries if ``needs_grid``.

    ``named`` is the collection as the grid is to name it.
    The encoder reads a sample of the documents for its number of tokens, and with ``timing`` encodes some of them.
    """
    start = start_encoder(encoder)  # checked before the collection, which may take long to read
    source = source_of(collection)
    loaded = LoadCollection(source, source.fingerprint())
    data = local.make(loaded, store, report, read_collection)
    trained = TRAINING_SPLIT in data.qrels and len(data.split_queries(TRAINING_SPLIT)) > 0
    if needs_grid and not trained:
        raise InputError(
            f"{data.name}: no training queries, so there is no grid to write; give the collection a train split "
            "(qrels/train.tsv), or describe it with `negbench advise` without --out"
        )
    split = next((it for it in ("test", "dev") if it in data.qrels and len(data.split_queries(it))), None)
    described = TRAINING_SPLIT if trained else split
    kind, why = _rate_kind(data, trained)
    figures = _sizes(data, described)
    stages: list[Stage] = [loaded]
    if described is not None:
        figures += _texts(data, described)
    if split is not None:
        stage = evaluated("bm25", source, split, "auto", None, MEASURES, report, store)
        assert isinstance(stage, EvaluateRetriever)
        stages.append(stage)
        figures += _bm25(store, stage, split)
    if kind in ("exact", "exact-proxy"):
        pool = BuildPool(
            collection=loaded, retriever=BM25(), split=TRAINING_SPLIT, seed=None, documents=None, queries=None
        )
        stages.append(pool)
        figures += _rank_rates(local.make(pool, store, report, lambda at: load_arrays(CandidatePool, at)), data, kind)
    warnings = _warnings(data, trained, split)
    grid, steps, minutes, basis = None, None, None, ""
    if trained:
        stages.append(start)
        costs = reading_costs(start, data, timing, store, report)
        keep(costs, start, loaded.fingerprint, store)
        suggested = SuggestedGrid(
            name=short_name(source),
            collection=named,
            encoder=encoder,
            documents=len(data.document_ids),
            rows=len(data.qrels[TRAINING_SPLIT].at_least(1)),
            queries=len(data.split_queries(TRAINING_SPLIT)),
            split=split or "test",
            max_length=costs.max_length,
            held_out=HELD_OUT if kind == "held-out" else None,
            given=data.given is not None and len(data.given) > 0,
            static=start.spec.keep_layers == 0 or not has_transformer(start.spec),
        )
        figures += _lengths(costs)
        grid, steps = str(suggested), suggested.steps
        if steps < STEPS:
            warnings.append(
                f"{steps} steps a training, fewer than {STEPS}: the encoder may hardly move from its start; give more "
                "labelled pairs"
            )
        minutes, basis = _minutes(costs, suggested)
    notes = [note for stage in stages for needed in ancestors(stage) for note in store.notes(needed)]
    return Findings(
        collection=data.name,
        figures=figures,
        kind=kind,
        why=why,
        warnings=warnings,
        notes=list(dict.fromkeys(notes)),
        grid=grid,
        steps=steps,
        minutes=minutes,
        basis=basis,
    )


def _rate_kind(data: Collection, trained: bool) -> tuple[RateKind, str]:
    """Return the best rate that can be had, and why."""
    if not trained:
        return "none", "there are no training queries, so nothing is mined"
    if TRAINING_SPLIT in data.truth and data.truth_kind == "complete":
        return "exact", "the collection knows every relevant pair of its training queries"
    if TRAINING_SPLIT in data.truth and data.truth_kind == "proxy":
        return "exact-proxy", "its judgments are fuller than the training labels, but not complete: the rate is a floor"
    labels, queries = len(data.qrels[TRAINING_SPLIT].at_least(1)), len(data.split_queries(TRAINING_SPLIT))
    hideable = f"{labels - queries:,} of {labels:,} labels can be hidden if each query keeps one"
    unknown = (
        f"False negatives of BM25's ranks: unknown; label at most {LABELS} pairs with `negbench audit NEGATIVES "
        f"--width {WIDTH}`, which gives ± {100 * WIDTH:.0f} points whatever the rate"
    )
    if 1 - queries / labels >= LEAST_HIDDEN:
        return "held-out", f"{hideable}, at least {LEAST_HIDDEN:.0%} as is needed; no fuller judgments. {unknown}"
    return "audit", f"{hideable}, fewer than the {LEAST_HIDDEN:.0%} that are needed; no fuller judgments. {unknown}"


def _sizes(data: Collection, described: str | None) -> list[Figure]:
    found = [Figure(about="size", name="documents", value=len(data.document_ids), unit="count")]
    for split in [it for it in ("train", "dev", "test") if it in data.qrels]:
        positives = profile.Positives.of(data, split)
        found.append(Figure(about="size", name=f"{split} queries", value=positives.queries, unit="count"))
        if positives.queries:
            found.append(Figure(about="size", name=f"positives a {split} query", value=positives.mean, unit="number"))
            found.append(
                Figure(about="size", name=f"{split} queries with one positive", value=positives.single, unit="share")
            )
    documents = profile.median_words(list(profile.passages_of(data, profile.sample_documents(data))))
    found.append(Figure(about="size", name="words a document, median", value=documents, unit="count"))
    if described is not None:
        queries = profile.median_words([data.queries[row] for row in data.split_queries(described).tolist()])
        found.append(Figure(about="size", name=f"words a {described} query, median", value=queries, unit="count"))
    note = "documents whose text another one has too"
    found.append(Figure(about="size", name="copies", value=profile.copies(data), unit="count", note=note))
    return found


def _texts(data: Collection, split: str) -> list[Figure]:
    near = profile.near_duplicates(data, split)
    among = f"of {near.positives:,} positives among {near.documents:,} documents; Jaccard {profile.NEAR} or above"
    if near.sampled:
        among += "; too low, since both of a pair must be in this sample of the corpus"
    shared = f"{split} queries that share a positive with another"
    overlap = "share of a query's words that its positive has"
    return [
        Figure(about="labels", name=shared, value=profile.sharing(data, split), unit="share"),
        Figure(about="labels", name="positives with a near-duplicate", value=near.share, unit="share", note=among),
        Figure(
            about="words",
            name=f"overlap of {split} query and positive, median",
            value=profile.lexical_overlap(data, split),
            unit="share",
            note=overlap,
        ),
    ]


def _bm25(store: Store, stage: EvaluateRetriever, split: str) -> list[Figure]:
    metrics = json.loads((store.path(stage) / "metrics.json").read_text())
    return [
        Figure(about="words", name=f"BM25 {measure} on {split}", value=metrics[measure], unit="number")
        for measure in MEASURES
    ]


def _rank_rates(pool: CandidatePool, data: Collection, kind: RateKind) -> list[Figure]:
    """Return the false-negative rates of BM25's ranks for the training queries."""
    found = []
    for band in rank_bands.false_negatives(pool, data.truth[TRAINING_SPLIT]):
        ranks = f"rank {band.first}" if band.first == band.last else f"ranks {band.first}-{band.last}"
        found.append(
            Figure(
                about=f"false negatives, {kind}",
                name=f"BM25 {ranks}",
                value=band.rate,
                unit="share",
                low=band.low,
                high=band.high,
                note=f"{band.queries:,} training queries, each with the same weight",
            )
        )
    return found


def _lengths(costs: ReadingCosts) -> list[Figure]:
    sample = f"{costs.sampled:,} documents and {costs.queries:,} training queries, at most {costs.most} tokens each"
    found = [Figure(about="encoder", name="tokens, 90th percentile", value=costs.tall, unit="count", note=sample)]
    if costs.tokens_a_second is not None:
        speed = f"{costs.timed} documents encoded on this machine"
        found.append(
            Figure(about="encoder", name="tokens a second", value=costs.tokens_a_second, unit="count", note=speed)
        )
    return found


def _minutes(costs: ReadingCosts, grid: SuggestedGrid) -> tuple[float | None, str]:
    """Return the minutes of a grid, roughly: thrice an encoding of its rows an epoch, and the corpus a trial."""
    if costs.tokens_a_second is None:
        return None, ""
    negatives = sum(name != "in-batch" for name in grid.methods) / len(grid.methods)  # one a row where any is mined
    row = costs.query_tokens + (1 + negatives) * costs.document_tokens
    corpus = grid.documents * costs.document_tokens
    tokens = grid.trials * (PASSES * grid.epochs * grid.rows * row + corpus) + corpus
    basis = (
        f"rests on {costs.tokens_a_second:,.0f} tokens a second, {costs.document_tokens:.0f} tokens a document and "
        f"{costs.query_tokens:.0f} a query, {grid.rows:,} labelled pairs, {grid.documents:,} documents and "
        f"{grid.trials} trainings of {grid.epochs} {'epoch' if grid.epochs == 1 else 'epochs'}, each at three times an "
        "encoding of its texts an epoch, and an encoding of the corpus"
    )
    return tokens / costs.tokens_a_second / 60, basis


def _warnings(data: Collection, trained: bool, split: str | None) -> list[str]:
    found = []
    if not trained:
        found.append("no train split: the collection can be evaluated on, not trained on")
    if split is None:
        return [*found, "no test and no dev split: there is nothing to evaluate on"]
    if split != "test":
        found.append("no test split: BM25 and the grid are evaluated on dev")
    queries = len(data.split_queries(split))
    if queries < FEWEST:
        noun = "query" if queries == 1 else "queries"
        found.append(f"{queries} {split} {noun}, fewer than {FEWEST}: a mean over so few is uncertain")
    shared = profile.trained_on(data, TRAINING_SPLIT, split) if trained else 0
    if shared:
        found.append(f"{shared:,} of {queries:,} {split} queries share a positive with training")
    rows = len(data.qrels[TRAINING_SPLIT].at_least(1)) if trained else BATCH
    if rows < BATCH:
        found.append(f"{rows} labelled training pairs, fewer than a batch of {BATCH}")
    return found
