"""What a grid changes in a method: from an override's key to fields of its parts, and back to the shortest spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from negbench import registry
from negbench.methods.axes import AXES, LISTS, PARTS, VALUES
from negbench.methods.sources import CandidateSources

if TYPE_CHECKING:
    from negbench.methods import Method

KEYS = (*AXES, "phases")
"""What a grid may set of a method by name: the axes, or the phases that take their place."""


def override(method: Method, overrides: dict[str, Any]) -> Method:
    """Return the method with axes and parameters changed."""
    if "stages" in overrides:
        if "phases" in overrides:
            raise ValueError("phases and stages are one key; give phases")
        overrides = {**overrides, "phases": overrides["stages"]}
        del overrides["stages"]
    axes = {key: overrides.pop(key) for key in KEYS if key in overrides}
    if axes:  # before the rest, so that paths can reach into the new parts
        method = replace(method, axes)
    changed: dict[str, dict[str, Any]] = {}  # by part, then all at once: some must change together
    places = {key: _locate(method, key) for key in overrides}
    for key in sorted(places, key=lambda key: -len(places[key])):  # what names one field has the last word
        for path, field in places[key]:
            changed.setdefault(path, {})[field] = overrides[key]
    return _with_parts(method, changed)


def _with_parts(method: Method, changed: dict[str, dict[str, Any]]) -> Method:
    """Return the method with fields of its parts changed, by the part's path."""
    made = {
        path: type(part).model_validate({**part.parameters, **changed[path]})
        for path, part in method.part_paths().items()
        if path in changed
    }
    axes: dict[str, Any] = {path: part for path, part in made.items() if "." not in path}
    for axis in {path.partition(".")[0] for path in made if "." in path}:
        axes[axis] = tuple(made.get(f"{axis}.{rule.name}", rule) for rule in getattr(method, axis))
    return replace(method, axes) if axes else method


def replace(method: Method, changes: dict[str, Any]) -> Method:
    """Return the method with fields of its own changed, validated anew."""
    fields = {field: getattr(method, field) for field in type(method).model_fields}
    return type(method).model_validate({**fields, **changes})


def _locate(method: Method, key: str) -> list[tuple[str, str]]:
    """Return (path of the part, field) for an override's key; several for a name that moves several fields."""
    paths = method.part_paths()
    targets = method.parameters.get(key, key)
    fields = [target.rpartition(".")[::2] for target in ([targets] if isinstance(targets, str) else targets)]
    fields = [(path, field) for path, field in fields if path in paths and field in type(paths[path]).model_fields]
    if fields:
        return fields
    # not so where the parts that an alias leads to have been replaced: then the bare name counts
    owners = [path for path, part in paths.items() if key in type(part).model_fields]
    if len(owners) == 1:
        return [(owners[0], key)]
    if owners:
        choices = ", ".join(f"{path}.{key}" for path in sorted(owners))
        raise ValueError(f"{method.name} has several parameters called {key}: say which of {choices}")
    bare = [field for part in paths.values() for field in type(part).model_fields]
    raise ValueError(registry.unknown(f"parameter of {method.name}", key, sorted({*bare, *KEYS})))


def differences(base: Method, method: Method) -> dict[str, Any]:
    """Return the overrides that turn ``base`` into ``method``, under the shortest key that ``resolve`` takes."""
    changed: dict[str, Any] = {
        name: getattr(method, name) for name in (*VALUES, "phases") if getattr(method, name) != getattr(base, name)
    }
    replaced = [
        axis
        for axis in LISTS
        if [rule.name for rule in getattr(base, axis)] != [rule.name for rule in getattr(method, axis)]
    ]
    changed |= {axis: list(getattr(method, axis)) for axis in replaced}
    before, after = base.part_paths(), method.part_paths()
    for axis in PARTS:
        value = getattr(method, axis)
        if axis not in after and value != getattr(base, axis):
            changed[axis] = list(value.sources) if isinstance(value, CandidateSources) else value
    for path, part in after.items():
        if path.partition(".")[0] in replaced:
            continue
        old = before.get(path)
        if old is None or old.name != part.name:
            changed[path] = part
            continue
        for field, value in part.parameters.items():
            if value != getattr(old, field):
                changed[shortest_key(method, path, field)] = value
    return _together(method, changed)


def _together(method: Method, changed: dict[str, Any]) -> dict[str, Any]:
    """Return the overrides with one key for fields that a name of the method's moves together, where all have moved."""
    for name in method.parameters:
        try:
            keys = [shortest_key(method, *place) for place in _locate(method, name)]
        except ValueError:  # the parts that the name leads to are gone
            continue
        if len(keys) > 1 and all(key in changed and changed[key] == changed[keys[0]] for key in keys):
            changed = {name if key == keys[0] else key: it for key, it in changed.items() if key not in keys[1:]}
    return changed


def shortest_key(method: Method, path: str, field: str) -> str:
    """Return the shortest key by which a grid sets ``field`` of the part at ``path``: ``a``, else ``selection.a``."""
    for key in (field, *method.parameters):
        if key in KEYS:  # an axis: a wrapper's own loss is loss.loss
            continue
        try:
            if _locate(method, key) == [(path, field)]:
                return key
        except ValueError:
            continue
    return f"{path}.{field}"
