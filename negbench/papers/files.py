"""The folder of a paper: ``paper.yaml``, ``expect.yaml`` and its grids, read and checked before anything runs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from negbench.config import grid
from negbench.config.document import Document
from negbench.config.grid import Grid
from negbench.errors import InputError, plainly
from negbench.papers.statements import NAME, WORDS, Statement, parse
from negbench.registry import unknown

T = TypeVar("T", bound=BaseModel)

Text = Annotated[str, BeforeValidator(lambda text: " ".join(text.split()) if isinstance(text, str) else text)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reported(_Strict):
    """Numbers that the authors report: in which table or section, on what data, by which measure, row by row."""

    place: Text
    data: Text
    metric: Text
    values: dict[str, float | str] = Field(default={}, description="Numbers by row, as the paper prints them.")
    claim: Text = Field(default="", description="What the authors say in words, where it is more than the numbers.")


class Paper(_Strict):
    """``paper.yaml``: the citation, and what its authors report."""

    title: Text
    authors: Text
    year: int
    arxiv: str | None = None
    url: str | None = None
    reported: dict[str, Reported]

    @model_validator(mode="after")
    def _can_be_found(self) -> Paper:
        if self.arxiv is None and self.url is None:
            raise ValueError("give arxiv, as in '2007.00808' in quotes, or url")
        if self.arxiv is not None and not re.fullmatch(r"\d{4}\.\d{4,5}", self.arxiv):
            raise ValueError(f"arxiv: expected an id such as '2007.00808', found {self.arxiv!r}")
        if self.url is not None and not self.url.startswith("https://"):
            raise ValueError(f"url: expected an address that starts with https://, found {self.url!r}")
        return self

    @property
    def link(self) -> str:
        """Where the paper is."""
        return self.url or f"https://arxiv.org/abs/{self.arxiv}"


class Row(_Strict):
    """A method of a grid, at a point of its axes."""

    method: str
    grid: str | None = None
    at: dict[str, Any] = {}


class Evaluation(_Strict):
    """An encoder, or ``bm25``, on a collection, without training."""

    encoder: str
    collection: str
    split: str = "test"
    max_length: int | None = Field(default=None, ge=8)
    precision: str = "float32"

    @property
    def given_precision(self) -> str:
        """The precision; ``auto`` for BM25, which takes none, unless the file names one."""
        lexical = self.encoder.partition("(")[0] == "bm25" and "precision" not in self.model_fields_set
        return "auto" if lexical else self.precision


class Script(_Strict):
    """A Python file beside ``expect.yaml`` that writes values of ``rows`` to the CSV file that it is given."""

    file: str = Field(pattern=r"^[\w-]+\.py$")
    rows: tuple[str, ...] = Field(min_length=1)


class Claim(_Strict):
    """A statement with the claim that it answers, what differs from the paper here, and whether that is fair."""

    says: Text
    answers: str = Field(description="Key of ``reported`` in paper.yaml.")
    differs: Text = Field(description="What differs here: data, model, batch; 'nothing' where nothing does.")
    fair: bool = Field(description="Whether the claim can be expected to hold in spite of what differs.")
    needs: Text | None = Field(default=None, description="What is missing here: hub ids, hardware, hours.")
    note: Text | None = Field(default=None, description="What was found out about the verdict.")


def _as_row(row: Any) -> Any:
    return {"method": row} if isinstance(row, str) else row


class Expect(_Strict):
    """``expect.yaml``: where rows come from, and what must hold of them."""

    grids: dict[str, str] | None = Field(
        default=None, description="Grid files by name; grid.yaml where it is left out."
    )
    rows: dict[str, Annotated[Row, BeforeValidator(_as_row)]] = {}
    evaluations: dict[str, Evaluation] = {}
    scripts: dict[str, Script] = {}
    statements: dict[str, Claim] = Field(min_length=1)


@dataclass(frozen=True)
class Folder:
    """A paper's folder, read and checked."""

    path: Path
    paper: Paper
    expect: Expect
    document: Document
    grids: Mapping[str, Grid]

    @property
    def name(self) -> str:
        """The folder's name, by which the paper goes."""
        return self.path.name

    @cached_property
    def digest(self) -> str:
        """SHA-256 of ``expect.yaml``, by which a change after the run is seen."""
        return hashlib.sha256(self.document.text.encode()).hexdigest()

    @cached_property
    def statements(self) -> dict[str, Statement]:
        """The parsed statements by name. Raises InputError with file, line and key."""
        made = {}
        for name, claim in self.expect.statements.items():
            try:
                made[name] = parse(claim.says)
            except ValueError as error:
                raise InputError(f"{self.where('statements', name, 'says')}: {error}") from error
        return made

    def where(self, *location: str) -> str:
        """Return file, line and key of a place in ``expect.yaml``."""
        return self.document.where(location)


