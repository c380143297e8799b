"""Public methods say what they do; one that overrides another may leave it to the method it overrides."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cached_property
from types import FunctionType
from typing import Any

import negbench

MODULES = [importlib.import_module(found.name) for found in pkgutil.walk_packages(negbench.__path__, "negbench.")]


def classes() -> Iterator[type]:
    for module in MODULES:
        for value in list(vars(module).values()):
            if inspect.isclass(value) and value.__module__ == module.__name__ and not value.__name__.startswith("_"):
                yield value


def methods(cls: type) -> Iterator[tuple[str, FunctionType]]:
    """The public methods and properties that a class writes itself, and overrides no others by."""
    for name, value in list(vars(cls).items()):
        function = _function(value)
        public = not name.startswith("_") and function is not None and function.__module__ == cls.__module__
        if public and not any(name in vars(base) for base in cls.__mro__[1:]):
            yield name, function


def _function(value: Any) -> Any:
    if isinstance(value, property):
        return value.fget
    if isinstance(value, cached_property):
        return value.func
    value = getattr(value, "__func__", value)  # of a class method or a static method
    return value if isinstance(value, FunctionType) else None


def test_a_public_method_that_overrides_nothing_has_a_docstring() -> None:
    found = [(cls, name, method) for cls in classes() for name, method in methods(cls)]
    assert len(found) > 200
    assert not [f"{cls.__qualname__}.{name}" for cls, name, method in found if not inspect.getdoc(method)]
