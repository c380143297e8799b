"""A search for a refresh as files that another process reads; nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from negbench import spelling
from negbench.registry import Part, lookup, registered
from negbench.stages.inputs import Embed
from negbench.stages.refresh.full_search import Search
from negbench.store import Stage
from negbench.training.job_files import file_of

FILE = "search.json"


@dataclass(frozen=True, eq=False)
class KnownByKey(Stage):
    """An encoder that made vectors which are stored: a refresh has an encoder of its own, and needs the key alone."""

    its_key: str

    @cached_property
    def key(self) -> str:
        """The encoder's own key."""
        return self.its_key

    def run(self, *_: Any) -> dict[str, float]:
        """Raise AssertionError: it is made already."""
        raise AssertionError("a stage that is known by its key is not made")


def save_search(search: Search, folder: Path) -> None:
    """Write a search into ``folder``: the stages of its draw as JSON, with the folders of what they made.

    Fixed vectors that are mapped from a file stay where they are. Raises ValueError for a part that is not registered.
    """
    stages: dict[str, dict[str, Any]] = {}
    paths: dict[str, str] = {}
    draw = _plain(search.draw, search, stages, paths)
    rest = {
        "draw": draw,
        "stages": stages,
        "paths": paths,
        "limits": dict(search.limits),
        "folder": str(search.folder.absolute()),
        "fixed": {key: file_of(vectors, folder) for key, vectors in search.fixed.items()},
    }
    (folder / FILE).write_text(json.dumps(rest) + "\n", encoding="utf-8")


def load_search(folder: Path) -> Search:
    """Read a search that ``save_search`` wrote."""
    rest = json.loads((folder / FILE).read_text(encoding="utf-8"))
    registered("filter")  # loads packages that bring stages of their own
    kinds = {_name(kind): kind for kind in _subclasses(Stage)}  # type: ignore[type-abstract]
    stages: dict[str, Stage] = {}
    for key, written in rest["stages"].items():  # inputs stand before what is made of them
        values = {name: _value(value, stages) for name, value in written["fields"].items()}
        stages[key] = kinds[written["stage"]](**values)
        if stages[key].key != key:
            raise ValueError(f"the stage {written['stage']} is another one than that which was written")
    paths = {key: Path(path) for key, path in rest["paths"].items()}
    return Search(
        draw=_value(rest["draw"], stages),
        path_of=lambda stage: paths[stage.key],
        limits=rest["limits"],
        folder=Path(rest["folder"]),
        fixed={key: np.load(file, mmap_mode="r", allow_pickle=False) for key, file in rest["fixed"].items()},
    )


def _plain(value: Any, search: Search, stages: dict[str, dict[str, Any]], paths: dict[str, str]) -> Any:
    """Return a field of a stage ready for JSON; the stages in it are added to ``stages`` and ``paths``."""
    if isinstance(value, Stage):
        stage = replace(value, encoder=KnownByKey(value.encoder.key)) if isinstance(value, Embed) else value
        if stage.key not in stages:
            written = {it.name: _plain(getattr(stage, it.name), search, stages, paths) for it in fields(stage)}
            stages[stage.key] = {"stage": _name(type(stage)), "fields": written}
            if not isinstance(stage, KnownByKey):
                paths[stage.key] = str(search.path_of(stage).absolute())
        return {"stage": stage.key}
    if isinstance(value, Part):
        if _part(value.kind, value.spelling) != value:
            raise ValueError(f"another process would take {value.spelling} for something else than {type(value)}")
        return {"kind": value.kind, "part": value.spelling}
    return [_plain(item, search, stages, paths) for item in value] if isinstance(value, tuple) else value


def _value(written: Any, stages: dict[str, Stage]) -> Any:
    """Return what ``_plain`` made ready for JSON."""
    if isinstance(written, dict):
        return _part(written["kind"], written["part"]) if "part" in written else stages[written["stage"]]
    return tuple(_value(item, stages) for item in written) if isinstance(written, list) else written


def _part(kind: str, spelled: str) -> Part:
    name, _ = spelling.parse(spelled)
    base = next(it for it in lookup(kind, name).__mro__ if issubclass(it, Part) and "kind" in vars(it))
    return base.model_validate(spelled)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _subclasses(kind: type[Stage]) -> Iterator[type[Stage]]:
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)