def read(path: Path) -> Folder:
    """Read a paper's folder. Raises InputError with file, line and key for anything that is wrong in its files."""
    for name in ("paper.yaml", "expect.yaml"):
        if not (path / name).is_file():
            raise InputError(f"{path}: no {name} there; give the folder of a paper, with paper.yaml and expect.yaml")
    paper, _ = _model(Paper, path / "paper.yaml", "title, authors, year, arxiv, reported")
    expect, document = _model(Expect, path / "expect.yaml", "rows, statements")
    files = expect.grids
    if files is None:
        files = {"grid": "grid.yaml"} if (path / "grid.yaml").is_file() else {}
    grids = {name: _grid(path, document, name, file) for name, file in files.items()}
    folder = Folder(path, paper, expect, document, grids)
    _check(folder)
    return folder


def _grid(path: Path, document: Document, name: str, file: str) -> Grid:
    if not (path / file).is_file():
        raise InputError(f"{document.where(['grids', name])}: no file {file} in {path}; add it")
    return grid.read(path / file)


def _model(kind: type[T], path: Path, keys: str) -> tuple[T, Document]:
    document = Document.read(path, path.name, keys)
    try:
        return kind.model_validate(document.data), document
    except ValidationError as error:
        raise InputError(*(_explain(document, kind, issue) for issue in error.errors())) from error


def _explain(document: Document, kind: type[BaseModel], issue: Any) -> str:
    location = [step for step in issue["loc"] if not str(step).startswith("function-") and step not in ("float", "str")]
    message = plainly(issue)
    if issue["type"] == "extra_forbidden" and len(location) == 1:
        message = unknown("key", str(location[0]), list(kind.model_fields))
    elif issue["type"] == "missing":
        message += "; add it"
    return f"{document.where(location) if location else f'{document.path}:1'}: {message}"


def _check(folder: Folder) -> None:
    """Refuse names that are used twice or cannot be written in a statement, and references to what is not there."""
    expect = folder.expect
    owners = dict.fromkeys(expect.rows, "rows")
    for kind, names in (("evaluations", expect.evaluations), *(("scripts", it.rows) for it in expect.scripts.values())):
        for name in names:
            if name in owners:
                raise InputError(f"{folder.where(kind)}: {name} is a name under {owners[name]}, too; rename one")
            owners[name] = kind
    for name, kind in owners.items():
        if not NAME.fullmatch(name) or name in WORDS:
            raise InputError(f"{folder.where(kind, name)}: {name!r} cannot be a name in a statement; use letters and -")
    for script, spec in expect.scripts.items():
        if not (folder.path / spec.file).is_file():
            raise InputError(f"{folder.where('scripts', script, 'file')}: no file {spec.file} in {folder.path}; add it")
    run_here = {
        it.row for name, claim in expect.statements.items() if not claim.needs for it in folder.statements[name].values
    }
    for name, claim in expect.statements.items():
        if claim.needs and all(it.row in run_here for it in folder.statements[name].values):
            raise InputError(
                f"{folder.where('statements', name, 'needs')}: other statements run all of its rows here; give it rows "
                "of its own, on what it needs"
            )
        if claim.answers not in folder.paper.reported:
            problem = unknown("entry of reported in paper.yaml", claim.answers, list(folder.paper.reported))
            raise InputError(f"{folder.where('statements', name, 'answers')}: {problem}")
        if folder.statements[name].kind == "value" and not claim.fair:
            raise InputError(
                f"{folder.where('statements', name, 'fair')}: a value with a tolerance is expected only where data and "
                "model are the same, which is fair; otherwise state a direction, or 'between'"
            )
