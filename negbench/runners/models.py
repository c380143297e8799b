"""Trained encoders in the folder of results: the best one by dev, or one a row, each with a model card."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from negbench.errors import InputError
from negbench.plan.separate import separate_axes
from negbench.plan.trials import START, Trial
from negbench.report import audited, references
from negbench.report.audited import Audited
from negbench.report.card import Choice, card, intervals
from negbench.report.rows import Row
from negbench.runners import local
from negbench.runners.file_names import check_apart, collection_files, file_name
from negbench.runners.schedule import Progress
from negbench.stages.evaluation.quality import EvaluateEncoder
from negbench.stages.inputs import read_collection
from negbench.store import Store

Which = Literal["best", "all", "none"]
DEV = "dev"
ORIGIN = "negbench.json"
"""File in a model's folder with the digest of its training."""
EXPECTED_SECONDS = 1.0
"""Initial estimate of the seconds of an evaluation on dev."""


@dataclass(frozen=True)
class Kept:
    """Folders of encoders, and sentences on what they are."""

    folders: tuple[Path, ...]
    notes: tuple[str, ...]


def keep(
    which: Which,
    trials: Sequence[Trial],
    records: Mapping[str, dict[str, Any]],
    store: Store,
    out: Path,
    report: Callable[[Progress], None],
    audits: Sequence[Audited] = (),
    recommended: Sequence[Row] = (),
) -> Kept:
    """Copy encoders of the finished ``trials`` to ``out``, as plain folders of sentence-transformers with cards.

    ``best`` copies the first seed of the row with the highest first measure on dev, in the mean over seeds, to
    ``best/``; where trials are of several collections, to a folder of ``best/`` for each. ``all`` also copies the first
    seed of each row to ``models/ROW/``. ``records`` are those of results.json, and ``recommended`` the rows that the
    verdict says to train with: a note says where ``best/`` holds another one, and where a reference is better. A folder
    that holds the same training is left as it is but for its card; other folders there are not touched.
    """
    trained = [trial for trial in trials if trial.training is not None]
    if which == "none" or not trained:
        return Kept((), ())
    folders: list[Path] = []
    notes: list[str] = []
    if which == "all":
        for place, seeds in _places_of_rows(trained, out).items():
            folders.append(place)
            _copy(seeds[0], _card(seeds[0], records, None, store, audits, trials), store, place)
    for place, same in _places_of_best(trials, out).items():
        try:
            chosen, choice = best(same, store, report)
        except InputError as error:
            notes.append(f"no {place.relative_to(out)}/: {error}; --models all keeps an encoder of each row")
            continue
        _copy(chosen, _card(chosen, records, choice, store, audits, trials), store, place)
        folders.append(place)
        worse = references.of_row(_seeds(chosen, trials), trials, records, store).sentence
        reasons = [choice.sentence, f"it has {worse}" if worse else "", _other_in_verdict(chosen, same, recommended)]
        notes.append(f"{place} holds {chosen.name}: {'; '.join(reason for reason in reasons if reason)}")
    return Kept(tuple(folders), tuple(notes))


def renew_cards(
    trials: Sequence[Trial],
    records: Mapping[str, dict[str, Any]],
    store: Store,
    out: Path,
    audits: Sequence[Audited],
) -> None:
    """Write the cards of the encoders that ``keep`` copied to ``out`` again, with the audited rates."""
    trained = [trial for trial in trials if trial.training is not None]
    for place, seeds in _places_of_rows(trained, out).items():
        if _holds(place, _origin(seeds[0])):
            _write_card(place, _card(seeds[0], records, None, store, audits, trials))
    for place, same in _places_of_best(trials, out).items():
        if any(_holds(place, _origin(trial)) for trial in same):
            try:
                chosen, choice = best(same, store, lambda _: None)
            except InputError:  # the row in the folder was chosen when there was no other
                continue
            if _holds(place, _origin(chosen)):
                _write_card(place, _card(chosen, records, choice, store, audits, trials))


def check_free(which: Which, trials: Sequence[Trial], out: Path) -> None:
    """Raise InputError where a folder that ``keep`` would write to holds something else: before the run, not after."""
    trained = [trial for trial in trials if trial.training is not None]
    if which == "none" or not trained:
        return
    if which == "all":
        check_apart([name for name, _ in _by_row(trained)], "rows")
    for place in [*_places_of_best(trials, out), *(_places_of_rows(trained, out) if which == "all" else ())]:
        _check_ours(place)


def _check_ours(place: Path) -> None:
    if place.exists() and not (place / ORIGIN).is_file():
        raise InputError(f"{place}: holds other files; move them, or give another --out")


def _places_of_best(trials: Sequence[Trial], out: Path) -> dict[Path, list[Trial]]:
    """Return where the best encoder of each collection goes, and the trials on it."""
    collections = _by_collection(trials)
    names = collection_files(trial.evaluation.collection for trial in trials)
    return {
        out / "best" if len(collections) == 1 else out / "best" / names[digest]: same
        for digest, same in collections.items()
        if any(trial.training is not None for trial in same)
    }


