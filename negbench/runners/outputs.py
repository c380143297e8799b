"""The files of a grid's results, written as its trials finish."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from rich.console import Group, RenderableType
from rich.text import Text

from negbench.collections.resolve import collection_name
from negbench.config.grid import Grid, Settings
from negbench.evaluation.overlap import drawn_pairs
from negbench.evaluation.shares import Share
from negbench.plan.separate import separate_axes
from negbench.plan.trials import Trial
from negbench.plan.unused import unused_axes, unused_keys
from negbench.report import audited, details, figures, overlap, results, side_by_side, side_by_side_text, table, verdict
from negbench.report.audited import Audited
from negbench.report.details import Detail
from negbench.report.rows import Evidence, Row, rows
from negbench.report.side_by_side import Matrix
from negbench.report.sizes import Sizes
from negbench.runners import by_collection
from negbench.runners.legend import better_untouched, legend, notes, once
from negbench.runners.logs import trial_log
from negbench.runners.schedule import Standing
from negbench.stages.inputs import read_collection
from negbench.store import Store
from negbench.store.leases import Lease
from negbench.tracking import TrialLog
from negbench.types import Int64, Negatives

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Outputs:
    """Result files of a running grid: ``add`` each trial as it finishes, ``write`` the files of all trials so far.

    Of several collections, ``parts`` holds the outputs of each alone, which go to a folder of its name in ``out``.
    ``audits`` are the audited rates that are shown, by default those in ``out``.
    """

    def __init__(
        self,
        grid: Grid,
        trials: Sequence[Trial],
        store: Store,
        out: Path,
        manifest: dict[str, Any],
        audits: Sequence[Audited] | None = None,
    ) -> None:
        self.grid, self.trials, self.store, self.out, self._manifest = grid, trials, store, out, manifest
        self.audits = audited.read(out) if audits is None else audits
        self._alone = by_collection.each(grid, trials)
        self.parts: dict[str, Outputs] = {}
        for name, alone in self._alone.items():
            own = list(alone.trials.values())
            of_part = audited.of_trials(self.audits, own)
            self.parts[name] = Outputs(alone.grid, own, store, out / name, manifest, of_part)
        self._changed: dict[str, None] = {}
        self._records: dict[str, dict[str, Any]] = {}
        self._sizes: dict[tuple[str, str], Sizes] = {}
        self._evidence = Evidence()
        self._shares: dict[str, dict[str, dict[str, Share]]] = {}
        self._drawn: dict[str, Int64] = {}
        self._oddities: dict[str, list[str]] = {}

    def add(self, trial: Trial, failure: str | None) -> None:
        """Read the results of a finished trial from the store; ``failure`` is the error of a failed one."""
        self._records[trial.name] = results.record(trial, self.trials, self.store, failure)
        if failure is None:
            self._evidence = self._evidence.joined(results.evidence([trial], self.store))
            self._measure_sizes(trial)
            self._shares[trial.name] = details.read(trial, self.store)
            self._oddities[trial.name] = [note for stage in trial.stages for note in self.store.notes(stage)]
            if trial.negatives is not None:
                self._drawn[trial.name] = drawn_pairs(self.store.load(Negatives, trial.negatives))
        name = trial.axis_values.get(side_by_side.AXIS)
        if name in self.parts:
            self.parts[name].add(self._alone[name].trials[trial.name], failure)
            self._changed[name] = None

    def _measure_sizes(self, trial: Trial) -> None:
        own = trial.axis_values.get(side_by_side.AXIS, trial.collection_name)
        for name, stage in ((own, trial.evaluation), *trial.elsewhere.items()):
            if (name, stage.split) not in self._sizes:
                collection = read_collection(self.store.path(stage.collection))
                self._sizes[name, stage.split] = Sizes.of(name, collection, stage.split)

    @property
    def sizes(self) -> dict[str, Any]:
        """Sizes of the collections of the trials so far, by name."""
        return {sizes.name: sizes.data() for sizes in self._sizes.values()}

    @property
    def files(self) -> list[Path]:
        """Paths of the files that ``write`` writes, and of the manifest."""
        tables = ("table.md", "table.csv", "by_query.csv", "curves.csv")
        about_negatives = ("false_negatives.csv", "details.csv", "overlap.csv")
        extra = (OUT_OF_DOMAIN, side_by_side_text.FILE, audited.FILE)
        beside = [name for name in extra if (self.out / name).exists()]
        names = ("results.json", *tables, *beside, *about_negatives, "manifest.json")
        return [self.out / name for name in names]

    @property
    def records(self) -> dict[str, dict[str, Any]]:
        """The record of each trial so far, by name, as in results.json."""
        return self._records

    def standings(self) -> list[Standing]:
        """Return the methods of which trials are done, in the order of the trials; of an axis, each of its points."""
        found: dict[str, list[float]] = {}
        measure = self.grid.points[0][1].measures[0]
        for trial in self.done:
            point = "".join(f" {key}={value}" for key, value in trial.axis_values.items())
            found.setdefault(trial.spelling + point, []).append(self._records[trial.name]["metrics"][measure])
        return [Standing(name, measure, sum(means) / len(means), len(means)) for name, means in found.items()]

    @property
    def done(self) -> list[Trial]:
        """The trials so far that did not fail."""
        records = self._records
        return [it for it in self.trials if it.name in records and records[it.name]["status"] == "done"]

    def write(self) -> None:
        """Write the results of the trials so far, each file whole or not at all, one process after another.

        While trials are left, results of more trials than are ready here stay as they are: those of another process,
        or of an earlier run.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        with Lease(self.out / ".results.lease").hold():
            if len(self._records) == len(self.trials) or len(self._records) >= _trials_in(self.out):
                self._write()

    def _write(self) -> None:
        _remove_drafts(self.out)
        ready, done = [trial for trial in self.trials if trial.name in self._records], self.done
        first = self.grid.points[0][1]
        measure = first.measures[0]
        data: dict[str, Any] = {"name": self.grid.name, "trials": [self._records[trial.name] for trial in ready]}
        table_rows = rows(data, measure, first.baseline, first.equivalent_within, self._evidence)
        table_rows = audited.beside(table_rows, self.audits, self.trials)
        data["rows"] = [asdict(row) for row in table_rows]
        points = [settings for _, settings in self.grid.points]
        data["tables"] = []
        for part, some in table.split(table_rows):
            heading, body = table.cells(some, measure, first.baseline)
            data["tables"].append({"title": part, "heading": heading, "body": body})
        collections = dict.fromkeys(collection_name(settings.collection) for settings in points)
        encoders = dict.fromkeys(settings.encoder.spelling for settings in points)
        title = f"{self.grid.name}: {' and '.join(collections)}, {' and '.join(encoders)}"
        data["oddities"] = [
            *self.grid.notes,
            *unused_keys(self.trials),
            *unused_axes(self.trials),
            *once([note for trial in done for note in self._oddities[trial.name]]),
            *results.versions_differ(data["trials"]),
            *self._few_queries(table_rows, measure, first.baseline),
            *better_untouched(table_rows, measure),
            *audited.disagreements(table_rows, data["trials"]),
            *audited.outdated(self.audits, self.trials),
        ]
        sizes = [f"{one}." for one in self._sizes.values()]
        data["notes"] = [*sizes, *notes(data, table_rows, first), *[f"{note}." for note in data["oddities"]]]
        data["settings"] = {
            "title": title,
            "measure": measure,
            "baseline": first.baseline,
            "equivalent_within": first.equivalent_within,
            "methods": len(first.methods),
            "seeds": len(first.seeds),
            "legend": legend(table_rows, first),
            "separate_axes": separate_axes(self.trials),
        }
        data["verdict"] = verdict.answer(table_rows, data["trials"], self._evidence.values, data["settings"])
        matrices = self._matrices(data["trials"], table_rows, first)
        data["side_by_side"] = side_by_side_text.data(matrices, data["settings"], bool(self.parts))
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
        shown = [*data["tables"], *data["side_by_side"]["tables"]]
        if self.parts:
            shown = [*data["side_by_side"]["tables"], *_titled(data["tables"], "All columns")]
        results.write_text(self.out / "table.md", table.markdown(shown, title, data["notes"], data["verdict"]))
        if matrices:
            results.write_text(self.out / side_by_side_text.FILE, side_by_side_text.to_csv(matrices))
        if any(self._evidence.elsewhere.values()):
            by_query = results.out_of_domain(done, self.store, self._evidence.elsewhere)
            results.write_text(self.out / OUT_OF_DOMAIN, by_query)
        results.write_text(self.out / "table.csv", table.to_csv(table_rows, measure))
        versions = {"versions": self._made_with()} if done else {}
        results.write_json(self.out / "manifest.json", self._manifest | versions | {"sizes": self.sizes})

        for name in self._changed:
            self.parts[name].out.mkdir(exist_ok=True)
            self.parts[name].write()
        self._changed.clear()

    def _matrices(self, records: list[dict[str, Any]], found: Sequence[Row], first: Settings) -> list[Matrix]:
        """Return the collections side by side; none where there is one alone."""
        names = dict.fromkeys(trial.axis_values.get(side_by_side.AXIS, trial.collection_name) for trial in self.trials)
        if self.trials and side_by_side.AXIS not in self.trials[0].axis_values and len(names) > 1:
            return []  # an axis of another name changes the collection
        elsewhere: dict[str, dict[str, None]] = {}
        for trial in self.trials:
            own = trial.axis_values.get(side_by_side.AXIS, trial.collection_name)
            elsewhere.setdefault(own, {}).update(dict.fromkeys(trial.elsewhere))
        columns = side_by_side.columns(list(names), elsewhere)
        return side_by_side.matrices(found, records, self._evidence, columns, first) if len(columns) > 1 else []

    def _few_queries(self, found: Sequence[Row], measure: str, baseline: str | None) -> list[str]:
        """Return a sentence for each collection with few queries, with the interval of the baseline or another row."""
        lines = []
        for (name, _), sizes in self._sizes.items():
            own = [row for row in found if row.axes.get(side_by_side.AXIS, name) == name and row.low is not None]
            rows_first = sorted(own, key=lambda row: (row.method != baseline, row.form == "reference"))
            row = rows_first[0] if rows_first else None
            half = None if row is None or row.low is None or row.high is None else (row.high - row.low) / 2
            lines += sizes.warning(measure, None if row is None else row.method, half)
        return lines

    def figures(self, data: dict[str, Any]) -> dict[str, Figure]:
        """Return the figures by name; ``data`` is the content of results.json."""
        curves = {trial.name: trial.sequence.curves(self.store) for trial in self.done if trial.sequence is not None}
        plotted = [Row(**row) for row in data["rows"]], [Detail(**detail) for detail in data["details"]]
        matrices = [Matrix.of(one) for one in data["side_by_side"]["matrices"]]
        return figures.draw(
            plotted[0],
            data["trials"],
            curves,
            data["settings"]["measure"],
            plotted[1],
            matrices,
            data["settings"]["baseline"],
        )

    def recommended(self, data: dict[str, Any]) -> list[Row]:
        """Return the rows that the verdict says to train with; ``data`` is the content of results.json."""
        found = [Row(**row) for row in data["rows"]]
        return verdict.recommended(found, data["trials"], self._evidence.values, data["settings"])

    def _made_with(self) -> dict[str, str]:
        """Return the versions by package that computed the results, comma-separated if there are several."""
        return {
            name: ", ".join(versions) for name, versions in results.all_versions(list(self._records.values())).items()
        }

    def logs(self, with_models: bool) -> list[TrialLog]:
        """Return the MLflow logs of the finished trials."""
        return [trial_log(trial, self._records[trial.name], self.store, with_models) for trial in self.done]


