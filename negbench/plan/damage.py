"""Work on stored artifacts that is done again where it failed on a damaged one."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from typing import TypeVar

from negbench.errors import InputError
from negbench.stages.inputs import forget
from negbench.store import Stage, StageLockedError, Store

T = TypeVar("T")


def repeat_if_damaged(store: Store, stages: Iterable[Stage], work: Callable[[], T]) -> T:
    """Return what ``work`` returns.

    Where it raises an error, every byte of the artifacts of ``stages`` is compared with its digests. If any are
    damaged, they are set aside and ``work``, which makes what is missing or says that it is, is called once more.
    """
    needed = list(dict.fromkeys(stages))
    store.set_aside_damaged(needed)
    try:
        return work()
    except (StageLockedError, InputError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        there = [stage for stage in needed if store.has(stage)]
        if not store.set_aside_damaged(there, whole=True):
            raise
    forget()
    return work()