def _by_collection(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    """Return the trials by the digest of the collection that they are evaluated on."""
    collections: dict[str, list[Trial]] = {}
    for trial in trials:
        collections.setdefault(trial.evaluation.collection.fingerprint, []).append(trial)
    return collections


def _places_of_rows(trained: Sequence[Trial], out: Path) -> dict[Path, list[Trial]]:
    return {out / "models" / file_name(name): seeds for (name, _), seeds in _by_row(trained).items()}


def best(trials: Sequence[Trial], store: Store, report: Callable[[Progress], None]) -> tuple[Trial, Choice]:
    """Return the first seed of the best row, and the values by which it was chosen.

    Raises InputError where there are several rows and no split ``dev``: the test split must not choose.
    """
    measure = trials[0].settings.measures[0]
    rows = _by_row([trial for trial in trials if trial.training is not None])
    if len(rows) == 1:
        (seeds,) = rows.values()
        return seeds[0], Choice(measure, None, {})
    if DEV not in read_collection(store.path(trials[0].evaluation.collection)).qrels:
        raise InputError("the collection has no split dev to choose the best row by; give --models all or none")
    starts = _by_row([trial for trial in trials if trial.method == START])
    on_dev = _on_dev([trial for seeds in (*starts.values(), *rows.values()) for trial in seeds], measure, store, report)

    def mean(seeds: Sequence[Trial]) -> float:
        return sum(on_dev[trial.name] for trial in seeds) / len(seeds)

    values = {name: mean(seeds) for (name, _), seeds in rows.items()}
    top = max(values, key=lambda name: values[name])
    first = next(seeds[0] for (name, _), seeds in rows.items() if name == top)
    start = next((seeds for seeds in starts.values() if seeds[0].axis_values == first.axis_values), None)
    return first, Choice(measure, DEV, values, None if start is None else mean(start))


def _by_row(trials: Sequence[Trial]) -> dict[tuple[str, str], list[Trial]]:
    """Return the trials by row of the table, its seeds in order; the second key tells collections apart."""
    rows: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        name = trial.spelling + "".join(f" {key}={value}" for key, value in trial.axis_values.items())
        rows.setdefault((name, trial.evaluation.collection.fingerprint), []).append(trial)
    return rows


def _on_dev(
    trials: Sequence[Trial], measure: str, store: Store, report: Callable[[Progress], None]
) -> dict[str, float]:
    """Return the first measure on dev by trial; the vectors of the documents are there from the evaluation.

    ``report`` is called before each encoder that is not evaluated on dev yet.
    """

    def read(folder: Path) -> float:
        return float(json.loads((folder / "metrics.json").read_text())[measure])

    stages = {trial.name: _dev_stage(trial, measure) for trial in trials}
    missing = [name for name, stage in stages.items() if not store.has(stage)]
    values: dict[str, float] = {}
    begun = time.monotonic()
    for name in [*missing, *(name for name in stages if name not in missing)]:
        if (done := len(values)) < len(missing):
            each = (time.monotonic() - begun) / done if done else EXPECTED_SECONDS
            label = f"{name}: evaluate on {DEV}, to choose the best row"
            report(Progress(done=done, total=len(missing), label=label, seconds_left=each * (len(missing) - done)))
        values[name] = local.make(stages[name], store, lambda _: None, read)
    return values


def _dev_stage(trial: Trial, measure: str) -> EvaluateEncoder:
    stage = trial.evaluation
    assert isinstance(stage, EvaluateEncoder)
    if stage.split == DEV:
        return stage
    return replace(stage, queries=replace(stage.queries, split=DEV), split=DEV, measures=(measure,))


def _card(
    trial: Trial,
    records: Mapping[str, dict[str, Any]],
    choice: Choice | None,
    store: Store,
    audits: Sequence[Audited],
    trials: Sequence[Trial],
) -> str:
    by_people = audited.of_trial(audits, trial, [it for it in trials if it.training is not None])
    beside = references.of_row(_seeds(trial, trials), trials, records, store)
    return card(trial, records[trial.name], intervals(trial, store), choice, by_people, beside)


def _seeds(trial: Trial, trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials of the same row of the table."""
    return next(seeds for seeds in _by_row(trials).values() if any(it is trial for it in seeds))


def _other_in_verdict(chosen: Trial, same: Sequence[Trial], recommended: Sequence[Row]) -> str:
    """Say why the verdict names another row of the chosen one's start than the ``chosen`` one, where it does.

    ``same`` are the trials on its collection.
    """
    here = separate_axes(same)
    rows = {(it.spelling, json.dumps(it.axis_values)): it for it in same}
    for row in recommended:
        named = rows.get((row.method, json.dumps(row.axes)))
        if named is None or any(row.axes[axis] != chosen.axis_values[axis] for axis in here):
            continue  # of another collection, or another start
        if (row.method, row.axes) != (chosen.spelling, chosen.axis_values):
            split = chosen.settings.split
            return (
                f"the verdict names {row.label} instead, since it goes by {split}: it takes the row that is highest "
                f"there, or the cheapest of those about as good, while {DEV} alone chooses this folder"
            )
    return ""


def _copy(trial: Trial, text: str, store: Store, folder: Path) -> None:
    """Copy the encoder, whole or not at all, and write its card, ``text``.

    A copy, since a program that goes on training in the folder would change the store through a link. Its files get the
    mode of new ones, since safetensors lets only their owner read weights.
    """
    training, origin = trial.training, _origin(trial)
    assert training is not None
    if not _holds(folder, origin):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
            draft = Path(scratch) / folder.name
            shutil.copytree(store.path(training) / "model", draft, copy_function=shutil.copyfile)
            (draft / ORIGIN).write_text(json.dumps(origin, indent=1) + "\n", encoding="utf-8")
            _check_ours(folder)
            shutil.rmtree(folder, ignore_errors=True)
            draft.replace(folder)
    _write_card(folder, text)


def _write_card(folder: Path, text: str) -> None:
    (folder / "README.md").write_text(text, encoding="utf-8")


def _origin(trial: Trial) -> dict[str, str]:
    return {"training": "" if trial.training is None else trial.training.key, "trial": trial.name}


def _holds(folder: Path, origin: dict[str, str]) -> bool:
    path = folder / ORIGIN
    return path.is_file() and json.loads(path.read_text(encoding="utf-8")) == origin
