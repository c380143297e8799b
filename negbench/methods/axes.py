"""The axes of a method, each declared once: its name, what it takes, where it rests, and a sentence for people."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from negbench.batching import Batching
from negbench.batching.random import Random
from negbench.detectors import Detector
from negbench.filters import Filter
from negbench.labels import LabelRule
from negbench.losses import Loss
from negbench.losses.infonce import InfoNCE
from negbench.methods.sources import Candidates, read_candidates
from negbench.mining import Fill
from negbench.numbers import not_booleans
from negbench.refresh import Refresh
from negbench.refresh.never import Never
from negbench.registry import Part
from negbench.samplers import Sampler
from negbench.writers import NegativeGenerator


def _current_fill(value: object) -> object:
    """Return the value of ``fill`` for its former name."""
    return "below-filters" if value == "unchecked" else value


class Axes(BaseModel):
    """A point on the axes. A field is an axis, and its default where the axis rests."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    _numbers = not_booleans

    candidates: Annotated[Candidates, BeforeValidator(read_candidates)] = Field(
        default=None,
        description="The retriever whose pool is drawn from, or a list of several that share a row's negatives, each "
        "with a pool of its own; null for in-batch negatives alone.",
    )
    labels: tuple[LabelRule, ...] = Field(
        default=(), description="Rules that change what counts as a positive, applied in order."
    )
    filters: tuple[Filter, ...] = Field(
        default=(), description="Filters that take candidates out of the pool, applied in order."
    )
    selection: Sampler | None = Field(default=None, description="The sampler that draws negatives from the pool.")
    written: NegativeGenerator | None = Field(
        default=None, description="Who writes negatives that take the place of mined ones; null for nobody."
    )
    refresh: Refresh = Field(
        default_factory=Never, description="When candidates are searched again with the encoder as it then stands."
    )
    trains: Literal["both", "queries"] = Field(
        default="both",
        description="`both` sides, or `queries` alone, over documents as the starting weights have them.",
    )
    batching: Batching = Field(default_factory=Random, description="Which rows share a batch.")
    detector: Detector | None = Field(
        default=None, description="Which pairs are taken for mismatched as training goes on; null for none."
    )
    loss: Loss = Field(default_factory=InfoNCE, description="What is asked of the scores.")
    negatives: int | None = Field(
        default=None, ge=0, le=1000, description="Negatives a row; null for the grid's number."
    )
    growing: bool = Field(default=False, description="Begin with one negative a row and end with all.")
    draws: Literal["each-epoch", "once"] = Field(
        default="each-epoch",
        description="`each-epoch` draws and fills anew for every epoch, `once` for the whole training; a refresh "
        "before each step draws anew at each.",
    )
    fill: Annotated[Fill, BeforeValidator(_current_fill)] = Field(
        default="corpus",
        description="Where a shortfall is made up: at random from the `corpus`, or from candidates below the filters' "
        "reach, `below-filters`; `drop` leaves the rows of a query with too few negatives out of the training.",
    )

    def part_paths(self) -> dict[str, Part]:
        """Return the parts by path: ``AXIS.NAME`` on axes that take several, ``AXIS`` on the others.

        Of several candidate sources none has a path.
        """
        several: dict[str, Part] = {f"{axis}.{part.name}": part for axis in LISTS for part in getattr(self, axis)}
        return several | {axis: part for axis in PARTS if isinstance(part := getattr(self, axis), Part)}

    def at_rest(self, axis: str) -> bool:
        """Return whether the axis is at its default."""
        default = Axes.model_fields[axis].get_default(call_default_factory=True, validated_data={})
        return bool(getattr(self, axis) == default)


def part_kind(axis: str) -> str | None:
    """Return the kind of part that an axis takes, one or a list; None for plain values."""
    annotation: Any = Axes.model_fields[axis].annotation
    kinds = (it for it in (annotation, *get_args(annotation)) if isinstance(it, type) and issubclass(it, Part))
    return next((kind.kind for kind in kinds), None)


AXES: Final = tuple(Axes.model_fields)
"""Every axis, in the order in which a method is read."""
LISTS: Final = tuple(axis for axis in AXES if get_origin(Axes.model_fields[axis].annotation) is tuple)
"""The axes that take a list of parts, each found under ``AXIS.NAME``."""
PARTS: Final = tuple(axis for axis in AXES if part_kind(axis) and axis not in LISTS)
"""The axes that take one part, or null."""
VALUES: Final = tuple(axis for axis in AXES if axis not in (*LISTS, *PARTS))
"""The axes that take a plain value."""
