"""Labelling sheet: a folder with the items in shuffled order, and the sample design for the estimate.

``sheet.csv`` opens in a spreadsheet; its column ``annotator`` may stay empty if one person answers. ``items.jsonl`` has
the same texts for the page. ``design.json`` and ``pairs.parquet`` have what annotators must not see: which method drew
a pair, its inclusion probability, and which items are repeated.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from negbench import plain_values, user_files
from negbench.auditing import sheet_checks
from negbench.auditing.draw import AuditSample
from negbench.auditing.population import Population
from negbench.errors import InputError
from negbench.escaping import for_csv
from negbench.plain_values import NotPlainError
from negbench.rng import CounterRNG
from negbench.types import Float64, Int32, Int64, UInt64

DESIGN, PAIRS, ITEMS, SHEET = "design.json", "pairs.parquet", "items.jsonl", "sheet.csv"
VERSION = 1
REPEATED = 5
"""One in this many pairs is on the sheet twice."""
_POSITIVES = 3
"""Most known positives that an annotator is shown; a query may have hundreds."""
_CELL = 30_000
"""Most characters per cell; spreadsheets allow 32,767."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Sample design and items of an audit over N pairs of M methods.

    ``digests`` [N] of the two texts, ``queries`` int32 [N], ``strata`` int32 [N] (-1: known positive), ``probability``
    float64 [N] of inclusion (0: not drawn), ``weights`` float64 [M, N] as in ``Population``; ``items`` int64 [n] are
    the pairs in the order of the sheet, item 1 first, some of them twice. ``judge`` float64 [N] are a judge's scores,
    NaN where it gave none, None without a judge. ``ranks`` int32 [M, N] are as in ``Population``, None in the sheet of
    an earlier version.
    """

    methods: tuple[str, ...]
    seed: int
    digests: list[str]
    queries: Int32
    strata: Int32
    probability: Float64
    weights: Float64
    items: Int64
    judge: Float64 | None = None
    ranks: Int32 | None = None

    def is_of(self, population: Population) -> bool:
        """Tell whether the sheet was drawn from these pairs with these weights."""
        return self.digests == population.digests() and np.array_equal(self.weights, population.weights)

    def check(self) -> None:
        """Raise ValueError where numbers are out of range, or not those of one draw."""
        pairs, drawn = len(self.queries), self.probability > 0
        if not pairs:
            raise ValueError("no pairs, expected at least one")
        if odd := [item for item in self.items.tolist() if not 0 <= item < pairs]:
            raise ValueError(f"items: {odd[0]} is none of the {pairs} pairs, expected numbers from 0")
        for name, values, low, high in (
            ("probability", self.probability, 0.0, 1.0),
            ("weight", self.weights, 0.0, np.finfo(np.float32).max),
        ):
            if not (np.isfinite(values) & (values >= low) & (values <= high)).all():
                raise ValueError(f"{name}: expected numbers from {low:g} to {high:g}")
        if not (self.weights.sum(axis=1) > 0).all():
            raise ValueError("weight: expected a weight above 0 for each method")
        if self.queries.min() < 0 or self.strata.min() < -1:
            raise ValueError("query, stratum: expected whole numbers from 0, and -1 for a known positive's stratum")
        if self.judge is not None and np.isinf(self.judge).any():
            raise ValueError("judge: expected finite numbers, or none")
        if not all(isinstance(digest, str) for digest in self.digests):
            raise ValueError("digest: expected texts")
        if not drawn[self.items].all() or len(np.unique(self.items)) != int(drawn.sum()):
            raise ValueError("items: expected the pairs with a probability above 0")


def ordered(pairs: Int64, keys: UInt64, seed: int) -> Int64:
    """Return the pairs [n] in random order, a fifth of them repeated at least 0.3 n positions later."""
    order = pairs[CounterRNG(seed, "audit order").order(keys)]
    again = order[: len(order) // REPEATED]
    half = -(-len(order) // 2)
    later = np.concatenate([order[half:], again])
    shuffled = later[np.argsort(CounterRNG(seed, "audit repeats").bits(np.arange(len(later))), kind="stable")]
    return np.concatenate([order[:half], shuffled])


def of(population: Population, drawn: AuditSample, seed: int, judge: Float64 | None = None) -> Sheet:
    """Return the sheet of the drawn pairs, its items shuffled."""
    chosen = np.flatnonzero(drawn.probability > 0)
    return Sheet(
        methods=population.methods,
        seed=seed,
        digests=population.digests(),
        queries=population.queries,
        strata=drawn.strata,
        probability=drawn.probability,
        weights=population.weights,
        items=ordered(chosen, population.keys()[chosen], seed),
        judge=judge,
        ranks=population.ranks,
    )


def write(folder: Path, population: Population, drawn: AuditSample, seed: int, judge: Float64 | None = None) -> Sheet:
    """Write the folder atomically. Raises InputError if it exists and is not empty."""
    if user_files.is_there(folder) and (not user_files.is_folder(folder) or any(folder.iterdir())):
        raise InputError(f"{folder}: already exists; choose another folder with --out")
    sheet = of(population, drawn, seed, judge)
    draft = folder.with_name(f"{folder.name}.{os.getpid()}.draft")
    draft.mkdir(parents=True)
    try:
        _write_items(draft, population, sheet)
        _write_design(draft, sheet)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return sheet


def _write_items(folder: Path, population: Population, sheet: Sheet) -> None:
    texts = [_item(number, population, pair) for number, pair in enumerate(sheet.items.tolist(), 1)]
    lines = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in texts)
    (folder / ITEMS).write_text(lines, encoding="utf-8")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["item", "query", "known positives", "document", "answer", "annotator", "note"])
    for item in texts:
        more = [f"(and {item['more']} more)"] if item["more"] else []
        positives = "\n\n".join([*item["positives"], *more])
        writer.writerow([item["item"], *map(_cell, (item["query"], positives, item["document"])), "", "", ""])
    # with a byte order mark: without it spreadsheets assume another encoding
    (folder / SHEET).write_text(out.getvalue(), encoding="utf-8-sig", newline="")


def _item(number: int, population: Population, pair: int) -> dict[str, Any]:
    query = int(population.queries[pair])
    positives = population.positives[query]
    return {
        "item": number,
        "query": population.query_texts[query],
        "positives": list(positives[:_POSITIVES]),
        "more": max(len(positives) - _POSITIVES, 0),
        "document": population.document_texts[population.documents[pair]],
    }


def _cell(text: str) -> str:
    """Return the text of a cell, not too long for a spreadsheet."""
    return for_csv(text if len(text) <= _CELL else f"{text[:_CELL]}…")


def _write_design(folder: Path, sheet: Sheet) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "digest": sheet.digests,
        "query": sheet.queries,
        "stratum": sheet.strata,
        "probability": sheet.probability,
        **({} if sheet.judge is None else {"judge": sheet.judge}),
        **{f"weight/{name}": weights for name, weights in zip(sheet.methods, sheet.weights, strict=True)},
    }
    if sheet.ranks is not None:
        columns |= {f"rank/{name}": ranks for name, ranks in zip(sheet.methods, sheet.ranks, strict=True)}
    pq.write_table(pa.table(columns), folder / PAIRS)
    record = {
        "version": VERSION,
        "methods": list(sheet.methods),
        "seed": sheet.seed,
        "pairs": len(sheet.queries),
        "labels": int((sheet.probability > 0).sum()),
        "items": sheet.items.tolist(),
    }
    (folder / DESIGN).write_text(json.dumps(record) + "\n", encoding="utf-8")


def is_there(folder: Path) -> bool:
    """Tell whether the folder has a sheet."""
    return user_files.is_file(folder / DESIGN)


def load(folder: Path) -> Sheet:
    """Read a sheet without its answers. Raises InputError if it is damaged or of another version."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / DESIGN
    try:
        record = plain_values.json_value(user_files.text(path, "the design of a sheet"))
        sheet_checks.check_record(record, VERSION)
        path = folder / PAIRS
        user_files.check_regular(path, "the pairs of a sheet")
        table = pq.read_table(path)
        weights = [_numbers(table, f"weight/{name}") for name in record["methods"]]
        ranks = [_numbers(table, name) for it in record["methods"] if (name := f"rank/{it}") in table.column_names]
        loaded = Sheet(
            methods=tuple(record["methods"]),
            seed=record["seed"],
            digests=table["digest"].to_pylist(),
            queries=_numbers(table, "query").astype(np.int32),
            strata=_numbers(table, "stratum").astype(np.int32),
            probability=_numbers(table, "probability"),
            weights=np.stack(weights),
            items=np.array(record["items"], np.int64),
            judge=_numbers(table, "judge") if "judge" in table.column_names else None,
            ranks=np.stack(ranks).astype(np.int32) if ranks else None,
        )
        loaded.check()
    except (OSError, ValueError, KeyError, TypeError, OverflowError, pa.ArrowException) as error:
        if isinstance(error, InputError):
            raise
        line = getattr(error, "line", None)  # of what is no JSON
        place = path if line is None else f"{path}:{line}"
        raise InputError(f"{place}: a damaged sheet ({error}); restore the file, or draw a new sheet") from error
    return loaded


def _numbers(table: Any, column: str) -> Float64:
    """Return a column of a sheet's pairs as numbers; ValueError where it is missing or holds something else."""
    if column not in table.column_names:
        raise ValueError(f"no column {column}, expected one")
    values: Float64 = table[column].to_numpy().astype(np.float64)
    return values


def texts(folder: Path) -> list[dict[str, Any]]:
    """Return the items in order: number, query, positives, number of further positives, document."""
    items = []
    for place, line in user_files.lines(folder / ITEMS, "the items of a sheet"):
        try:
            item = plain_values.json_value(line.decode())
            sheet_checks.check_item(item)
            items.append(item)
        except (NotPlainError, UnicodeDecodeError, ValueError) as error:
            raise InputError(f"{place}: damaged ({error}); restore the file, or draw a new sheet") from error
    if len(items) != (expected := len(load(folder).items)):
        what = f"damaged ({len(items)} items, expected {expected})"
        raise InputError(f"{folder / ITEMS}: {what}; restore the file, or draw a new sheet")
    return items
