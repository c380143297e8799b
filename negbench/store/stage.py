"""Stages: pieces of work whose output is stored under a digest of all that it depends on."""

from __future__ import annotations

import hashlib
import json
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from negbench.registry import Part

FORMAT = 2
"""Version of how artifacts are laid out in their folders. It is part of every key: those of another are not found."""


@dataclass(frozen=True, eq=False)
class Stage(ABC):
    """A piece of work; subclasses are frozen dataclasses whose fields are parameters and input stages."""

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    on_gpu: ClassVar[bool] = False
    """Whether it computes with an encoder, so that a GPU is worth asking for."""

    @cached_property
    def key(self) -> str:
        """The digest under which the output is stored: 32 hexadecimal digits."""
        text = json.dumps({"format": FORMAT, **self.identity()}, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def identity(self) -> dict[str, Any]:
        """Return all that the output depends on, ready for JSON; an input stage is there by its key."""
        parameters = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        return {"stage": self.kind, "version": self.version, "parameters": parameters}

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The stages among the fields, in order."""
        stages: list[Stage] = []
        for field in fields(self):
            value = getattr(self, field.name)
            stages += [item for item in (value if isinstance(value, tuple) else (value,)) if isinstance(item, Stage)]
        return tuple(stages)

    @property
    def label(self) -> str:
        """A few words that a progress bar shows for the stage."""
        return self.kind

    @property
    def effort(self) -> str:
        """A name that stages of about the same duration share."""
        return self.kind

    def parts(self, path_of: Callable[[Stage], Path]) -> tuple[Stage, ...]:
        """Return the stages that make this one piece by piece, which are known once its inputs are stored.

        None as a rule. Each needs what this stage needs, and is stored until this stage is: then they are removed.
        """
        return ()

    @property
    def part_of(self) -> Stage | None:
        """The stage whose ``parts`` this one is among; None as a rule."""
        return None

    @abstractmethod
    def run(self, path_of: Callable[[Stage], Path], out: Path) -> dict[str, float]:
        """Write the artifact into the empty folder ``out``; ``path_of(stage)`` is the folder of an input.

        Returns the cost: amounts by name (documents encoded, steps, ...); the store adds the seconds.
        """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stage) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _plain(value: Any) -> Any:
    if isinstance(value, Stage):
        return {"key": value.key}
    if isinstance(value, Part):
        return value.identity()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def ancestors(stage: Stage) -> list[Stage]:
    """Return ``stage`` and everything it rests on, inputs first, each once."""
    seen: dict[str, Stage] = {}

    def visit(current: Stage) -> None:
        if current.key not in seen:
            for parent in current.inputs:
                visit(parent)
            seen[current.key] = current

    visit(stage)
    return list(seen.values())


def scratch(out: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a temporary folder beside the draft ``out`` of a stage, which goes with the draft of a killed process."""
    return tempfile.TemporaryDirectory(dir=out.parent, prefix=f"{out.name}.")
