"""Names of files and folders for rows and collections, one for each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from negbench.collections.resolve import names_apart
from negbench.errors import InputError
from negbench.plan.trials import Trial
from negbench.stages.evaluation.quality import EvaluateEncoder, EvaluateRetriever
from negbench.stages.inputs import LoadCollection


def evaluated_on(trials: Sequence[Trial]) -> list[LoadCollection]:
    """Return the collections that trials are evaluated on, their own and further ones."""
    ends = [stage for trial in trials for stage in (trial.evaluation, *trial.extra_evaluations.values())]
    return list(dict.fromkeys(it.collection for it in ends if isinstance(it, EvaluateEncoder | EvaluateRetriever)))


def collection_files(collections: Iterable[LoadCollection]) -> dict[str, str]:
    """Return the name for files of each collection, by the collection's digest.

    Raises InputError where two collections have one name.
    """
    sources = {it.fingerprint: it.source for it in collections}
    names = names_apart([*sources.values()])
    check_apart(names, "collections")
    return dict(zip(sources, map(file_name, names), strict=True))


def check_apart(names: Sequence[str], what: str) -> None:
    """Raise InputError where two of ``names``, which stand for different things, make one name of a file."""
    by_file: dict[str, str] = {}
    for name in names:
        if (file := file_name(name)) in by_file:
            raise InputError(
                f"{what} {by_file[file]} and {name}: files of both would be called {file}; rename one of them"
            )
        by_file[file] = name


MOST_LETTERS = 150
"""Most letters of a file's name: disks take 255, and drafts and suffixes need some."""


def file_name(text: str) -> str:
    """Return a name for a file: letters, digits and ``._=-``, all others as one ``_``; the end of a long one is cut.

    A digest stands for what is cut.
    """
    name = re.sub(r"[^A-Za-z0-9._=-]+", "_", text).strip("_.") or "_"
    if len(name) <= MOST_LETTERS:
        return name
    return f"{name[: MOST_LETTERS - 13]}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
