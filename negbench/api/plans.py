"""What a run would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

from negbench.api.grids import GridLike, as_grid, open_store
from negbench.api.result import Result

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import RenderableType

    from negbench.plan.graph import Planned
    from negbench.plan.trials import Trial


@dataclass(frozen=True, repr=False)
class Plan(Result):
    """The trials of a grid, and their stages, each once, inputs first."""

    trials: Sequence[Trial]
    stages: Sequence[Planned]
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
        """``collections``, ``trials`` with the keys of their stages, and ``stages``."""
        return {
            "collections": self.collections,
            "notes": list(self.notes),
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

    def __rich__(self) -> RenderableType:
        """Return the stages as a table, and how many are left to run."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(title=f"{len(self.trials)} trials, {len(self.stages)} stages", title_justify="left")
        for name in ("stage", "digest", "used by", "stored"):
            table.add_column(name, overflow="fold")
        for planned in self.stages:
            names = [trial.name for trial in self.trials if planned.stage in trial.stages]
            users = names[0] if len(names) == 1 else f"{len(names)} trials"
            cells = (
                planned.stage.label,
                planned.stage.key[:10],
                users,
                "yes" if planned.stored else "damaged" if planned.damaged else "no",
            )
            table.add_row(*map(Text, cells))
        missing = sum(not planned.stored for planned in self.stages)
        lines = [f"note: {note}" for note in self.notes]
        for one in self.collections if len(self.collections) > 1 else []:
            beside = f"; out of domain: {', '.join(one['out_of_domain'])}" if one["out_of_domain"] else ""
            lines.append(f"collection {one['name']}: {one['collection']}, {one['split']}{beside}")
        lines.append(f"{len(self.stages) - missing} stages are stored, {missing} are left to run")
        return Group(table, Text("\n".join(lines)))


def plan_run(grid: GridLike, *, store: str | PathLike[str] | None = None, yes: bool = False) -> Plan:
    """Return the trials and stages of a grid: which are stored, which are shared. Runs nothing.

    Raises InputError where the grid is wrong, its collection or encoder is not there, or it has more than 10,000 trials
    without ``yes``.

    >>> plan = negbench.plan_run("garden.yaml")
    >>> [trial.name for trial in plan.trials]
    ['bm25-search', 'start', 'untouched', 'in-batch seed 0', 'bm25 seed 0']
    """
    from negbench.plan.graph import planned
    from negbench.plan.size import check_size
    from negbench.plan.trials import trials

    config = as_grid(grid).config
    check_size(config, yes)
    all_trials = trials(config)
    return Plan(all_trials, planned(all_trials, open_store(store)), config.notes)
