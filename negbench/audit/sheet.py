"""The sheet that people fill in: a folder with the items in a shuffled order, and what an estimate needs to know.

``sheet.csv`` opens in a spreadsheet; its column ``annotator`` may stay empty where one person answers. ``items.jsonl``
holds the same texts, for the page. ``design.json`` and ``pairs.parquet`` hold what labellers are not shown: who drew a
pair, with which chance, and which items are the same.
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

from negbench.audit.draw import Drawn
from negbench.audit.frame import Frame
from negbench.errors import InputError
from negbench.noise import Noise
from negbench.types import Float64, Int32, Int64, UInt64

DESIGN, PAIRS, ITEMS, SHEET = "design.json", "pairs.parquet", "items.jsonl", "sheet.csv"
VERSION = 1
REPEATED = 5
"""One in so many pairs is asked about twice."""
_POSITIVES = 3
"""Known positives that a labeller is shown; a query may have hundreds."""
_CELL = 30_000
"""Letters a cell: spreadsheets take 32,767."""
_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was asked about N pairs of M methods.

    ``digests`` [N] of the two texts, ``queries`` int32 [N], ``strata`` int32 [N] (-1: known for certain),
    ``probability`` float64 [N] to be drawn (0: not drawn), ``weights`` float64 [M, N] as in ``Frame``; ``items``
    int64 [n] are the pairs in the order in which people see them, item 1 first, some of them twice. ``judge`` float64
    [N] are a judge's scores, NaN where it gave none, None where nobody was asked.
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

    def is_of(self, frame: Frame) -> bool:
        """Tell whether the sheet was drawn from these pairs, weighted like this."""
        return self.digests == frame.digests() and np.array_equal(self.weights, frame.weights)


def ordered(pairs: Int64, keys: UInt64, seed: int) -> Int64:
    """Return the pairs [n] in a random order, a fifth of them a second time, further down by 0.3 n or more."""
    order = pairs[Noise(seed, "audit order").order(keys)]
    again = order[: len(order) // REPEATED]
    half = -(-len(order) // 2)
    later = np.concatenate([order[half:], again])
    shuffled = later[np.argsort(Noise(seed, "audit repeats").bits(np.arange(len(later))), kind="stable")]
    return np.concatenate([order[:half], shuffled])


def of(frame: Frame, drawn: Drawn, seed: int, judge: Float64 | None = None) -> Sheet:
    """Return the sheet of what was drawn, its items shuffled."""
    chosen = np.flatnonzero(drawn.probability > 0)
    return Sheet(
        methods=frame.methods,
        seed=seed,
        digests=frame.digests(),
        queries=frame.queries,
        strata=drawn.strata,
        probability=drawn.probability,
        weights=frame.weights,
        items=ordered(chosen, frame.keys()[chosen], seed),
        judge=judge,
    )


def write(folder: Path, frame: Frame, drawn: Drawn, seed: int, judge: Float64 | None = None) -> Sheet:
    """Write the folder whole or not at all. Raises InputError where it holds something already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is there already; choose another folder with --out")
    sheet = of(frame, drawn, seed, judge)
    draft = folder.with_name(f"{folder.name}.{os.getpid()}.draft")
    draft.mkdir(parents=True)
    try:
        _write_items(draft, frame, sheet)
        _write_design(draft, sheet)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return sheet


def _write_items(folder: Path, frame: Frame, sheet: Sheet) -> None:
    texts = [_item(number, frame, pair) for number, pair in enumerate(sheet.items.tolist(), 1)]
    lines = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in texts)
    (folder / ITEMS).write_text(lines, encoding="utf-8")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["item", "query", "known positives", "document", "answer", "annotator", "note"])
    for item in texts:
        more = [f"(and {item['more']} more)"] if item["more"] else []
        positives = "\n\n".join([*item["positives"], *more])
        writer.writerow([item["item"], *map(_cell, (item["query"], positives, item["document"])), "", "", ""])
    # with a byte order mark, without which spreadsheets take UTF-8 for something older
    (folder / SHEET).write_text(out.getvalue(), encoding="utf-8-sig", newline="")


def _item(number: int, frame: Frame, pair: int) -> dict[str, Any]:
    query = int(frame.queries[pair])
    positives = frame.positives[query]
    return {
        "item": number,
        "query": frame.query_texts[query],
        "positives": list(positives[:_POSITIVES]),
        "more": max(len(positives) - _POSITIVES, 0),
        "document": frame.document_texts[frame.documents[pair]],
    }


def _cell(text: str) -> str:
    """Return what a spreadsheet shows as this text and takes for no formula."""
    cut = text if len(text) <= _CELL else f"{text[:_CELL]}…"
    return f"'{cut}" if cut.lstrip().startswith(_FORMULA) else cut


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
    """Tell whether the folder holds a sheet."""
    return (folder / DESIGN).is_file()


def load(folder: Path) -> Sheet:
    """Read what ``write`` wrote, answers apart. Raises InputError where it is damaged or of another version."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        record = json.loads((folder / DESIGN).read_text(encoding="utf-8"))
        if record["version"] != VERSION:
            raise InputError(f"{folder / DESIGN}: of version {record['version']}, expected {VERSION}; draw a new sheet")
        table = pq.read_table(folder / PAIRS)
        weights = [table[f"weight/{name}"].to_numpy() for name in record["methods"]]
        return Sheet(
            methods=tuple(record["methods"]),
            seed=record["seed"],
            digests=table["digest"].to_pylist(),
            queries=table["query"].to_numpy().astype(np.int32),
            strata=table["stratum"].to_numpy().astype(np.int32),
            probability=table["probability"].to_numpy().astype(np.float64),
            weights=np.stack(weights).astype(np.float64),
            items=np.array(record["items"], np.int64),
            judge=table["judge"].to_numpy().astype(np.float64) if "judge" in table.column_names else None,
        )
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{folder}: a damaged sheet ({type(error).__name__}: {error}); draw a new one") from error


def texts(folder: Path) -> list[dict[str, Any]]:
    """Return the items in order: number, query, positives, how many more of these, document."""
    try:
        return [json.loads(line) for line in (folder / ITEMS).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / ITEMS}: damaged ({error}); draw a new sheet") from error
