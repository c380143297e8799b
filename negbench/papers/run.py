"""Reproduce papers: run what their statements need, decide, and write the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from negbench.errors import InputError
from negbench.papers import files, measured, page, paired, published, record, scripts, table
from negbench.papers.files import Folder
from negbench.papers.rows import EvaluationRow, GridRow, ScriptRow, Source, sources
from negbench.papers.samples import Sample
from negbench.papers.statements import Value
from negbench.papers.verdicts import Finding, decide
from negbench.plan.trials import Trial, trials
from negbench.registry import unknown
from negbench.report import foreign, results
from negbench.runners import grid as runner
from negbench.runners import schedule
from negbench.runners.evaluate import evaluated, searcher
from negbench.store import Store

FOLDER = Path("experiments/papers")
Report = Callable[[schedule.Progress], None]


@dataclass(frozen=True)
class Reproduced:
    """What reproducing papers left: their records, and lines on what is worse than before, failed, or could not run."""

    records: list[dict[str, Any]] = field(default_factory=list)
    worse: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def folders(name: str) -> list[Path]:
    """Return the folders that a name stands for: ``all``, a folder, or a paper of ``experiments/papers`` here."""
    if (Path(name) / "expect.yaml").is_file():
        return [Path(name)]
    known = sorted(path.parent for path in FOLDER.glob("*/expect.yaml"))
    if name == "all" and known:
        return known
    if (FOLDER / name).is_dir() and name != "all":
        return [FOLDER / name]
    if not known:
        raise InputError(
            f"paper {name}: there is no {FOLDER} here; run it in a checkout of negbench, or give a folder that holds "
            "paper.yaml and expect.yaml"
        )
    raise InputError(unknown("paper", name, ["all", *(path.name for path in known)]))


def reproduce(
    name: str, only: Sequence[str], out: Path, store: Store, command: Sequence[str], report: Report
) -> Reproduced:
    """Reproduce one paper or all, and write ``out``.

    ``only`` are names of statements, or patterns with ``*``; a statement that needs what is not here is run where it
    is named in full. Raises InputError before anything runs for mistakes in files, with ``all`` only where every paper
    has one, and where files of others would be written over. What a paper misses, such as a collection, leaves its
    results as they are, and the others go on.
    """
    outcome = Reproduced()
    found = _read(folders(name), outcome)
    every = [statement for folder, _ in found for statement in folder.expect.statements]
    for pattern in only:
        if not outcome.errors and not any(fnmatchcase(statement, pattern) for statement in every):
            raise InputError(f"--only {pattern}: {unknown('statement', pattern, every)}")
    foreign.check_page(out / "README.md", page.MARKER)
    for folder, _ in found:
        foreign.check_verdicts(out / folder.name)
    for folder, rows in found:
        if only and not any(_is_selected(it, only) for it in folder.expect.statements):
            continue
        try:
            run = _Run(folder=folder, sources=rows, store=store, out=out / folder.name, report=report)
            _paper(run, only, command, outcome)
        except InputError as error:
            outcome.errors.extend(_lines(folder.path, error))
    if outcome.records:
        results.write_text(out / "README.md", page.write(out))
    return outcome


def _read(paths: Sequence[Path], outcome: Reproduced) -> list[tuple[Folder, dict[str, Source]]]:
    """Read the folders; those that cannot be read are errors of ``outcome``, and raise InputError if none can."""
    found = []
    for path in paths:
        try:
            folder = files.read(path)
            rows = sources(folder)
            paired.check(folder, rows)
            found.append((folder, rows))
        except InputError as error:
            if len(paths) == 1:
                raise
            outcome.errors.extend(_lines(path, error))
    if not found:
        raise InputError(*outcome.errors)
    return found


def _lines(path: Path, error: InputError) -> list[str]:
    return [f"{path.name}: {line}" for line in str(error).splitlines()]


def _is_selected(statement: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatchcase(statement, pattern) for pattern in only)


def _paper(run: _Run, only: Sequence[str], command: Sequence[str], outcome: Reproduced) -> None:
    folder, out = run.folder, run.out
    wanted = [
        name
        for name, claim in folder.expect.statements.items()
        if (_is_selected(name, only) if claim.needs is None else name in only)
    ]
    earlier, defined = record.before(out), record.definitions(folder, run.sources)
    run.check(wanted)
    new = run.samples(wanted)
    text = table.write({**earlier.still_valid(defined), **new})
    samples = table.read(text)
    made = record.make(folder, findings(folder, samples, run.missing), samples, defined, earlier)
    out.mkdir(parents=True, exist_ok=True)
    manifest = results.manifest(command, "", (), "")
    results.write_json(out / "manifest.json", {k: it for k, it in manifest.items() if it not in ("", [])})
    results.write_text(out / "by_query.csv", text)
    results.write_json(out / record.NAME, made)
    published.write(out, made)
    outcome.records.append(made)
    outcome.worse.extend(record.worse(made, earlier))
    outcome.failures.extend(run.failures)


def findings(folder: Folder, samples: Mapping[Value, Sample], missing: Callable[[str], str]) -> dict[str, Finding]:
    """Decide the statements whose values are there; ``missing`` says why another has none."""
    ready = {name: it for name, it in folder.statements.items() if all(value in samples for value in it.values)}
    left = {name: claim for name, claim in folder.expect.statements.items() if name not in ready}
    later = sum(folder.statements[name].kind != "value" and claim.needs is None for name, claim in left.items())
    try:
        found = decide(ready, samples, later)
    except InputError as error:
        raise InputError(f"{folder.path / 'expect.yaml'}: {error}") from error
    for name, claim in left.items():
        why = f"needs {claim.needs}" if claim.needs else missing(name)
        found[name] = Finding(verdict="not run here", why=why)
    return found


@dataclass(kw_only=True)
class _Run:
    """Runs what statements of one paper need; ``failures`` has a line for each trial that failed."""

    folder: Folder
    sources: Mapping[str, Source]
    store: Store
    out: Path
    report: Report
    failures: list[str] = field(default_factory=list)
    _grids: dict[str, list[Trial]] = field(default_factory=dict)
    _failed: dict[str, str] = field(default_factory=dict)

    @cached_property
    def _queries(self) -> paired.Queries:
        return paired.Queries(self.store)

    def check(self, statements: Sequence[str]) -> None:
        """Refuse encoders of evaluations that do not exist, which would otherwise be found after hours of grids."""
        rows = {value.row for name in statements for value in self.folder.statements[name].values}
        for name, spec in self.folder.expect.evaluations.items():
            if name in rows:
                with self._said_of(name):
                    searcher(spec.encoder)

    @contextmanager
    def _said_of(self, evaluation: str) -> Iterator[None]:
        """Name the evaluation that an InputError is about."""
        try:
            yield
        except InputError as error:
            raise InputError(f"{self.folder.where('evaluations', evaluation)}: {error}") from error

    def samples(self, statements: Sequence[str]) -> dict[Value, Sample]:
        """Return the values of ``statements``; those of failed trials are left out."""
        values = dict.fromkeys(it for name in statements for it in self.folder.statements[name].values)
        found: dict[Value, Sample] = {}
        for value in values:
            source = self.sources[value.row]
            if isinstance(source, GridRow):
                sample = self._of_grid(source, value)
            elif isinstance(source, EvaluationRow):
                sample = self._of_evaluation(source, value, list(values))
            else:
                sample = self._of_script(source, value)
            if sample is not None:
                found[value] = sample
        return found

    def missing(self, statement: str) -> str:
        """Return why a statement has no verdict that needs nothing special."""
        rows = {value.row for value in self.folder.statements[statement].values}
        failed = [self._failed[row] for row in rows if row in self._failed]
        return f"failed: {failed[0]}" if failed else "not asked for so far (--only)"

    def _of_grid(self, source: GridRow, value: Value) -> Sample | None:
        every = self._run_grid(source.grid)
        of_row = [
            trial
            for trial in every
            if trial.spelling == source.spelling
            and tuple((key, str(it)) for key, it in trial.axis_values.items()) == source.point
        ]
        for trial in of_row:
            if trial.name in self._failed:
                self._failed[value.row] = self._failed[trial.name]
                return None
        return measured.Trials(of_row, every, self._queries).sample(value.measure)

    def _run_grid(self, name: str) -> list[Trial]:
        """Run a grid as far as it is not stored, and write its results into a folder of its name."""
        if name not in self._grids:
            grid = self.folder.grids[name]
            self._grids[name] = every = trials(grid)
            command = (
                "negbench",
                "run",
                str(self.folder.path / (self.folder.expect.grids or {}).get(name, "grid.yaml")),
            )
            finished = runner.run(grid, every, self.store, self.out / name, command, self.report)
            self._failed |= finished.failed
            self.failures += [f"{self.folder.name}: {trial}: {why}" for trial, why in finished.failed.items()]
        return self._grids[name]

    def _of_evaluation(self, source: EvaluationRow, value: Value, values: Sequence[Value]) -> Sample:
        spec = self.folder.expect.evaluations[source.name]
        measures = tuple(dict.fromkeys(it.measure for it in values if it.row == value.row))

        def report(label: str) -> None:
            self.report(schedule.Progress(done=0, total=1, label=f"{source.name}: {label}"))

        with self._said_of(source.name):
            stage = evaluated(
                spec.encoder,
                spec.collection,
                spec.split,
                spec.given_precision,
                spec.max_length,
                measures,
                report,
                self.store,
            )
        return measured.of_evaluation(stage, value.measure, self._queries)

    def _of_script(self, source: ScriptRow, value: Value) -> Sample:
        path = self.folder.path / self.folder.expect.scripts[source.script].file
        stage = scripts.RunScript(path, path.read_text(encoding="utf-8"))
        if not self.store.has(stage):
            self.report(schedule.Progress(done=0, total=1, label=stage.label))
        written = scripts.read(path, (self.store.ensure(stage) / "values.csv").read_text(encoding="utf-8"))
        if value not in written:
            raise InputError(f"{path}: wrote no {value.measure} of {value.row}; let the script write it")
        return written[value]
