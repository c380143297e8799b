"""Content of a trial's MLflow run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLog:
    """Content of the MLflow run of one finished trial.

    ``key`` is the digest that identifies the trial and ``name`` the name of its run. ``parameters`` are flat
    with dotted names; ``metrics`` are final values by name as in the results (values that are not finite are
    left out); ``curves`` are (optimizer step, value) pairs by name, and should not share a name with a final
    metric. ``collection`` with its digest and ``profile`` (sizes of its splits) becomes the run's training
    dataset. ``artifacts`` are small files to attach, under their own names.

    ``period`` is the start and end of the trial, ``system`` holds (time, load by name) samples of the machine; times
    are in seconds since 1970. ``model`` is the folder of the trained encoder and ``card`` its model card.
    """

    key: str
    name: str
    parameters: dict[str, str | int | float | bool | None]
    metrics: dict[str, float]
    curves: dict[str, list[tuple[int, float]]]
    tags: dict[str, str]
    collection: str
    collection_digest: str
    profile: dict[str, int]
    artifacts: tuple[Path, ...] = ()
    period: tuple[float, float] | None = None
    system: tuple[tuple[float, dict[str, float]], ...] = ()
    model: Path | None = None
    card: str = ""
