"""Write the results of a grid that has run once more from the store, with audits that came since."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from negbench.auditing import of_grid
from negbench.config.grid import Grid
from negbench.errors import InputError
from negbench.plan.trials import Trial
from negbench.report import audited
from negbench.report.audited import Audited
from negbench.runners import models
from negbench.runners.outputs import Outputs
from negbench.store import Store


def join_audits(grid: Grid, trials: Sequence[Trial], store: Store, out: Path, folders: Sequence[Path]) -> None:
    """Add the rates that the audits in ``folders`` found to tables, ``results.json`` and model cards in ``out``.

    Earlier audited rates stay, but for those of the same negatives. Raises InputError as ``of_grid.rates`` and
    ``rewrite`` do.
    """
    found = audited.joined(audited.read(out), of_grid.rates(folders, trials, grid.name, store), trials)
    outputs = rewrite(grid, trials, store, out, found)
    audited.write(out, found)
    models.renew_cards(outputs.done, outputs.records, store, out, found)


def rewrite(grid: Grid, trials: Sequence[Trial], store: Store, out: Path, audits: Sequence[Audited]) -> Outputs:
    """Write tables and ``results.json`` in ``out`` again, with the audited rates; trains nothing. Return them.

    The manifest stays as it was. Raises InputError without results in ``out``, and where a stage is no longer stored.
    """
    try:
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
        before = json.loads((out / "results.json").read_text(encoding="utf-8"))["trials"]
    except FileNotFoundError as error:
        raise InputError(f"{out}: no {Path(error.filename).name}; run the grid first with `negbench run`") from error
    failures = {trial["name"]: trial.get("error") for trial in before}
    shown = [trial for trial in trials if trial.name in failures]
    for trial in shown:
        if failures[trial.name] is None and (missing := [it for it in trial.stages if not store.has(it)]):
            raise InputError(
                f"{grid.name}: the results of {trial.name} are not stored any more (missing stage: "
                f"{missing[0].label}); run the grid again with `negbench run`"
            )
    outputs = Outputs(grid, trials, store, out, manifest, audits)
    for trial in shown:
        outputs.add(trial, failures[trial.name])
    outputs.write()
    return outputs
