"""What a pluggable part is: a frozen pydantic model in a file of its own, found by its kind and name.

A kind (sampler, filter, retriever, ...) is an abstract subclass of ``Part`` in the ``__init__`` of its package; a
part is a subclass of that with a ``name``. Dropping a file into the package's folder, or declaring an entry point
in the group ``negbench.parts``, registers it; no list has to be edited.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import pkgutil
from functools import cache
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, model_validator

from negbench import spelling
from negbench.numbers import not_booleans

KINDS = {
    "collection": "negbench.collections",
    "retriever": "negbench.retrieval",
    "filter": "negbench.filters",
    "sampler": "negbench.samplers",
    "label-rule": "negbench.labels",
    "repair": "negbench.repair",
    "batching": "negbench.batching",
    "refresh": "negbench.refresh",
    "detector": "negbench.detectors",
    "writer": "negbench.writers",
    "loss": "negbench.losses",
    "teacher": "negbench.teachers",
    "estimator": "negbench.evaluation.false_negatives",
    "format": "negbench.export",
}
"""The kinds of part and the package that holds each kind's files."""

_REGISTRY: dict[str, dict[str, type[Part]]] = {kind: {} for kind in KINDS}
_EARLIER: dict[str, dict[str, dict[int, type[Part]]]] = {kind: {} for kind in KINDS}


class Part(BaseModel):
    """A pluggable component. Its fields are its parameters; equal parts have equal spellings.

    ``version`` must change whenever the same parameters give other output: stored results are found by it.
    Anything spelled like a part validates as one: ``Sampler.model_validate("simans(a=0.5)")``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    _numbers = not_booleans

    kind: ClassVar[str] = ""
    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    incidental: ClassVar[frozenset[str]] = frozenset()
    """Parameters that change how the output is computed but not the output: they are left out of the identity."""
    superseded: ClassVar[bool] = False
    """Whether this is an earlier version of the part of the same name, which is spelled ``name(version=N)``."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        if "name" not in cls.__dict__:
            return
        if cls.superseded:
            holder = _EARLIER[cls.kind].setdefault(cls.name, {}).setdefault(cls.version, cls)
        else:
            holder = _REGISTRY[cls.kind].setdefault(cls.name, cls)
        if (holder.__module__, holder.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"two {cls.kind}s are named {cls.name!r}: {holder.__module__} and {cls.__module__}")

    @model_validator(mode="wrap")
    @classmethod
    def _from_spelling(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, cls):
            return value
        if cls.name:
            return handler(value)
        name, parameters = spelling.parse(value)
        part = _of_version(lookup(cls.kind, name), parameters)
        for field in parameters:
            if field not in part.model_fields:
                raise ValueError(unknown(f"parameter of {name}", field, list(part.model_fields)))
        checked = part.model_validate(parameters)
        assert isinstance(checked, cls)
        return checked

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters by name, defaults included."""
        return {field: getattr(self, field) for field in type(self).model_fields}

    @property
    def written(self) -> dict[str, Any]:
        """The parameters in a spelling's brackets: those not at their default, and a superseded version."""
        defaults = {
            field: info.get_default(call_default_factory=True, validated_data={})
            for field, info in type(self).model_fields.items()
        }
        version = {"version": self.version} if self.superseded else {}
        return version | {field: value for field, value in self.parameters.items() if value != defaults[field]}

    @property
    def spelling(self) -> str:
        """The canonical short form: the name and the parameters that are not at their default."""
        return spelling.write(self.name, self.written)

    def identity(self) -> dict[str, Any]:
        """Return what the part's output depends on, ready for JSON: kind, name, version, parameters."""
        return {
            "kind": self.kind,
            "name": self.name,
            "version": self.version,
            "parameters": {
                field: _plain(value) for field, value in self.parameters.items() if field not in self.incidental
            },
        }

    @classmethod
    def summary(cls) -> str:
        """Return the first paragraph of the docstring as one line."""
        return " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())

    def __str__(self) -> str:
        return self.spelling


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return value.identity()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


@cache
def _discover(kind: str) -> None:
    package = importlib.import_module(KINDS[kind])
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    _load_packages()


@cache
def _load_packages() -> None:
    """Load the parts that installed packages bring, which may be of several kinds; loading registers them."""
    for entry in importlib.metadata.entry_points(group="negbench.parts"):
        entry.load()


def registered(kind: str) -> dict[str, type[Part]]:
    """Return every part of ``kind`` by name, in alphabetical order."""
    _discover(kind)
    return dict(sorted(_REGISTRY[kind].items()))


def lookup(kind: str, name: str) -> type[Part]:
    """Return the part of ``kind`` called ``name``; ValueError names the nearest ones."""
    _discover(kind)
    if name in _REGISTRY[kind]:
        return _REGISTRY[kind][name]
    raise ValueError(unknown(kind, name, list(_REGISTRY[kind])))


def earlier(kind: str, name: str) -> dict[int, type[Part]]:
    """Return the earlier versions that are kept of the part of ``kind`` called ``name``, by number."""
    _discover(kind)
    return dict(sorted(_EARLIER[kind].get(name, {}).items()))


def _of_version(part: type[Part], parameters: dict[str, Any]) -> type[Part]:
    """Take ``version`` out of the parameters of a part that keeps earlier ones, and return the part that it means."""
    versions = {**earlier(part.kind, part.name), part.version: part}
    if len(versions) == 1 or "version" not in parameters:
        return part
    version = parameters.pop("version")
    if type(version) is not int or version not in versions:
        known = " and ".join(map(str, sorted(versions)))
        raise ValueError(f"version: {part.name} has versions {known}, found {version!r}; give one of these")
    return versions[version]


OTHER_TOOLS: dict[str, str] = {
    "lr": "learning_rate",
    "bs": "batch_size",
    "per_device_train_batch_size": "batch_size",
    "epoch": "epochs",
    "num_epochs": "epochs",
    "num_train_epochs": "epochs",
    "max_seq_length": "max_length",
    "model_name_or_path": "model",
}
"""Keys of grids by what other tools call them."""


def unknown(what: str, name: str, known: list[str]) -> str:
    """Return the sentence for a name that does not exist: what another tool's name means, the nearest ones, or all."""
    meant = OTHER_TOOLS.get(name)
    near = [meant] if meant in known else difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
    return f"no {what} is called {name!r}; {hint}"
