"""Names of the collections that a grid evaluates on: each has one place in tables."""

from __future__ import annotations

from collections.abc import Sequence

from negbench.collections.resolve import collection_name
from negbench.config.grid import Settings
from negbench.errors import InputError


def check_names(settings: Settings, reserved: Sequence[str]) -> None:
    """Raise InputError where two collections have one name, or one that is ``reserved``: one would hide the other.

    The grid's own collection may be among the further ones.
    """
    others = [it.collection for it in settings.evaluate_on]
    own = [] if settings.collection in others else [collection_name(settings.collection)]
    names = [*reserved, *own, *map(collection_name, others)] if others else []
    if twice := [name for position, name in enumerate(names) if name in names[:position]]:
        raise InputError(
            f"evaluate_on: two results would be called {twice[0]}; give a folder another name, or evaluate on it in a "
            "grid of its own"
        )
