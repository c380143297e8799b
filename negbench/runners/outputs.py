"""The files of a grid's results, written as its trials finish."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from negbench.config.grid import Grid, Settings
from negbench.evaluation.false_negatives import meanings
from negbench.evaluation.overlap import drawn_pairs
from negbench.evaluation.shares import Share
from negbench.methods import Method
from negbench.plan.trials import Trial, collection_name
from negbench.report import details, overlap, results, table
from negbench.report.rows import Evidence, Row, rows
from negbench.runners.logs import trial_log
from negbench.store import Store
from negbench.tracking import TrialLog
from negbench.types import Int64, Negatives


class Outputs:
    """What a run of a grid has to show so far: add trials as they finish, write whenever there is news."""

    def __init__(self, grid: Grid, trials: Sequence[Trial], store: Store, out: Path) -> None:
        self.grid, self.trials, self.store, self.out = grid, trials, store, out
        self._records: dict[str, dict[str, Any]] = {}
        self._evidence = Evidence({}, {})
        self._shares: dict[str, dict[str, dict[str, Share]]] = {}
        self._drawn: dict[str, Int64] = {}
        self._oddities: dict[str, None] = {}

    def add(self, trial: Trial, failure: str | None) -> None:
        """Read what a finished trial left in the store, or keep why it failed."""
        self._records[trial.name] = results.record(trial, self.trials, self.store, failure)
        if failure is None:
            found = results.evidence([trial], self.store)
            self._evidence = Evidence(
                {**self._evidence.values, **found.values}, {**self._evidence.clusters, **found.clusters}
            )
            self._shares[trial.name] = details.read(trial, self.store)
            self._oddities |= dict.fromkeys(note for stage in trial.stages for note in self.store.notes(stage))
            if trial.negatives is not None:
                self._drawn[trial.name] = drawn_pairs(self.store.load(Negatives, trial.negatives))

    @property
    def files(self) -> list[Path]:
        """What ``write`` writes, and the manifest."""
        tables = ("table.md", "table.csv", "by_query.csv", "curves.csv")
        about_negatives = ("false_negatives.csv", "details.csv", "overlap.csv")
        names = ("results.json", *tables, *about_negatives, "manifest.json")
        return [self.out / name for name in names]

    def write(self) -> Group:
        """Write the results of the trials so far, each file whole or not at all; return the tables to be printed."""
        ready = [trial for trial in self.trials if trial.name in self._records]
        done = [trial for trial in ready if self._records[trial.name]["status"] == "done"]
        first = self.grid.points[0][1]
        measure = first.measures[0]
        data: dict[str, Any] = {"name": self.grid.name, "trials": [self._records[trial.name] for trial in ready]}
        found = rows(data, measure, first.baseline, first.equivalent_within, self._evidence)
        data["rows"] = [asdict(row) for row in found]
        points = [settings for _, settings in self.grid.points]
        elsewhere = dict.fromkeys(collection_name(source) for settings in points for source in settings.evaluate_on)
        data["tables"] = []
        for part, some in table.split(found):
            heading, body = table.cells(some, measure, first.baseline, list(elsewhere))
            data["tables"].append({"title": part, "heading": heading, "body": body})
        collections = dict.fromkeys(collection_name(settings.collection) for settings in points)
        encoders = dict.fromkeys(settings.encoder.spelling for settings in points)
        title = f"{self.grid.name}: {' and '.join(collections)}, {' and '.join(encoders)}"
        data["oddities"] = [*self._oddities, *results.versions_differ(data["trials"])]
        data["notes"] = [*notes(data, found, first), *[f"{note}." for note in data["oddities"]]]
        data["settings"] = {
            "title": title,
            "measure": measure,
            "baseline": first.baseline,
            "equivalent_within": first.equivalent_within,
            "methods": len(first.methods),
            "seeds": len(first.seeds),
            "legend": legend(found, first),
        }
        shares = details.pooled(data["trials"], self._shares)
        overlaps = overlap.overlaps(data["trials"], self._drawn)
        data["details"] = [asdict(share) for share in shares]
        data["overlap"] = overlap.matrices(overlaps)
        data["further"] = [*overlap.tables(overlaps), *details.tables(shares)]
        results.write_json(self.out / "results.json", data)
        results.write_text(self.out / "details.csv", details.to_csv(shares))
        results.write_text(self.out / "overlap.csv", overlap.to_csv(overlaps))
        results.write_text(self.out / "by_query.csv", results.by_query(done, self.store, self._evidence.values))
        results.write_text(self.out / "curves.csv", results.curves(done, self.store))
        results.write_text(self.out / "false_negatives.csv", results.false_negatives(data["trials"]))
        results.write_text(self.out / "table.md", table.markdown(data["tables"], title, data["notes"]))
        results.write_text(self.out / "table.csv", table.to_csv(found, measure))
        return _printed(data)

    def made_with(self) -> dict[str, str]:
        """Return the versions behind the figures by package, separated by commas where there are several."""
        return {name: ", ".join(found) for name, found in results.all_versions(list(self._records.values())).items()}

    def logs(self, with_models: bool) -> list[TrialLog]:
        """Return what MLflow is told of the trials that are done."""
        return [
            trial_log(trial, record, self.store, with_models)
            for trial in self.trials
            if (record := self._records.get(trial.name)) is not None and record["status"] == "done"
        ]


def _printed(data: dict[str, Any]) -> Group:
    """Return the tables for the terminal, the legend below the last."""
    settings = data["settings"]
    found: list[RenderableType] = []
    for at, one in enumerate(data["tables"], start=1):
        below = settings["legend"] if at == len(data["tables"]) else ()
        found.append(table.terminal(one["heading"], one["body"], one["title"] or settings["title"], below))
    return Group(*found, *[Text(f"note: {note}") for note in data["oddities"]])


def legend(found: Sequence[Row], settings: Settings) -> list[str]:
    """Return what the table's ± and marks mean, a line each."""
    several = any(row.seeds > 1 for row in found)
    lines = [f"± 95 %: half of the interval over queries{' and seeds' if several else '; one seed says no more'}"]
    families = sorted({row.family for row in found if row.family}, reverse=True)
    if families:
        over = f"{' and '.join(map(str, families))} comparisons" + (", a table each" if len(families) > 1 else "")
        lines.append(f"{table.DIFFERS} differs from {settings.baseline} (5 %, Holm over {over})")
        lines.append(
            f"{table.SAME} within {settings.equivalent_within:g} of {settings.baseline} (equivalence test, 5 %, Holm)"
        )
    elif any(row.gain is not None and row.form != "reference" for row in found):
        lines.append(f"no method is said to differ from {settings.baseline}, or not to: that takes two seeds or more")
    estimators = dict.fromkeys(row.estimator for row in found if row.rate is not None and row.estimator)
    lines += [f"false negatives, {name}: {meanings()[name]}" for name in estimators]
    if not estimators and any(row.filled is not None for row in found):
        more = "" if settings.held_out is not None else "held_out or "
        ask = f"give {more}a truth, or label some: negbench audit GRID.yaml"
        lines.append(f"false negatives: these labels cannot tell; {ask}")
    found_by_index = [f"{row.label} {100 * row.index_recall:.2f} %" for row in found if row.index_recall is not None]
    if found_by_index:
        lines.append(f"index recall, the share of an exact search's candidates: {', '.join(found_by_index)}")
    lines += [_more_pairs(method, settings) for method in settings.methods if method.equal_documents]
    if any(row.form == "interpretation" for row in found):
        lines.append(f"{table.INTERPRETED.strip()} an interpretation: its source leaves something open")
    return lines


