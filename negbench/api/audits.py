"""Ask people which of given negatives are relevant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from negbench.api.grids import open_store
from negbench.api.result import Result
from negbench.errors import InputError

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import RenderableType

    from negbench.auditing.estimate import Estimate
    from negbench.auditing.run import AuditResult

DESCRIBED = ("negatives", "pairs", "queries", "known_positives", "known_positive_share", "effective_queries")
ESTIMATED = ("rate", "low", "high")


@dataclass(frozen=True, repr=False)
class Audit(Result):
    """A description of negatives by method, and, once a sheet has answers, an estimate of how many are false."""

    wraps: ClassVar[bool] = False
    found: AuditResult

    @property
    def folder(self) -> Path:
        """The folder of the sheet, whether or not it has been written."""
        return self.found.folder

    @property
    def estimate(self) -> Estimate | None:
        """False-negative rates by method, how many labels they rest on, agreement; None without two answers."""
        return self.found.estimate

    @property
    def data(self) -> dict[str, Any]:
        """``methods``, ``folder`` and ``estimate``, None where there is none."""
        from negbench.auditing.output import everything

        return everything(self.found)

    def to_pandas(self) -> DataFrame:
        """Return a row a method: counts, as far as the negatives were read, and rate, low and high of the estimate.

        What is not known is missing (NaN).
        """
        import pandas as pd

        data = self.data
        described = {row["method"]: row for row in data["methods"]}
        estimated = {row["method"]: row for row in (data["estimate"] or {"methods": []})["methods"]}
        rows = [
            {"method": name, **described.get(name, {}), **estimated.get(name, {})}
            for name in {**described, **estimated}
        ]
        columns = ["method", *DESCRIBED, *ESTIMATED]
        return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(ESTIMATED, "float64"))

    def _renderable(self) -> RenderableType:
        """Return the description, the estimate, and what to do next."""
        from rich.console import Group
        from rich.text import Text

        from negbench.auditing.output import parts

        return Group(*(Text(part) if isinstance(part, str) else part for part in parts(self.found)))


def audit(
    negatives: str | PathLike[str] | Sequence[str | PathLike[str]],
    labels: int | Literal[True] | None = None,
    *,
    collection: str | PathLike[str] | None = None,
    width: float | None = None,
    judge: str | None = None,
    serve: bool = False,
    annotator: str | None = None,
    out: str | PathLike[str] | None = None,
    seed: int = 0,
    answers: str | PathLike[str] | None = None,
    export: Literal["label-studio", "argilla"] | None = None,
    store: str | PathLike[str] | None = None,
    show: Callable[[str], None] = print,
) -> Audit:
    """Describe mined negatives, draw a sheet that asks people about some, or estimate from the sheet's answers.

    ``negatives`` are files or folders as sentence-transformers, FlagEmbedding, Tevatron or DPR write them, triples, a
    grid that was run, or a folder that an audit wrote. ``labels`` writes a sheet of so many pairs (True: 200) to
    ``out``, ``audits/NAME`` by default; ``width`` as many as intervals of +- this share need. ``judge``, as a teacher
    in a grid, scores all pairs to guide the draw. ``collection`` brings labels, or is that of a grid's collections
    which is audited, the first by default; ``answers`` is a file of answers; ``export`` writes the sheet for another
    tool into its folder, whose export ``answers`` reads. ``serve`` asks in a browser until it is interrupted: ``show``
    hears the page's address, ``annotator`` is whose answers these are. Raises InputError for what is wrong, before
    anything is written.

    >>> found = negbench.audit("mined.jsonl", labels=20)
    >>> (found.folder / "sheet.csv").exists(), found.estimate is None
    (True, True)
    """
    from negbench.auditing import run as auditing
    from negbench.store.writable import expanded

    if isinstance(negatives, str | PathLike):
        negatives = [negatives]
    if not negatives:
        raise InputError("negatives: expected files or folders, a grid, or a folder that an audit wrote; found none")
    if width is not None and not 0.001 <= width <= 0.5:
        raise InputError(f"width: expected from 0.001 to 0.5, found {width}")
    if export not in (None, "label-studio", "argilla"):
        raise InputError(f"export: expected label-studio or argilla, found {export!r}")
    if seed < 0:
        raise InputError(f"seed: expected at least 0, found {seed}")
    asked = auditing.AuditRequest(
        negatives=tuple(map(Path, negatives)),
        collection=None if collection is None else fspath(collection),
        labels=auditing.LABELS if labels is True else labels,
        width=width,
        serve=serve,
        out=None if out is None else expanded(out, "--out"),
        seed=seed,
        answers=None if answers is None else Path(answers),
        judge=judge,
        annotator=annotator,
        export=export,
    )
    return Audit(auditing.run(asked, open_store(store), show))
