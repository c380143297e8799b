"""The stages that provide what a method's parts require."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from negbench.errors import InputError
from negbench.losses import Loss
from negbench.methods import Method
from negbench.requirements import PoolPart, merged, providers
from negbench.stages.mining.pool_features import FeatureStage
from negbench.stages.training.targets import TargetStage

S = TypeVar("S", FeatureStage, TargetStage)


def stages_for(method: Method, parts: Iterable[PoolPart | Loss], base: type[S], planned: Any) -> tuple[S, ...]:
    """Return the stages of class ``base`` that provide what ``parts`` require, in the order of the registry.

    ``planned`` is what ``base.provide`` is given. What training itself provides is left out. Raises InputError where
    nothing is registered for a requirement, or where requirements do not go together.
    """
    known = providers(base)
    required = [(part, it) for part in parts for it in part.requires if not it.in_training]
    for part, requirement in required:
        if type(requirement) not in known:
            raise InputError(
                f"method {method.spelling}: {part.kind} {part.name} requires {type(requirement).__name__}, which no "
                "stage provides; install the package that brings one, and its entry point in negbench.parts"
            )
    try:
        wanted = {type(it): it for it in merged(requirement for _, requirement in required)}
        return tuple(stage.provide(wanted[kind], planned) for kind, stage in known.items() if kind in wanted)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"method {method.spelling}: {error}") from error