def _more_pairs(method: Method, settings: Settings) -> str:
    """Return what a method reads beside as many documents a step, and which control does not."""
    there = any(other.name == "random" for other in settings.methods)
    control = "random reads as many documents" if there else "add random, which reads as many documents,"
    return f"{method.spelling} reads {1 + settings.negatives} times the labelled pairs, too; {control} at equal pairs"


def notes(data: dict[str, Any], found: Sequence[Row], settings: Settings) -> list[str]:
    """Return what a reader of the table has to know, one paragraph each."""
    marks = legend(found, settings)
    paired = "Differences are paired by query and seed"
    if any(row.family for row in found):
        paired += "; neither mark: undecided, or one seed"
    if any(row.detectable is not None for row in found):
        paired += (
            ". `detectable`: the least difference that this many queries and seeds would show with a power of 80 % "
            "(5 %, unadjusted)"
        )
    lines = [
        f"Means over seeds. {'. '.join(marks)}. {paired}. `start` is the encoder before any training, `bm25-search` is "
        "BM25 as the search engine; both are references and no comparisons. False negatives: of the mined negatives "
        "that training was handed, weighted as training sees them, the share that is relevant, with the 95 % interval "
        "over queries, seeds pooled. In-batch documents are counted apart, after masking. `filled`: drawn from the "
        "whole corpus after a shortfall. `seconds`: the method alone, from nothing; `added`: what it added to this "
        "grid."
    ]
    estimators = {name: rate["note"] for row in data["trials"] for name, rate in row["false_negatives"].items()}
    shown = {row.estimator for row in found}
    for name, note in estimators.items():
        if name in meanings():
            lines.append(f"{name}: {note}." + ("" if name in shown else f" In %: {rates_by(name, data['trials'])}."))
    return lines + teachers(data["trials"])


def rates_by(estimator: str, trials: Sequence[dict[str, Any]]) -> str:
    """Return the rates of an estimator that has no column, in percent by method and axes, as means over seeds."""
    found: dict[str, list[float]] = {}
    for row in trials:
        rate = row["false_negatives"].get(estimator, {}).get("rate")
        if rate is not None:
            name = row["spelling"] + "".join(f" {key}={value}" for key, value in row["axes"].items())
            found.setdefault(name, []).append(100 * rate)
    return "; ".join(f"{name} {sum(rates) / len(rates):.2f}" for name, rates in found.items()) or "not known"


def teachers(trials: Sequence[dict[str, Any]]) -> list[str]:
    """Return how well the teachers of methods order what is labelled: a paragraph, if there are any."""
    order: dict[str, list[str]] = {}
    for row in trials:
        share = row["draw"].get("teacher_auc", math.nan)
        if math.isfinite(share) and row["spelling"] not in order.setdefault(f"{100 * share:.0f} %", []):
            order[f"{100 * share:.0f} %"].append(row["spelling"])
    if not order:
        return []
    told = "; ".join(f"{share} ({', '.join(methods)})" for share, methods in sorted(order.items(), reverse=True))
    return [
        "Of the pairs of a labelled positive and an unlabelled candidate of the same query, a teacher puts the "
        f"positive first in so many (50 % is chance): {told}."
    ]