OUT_OF_DOMAIN = "out_of_domain_by_query.csv"
"""File with the first measure by query and trial on further collections."""


def _titled(tables: Sequence[dict[str, Any]], title: str) -> list[dict[str, Any]]:
    return [{**one, "title": f"{title}: {one['title']}" if one["title"] else title} for one in tables]


def _trials_in(out: Path) -> int:
    """Return the number of trials in the results of a folder; 0 where there are none to read."""
    try:
        return len(json.loads((out / "results.json").read_text(encoding="utf-8"))["trials"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0


def _remove_drafts(out: Path) -> None:
    """Remove drafts of result files that killed processes left."""
    for path in out.glob("*.draft"):
        number = path.name.split(".")[-2]
        if not number.isdigit() or not psutil.pid_exists(int(number)):
            path.unlink(missing_ok=True)


def terminal(data: dict[str, Any]) -> Group:
    """Return the tables of results.json for rich, with the legend below the last table.

    Of several collections it is the one table of all; each has its own in its folder.
    """
    settings, beside = data["settings"], data["side_by_side"]
    matrices = []
    for number, one in enumerate(beside["brief"], start=1):
        below = beside["notes"] if number == len(beside["brief"]) else ()
        title = ": ".join(part for part in (settings["title"], one["title"]) if part)
        matrices.append(table.terminal(one["heading"], one["body"], title, below))
    rendered: list[RenderableType] = []
    for number, one in enumerate(data["tables"], start=1):
        below = settings["legend"] if number == len(data["tables"]) else ()
        rendered.append(table.terminal(one["heading"], one["body"], one["title"] or settings["title"], below))
    if beside["folders"]:
        rendered = [Text("all columns of each collection: NAME/table.md in the folder of the results")]
    return Group(
        *[Text(line) for line in data.get("verdict", [])],
        *(matrices if beside["folders"] else []),
        *rendered,
        *([] if beside["folders"] else matrices),
        *[Text(f"note: {note}") for note in data["oddities"]],
    )
