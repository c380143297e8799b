"""What a run would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

from negbench.api.advice import duration
from negbench.api.grids import GridLike, as_grid, open_store
from negbench.api.result import Result
from negbench.api.stores import amount

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import RenderableType

    from negbench.plan.graph import Planned
    from negbench.plan.trials import Trial
    from negbench.runners.forecast import Forecast


@dataclass(frozen=True, repr=False)
class Plan(Result):
    """The trials of a grid, and their stages, each once, inputs first."""

    trials: Sequence[Trial]
    stages: Sequence[Planned]
    forecast: Forecast
    notes: Sequence[str] = ()

    @property
    def collections(self) -> list[dict[str, Any]]:
        """The collections side by side: name, spelling, split, and the further ones that are out of domain."""
        found = {}
        for trial in self.trials:
            name = trial.axis_values.get("collection", trial.collection_name)
            found[name] = {
                "name": name,
                "collection": trial.settings.collection.spelling,
                "split": trial.settings.split,
                "out_of_domain": list(trial.elsewhere),
            }
        return list(found.values())

    @property
    def data(self) -> dict[str, Any]:
        """``collections``, ``forecast``, ``trials`` with the keys of their stages, and ``stages``."""
        return {
            "collections": self.collections,
            "notes": list(self.notes),
            "forecast": {
                "trainings": self.forecast.all_trainings,
                "trainings_left": self.forecast.trainings,
                "steps": self.forecast.all_steps,
                "steps_left": self.forecast.steps,
                "steps_a_training": self.forecast.steps_a_training and list(self.forecast.steps_a_training),
                "seconds_left": self.forecast.seconds,
                "untimed": self.forecast.untimed,
                "tokens_a_second": self.forecast.speeds,
                "model_bytes": self.forecast.model_bytes,
                "vector_bytes": self.forecast.vector_bytes,
                "sizes": {sizes.name: sizes.data() for sizes in self.forecast.sizes},
            },
            "trials": [{"name": trial.name, "stages": [stage.key for stage in trial.stages]} for trial in self.trials],
            "stages": [
                {
                    "key": planned.stage.key,
                    "kind": planned.stage.kind,
                    "label": planned.stage.label,
                    "trials": planned.users,
                    "stored": planned.stored,
                    "damaged": planned.damaged,
                }
                for planned in self.stages
            ],
        }

    def to_pandas(self) -> DataFrame:
        """Return a row a stage: key, kind, label, how many trials need it, whether it is stored or damaged."""
        import pandas as pd

        return pd.DataFrame(self.data["stages"])

    def _renderable(self) -> RenderableType:
        """Return the stages by what they do, the sizes of the collections, and what is left to run."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(title=f"{len(self.trials)} trials, {len(self.stages)} stages", title_justify="left")
        groups = self.forecast.groups
        has_damage = any(group.damaged for group in groups)
        for name in ("stage", "stages", "stored", *(["damaged"] if has_damage else []), "left", "time left"):
            table.add_column(name, justify="left" if name == "stage" else "right")
        for group in groups:
            counts = [group.stages, group.stored, *([group.damaged] if has_damage else []), group.left]
            known = "unknown" if group.seconds is None else duration(group.seconds / 60)
            table.add_row(*map(Text, (group.name, *map(str, counts), known if group.left else "")))
        missing = sum(not planned.stored for planned in self.stages)
        lines = [f"note: {note}" for note in self.notes]
        for one in self.collections if len(self.collections) > 1 else []:
            beside = f"; out of domain: {', '.join(one['out_of_domain'])}" if one["out_of_domain"] else ""
            lines.append(f"collection {one['name']}: {one['collection']}, {one['split']}{beside}")
        lines += [str(sizes) for sizes in self.forecast.sizes]
        lines += [f"{name}: its size is known once it has been downloaded" for name in self.forecast.unread]
        lines += self._left() if missing else []
        lines.append(f"{len(self.stages) - missing} stages are stored, {missing} are left to run")
        return Group(table, Text("\n".join(lines)))

    def _left(self) -> list[str]:
        """Return sentences on the trainings, the time and the disk space of what is left."""
        left = self.forecast
        trained = f"trainings left: {left.trainings} of {left.all_trainings}"
        if left.steps is not None and left.all_steps is not None:
            trained += f", about {left.steps:,} of {left.all_steps:,} steps"
        if left.steps_a_training is not None:
            fewest, most = left.steps_a_training
            trained += f", {fewest:,} a training" if fewest == most else f", {fewest:,} to {most:,} a training"
        time = (
            "time left: unknown, since no training on these collections with these encoders is stored yet, and "
            "`negbench init` has not timed the encoders on them here"
        )
        if left.seconds is not None:
            about = "very roughly" if left.speeds else "about"
            time = f"time left: {about} {duration(left.seconds / 60)}, by {_basis(left)}"
            time += f"; without {', '.join(left.untimed)}, of which none is stored" if left.untimed else ""
        sizes = [
            f"{'an unknown size' if size is None else amount(size)} of {what}"
            for what, size in (("encoders", left.model_bytes), ("vectors", left.vector_bytes))
        ]
        return [trained, time, f"disk: up to about {' and '.join(sizes)} will be written to the store"]


def _basis(left: Forecast) -> str:
    """Return what the time left rests on."""
    speeds = [f"{speed:,.0f} tokens a second of {name}" for name, speed in left.speeds.items()]
    measured = f"{' and '.join(speeds)}, which `negbench init` or `advise` measured on this machine"
    if not speeds:
        return "stored stages of these collections and encoders"
    return measured if not left.by_stored else f"stored stages and {measured}"


def plan_run(grid: GridLike, *, store: str | PathLike[str] | None = None, yes: bool = False) -> Plan:
    """Return the trials and stages of a grid, which of them are stored, and what the others take. Runs nothing.

    Raises InputError where the grid is wrong, its collection or encoder is not there, a split is missing, or it has
    more than 10,000 trials without ``yes``.

    >>> plan = negbench.plan_run("garden.yaml")
    >>> [trial.name for trial in plan.trials]
    ['bm25-search', 'start', 'untouched', 'in-batch seed 0', 'bm25 seed 0']
    """
    from negbench.plan.graph import planned
    from negbench.plan.size import check_size
    from negbench.plan.trials import trials
    from negbench.plan.unused import unused_axes, unused_keys
    from negbench.runners.forecast import forecast

    config, opened = as_grid(grid).config, open_store(store)
    check_size(config, yes)
    all_trials = trials(config)
    stages = planned(all_trials, opened)
    notes = [*config.notes, *unused_keys(all_trials), *unused_axes(all_trials)]
    return Plan(all_trials, stages, forecast(config, all_trials, stages, opened), notes)
