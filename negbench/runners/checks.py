"""Checks of teachers and writers before the first stage of a run, so that errors come before hours of work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields

from negbench.chat import Chat, MissingKeyError
from negbench.chat.answers import Answers
from negbench.config.grid import Grid
from negbench.plan.trials import Trial
from negbench.store import Stage, Store
from negbench.teachers import Teacher
from negbench.writers import NegativeGenerator

Model = Teacher | NegativeGenerator


def check_parts(grid: Grid, trials: Sequence[Trial], store: Store, report: Callable[[str], None]) -> None:
    """Load, and let go, the teachers and writers that missing stages ask; a server's key must be there.

    No key is needed where all answers of the stages are kept. A teacher or judge that the grid names and no stage asks
    is loaded, too, unless it is behind a server. ``report`` is called with a label before each. Raises InputError, with
    the file, line and key of the grid.
    """
    asked: dict[tuple[str, str], tuple[Model, str, list[Stage]]] = {}
    all_stages = {stage.key: (stage, trial.spelling) for trial in trials for stage in trial.stages}
    for stage, row in all_stages.values():
        for part in _models(stage):
            _, _, missing = asked.setdefault((part.kind, part.spelling), (part, row, []))
            if not store.has(stage):
                missing.append(stage)
    checks = [one for one in asked.values() if one[2]]
    if checks or not all(store.has(stage) for stage, _ in all_stages.values()):
        checks += [(part, "", []) for part in _unused(grid, set(asked))]
    for part, row, missing in checks:
        report(f"check {part.kind} {part.spelling}")
        with grid.located(part.spelling, row):
            try:
                part.check_usable()
            except MissingKeyError:
                if not Answers.default().is_file() or not Answers().have([stage.key for stage in missing]):
                    raise


def keep_answered(stages: Sequence[Stage]) -> None:
    """Note of stages that were made now that the answers of language models behind them are kept."""
    if keys := [stage.key for stage in stages if any(map(_is_remote, _models(stage)))]:
        Answers().keep_stages(keys)


def _models(stage: Stage) -> list[Model]:
    values = [getattr(stage, field.name) for field in fields(stage)]
    return [it for it in values if isinstance(it, Teacher | NegativeGenerator)]


def _is_remote(part: Model) -> bool:
    return any(isinstance(member, Chat) for member in (part.members if isinstance(part, Teacher) else (part,)))


def _unused(grid: Grid, asked: set[tuple[str, str]]) -> list[Teacher]:
    """Return the teachers and judges that the grid names, that no stage asks, and that lie in files."""
    named = {it.spelling: it for _, settings in grid.points for it in (settings.teacher, settings.judge) if it}
    return [it for it in named.values() if (it.kind, it.spelling) not in asked and not _is_remote(it)]
