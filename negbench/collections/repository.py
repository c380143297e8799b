"""A dataset repository of the Hugging Face hub, or a local copy of one: its folder, its configs and their splits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from negbench.errors import InputError


def snapshot(repository: str, revision: str | None, whole: bool) -> Path | None:
    """Return the local folder of a repository, named after its commit, or None where there is none.

    ``whole`` downloads every file, else only the card is.
    """
    found = commit(repository, revision)
    return _download(repository, found.name, None) if found is not None and whole else found


@cache
def commit(repository: str, revision: str | None) -> Path | None:
    """Return the folder of a revision's commit, from the hub or, if it is unreachable, from the local cache.

    Cached per process, so that the loaded commit is the fingerprinted one even if a branch moves on.
    """
    return _download(repository, revision, "README.md")


def _download(repository: str, revision: str | None, files: str | None) -> Path | None:
    import huggingface_hub
    from huggingface_hub import errors

    try:
        folder = huggingface_hub.snapshot_download(
            repository, repo_type="dataset", revision=revision, allow_patterns=files
        )
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.LocalEntryNotFoundError):
        return None
    except Exception as error:  # its class depends on the HTTP library of this release
        raise InputError(
            f"hub:{repository}: cannot be reached: {_first_line(error)}; check the id and the network"
        ) from error
    return Path(folder)


def missing(repository: str, revision: str | None) -> InputError:
    """Return the error of a repository that does not exist."""
    return InputError(
        f"hub:{repository}: no such dataset (revision {revision or 'main'}) on the hub or in its local "
        "cache; check the id, the network and HF_TOKEN"
    )


def files(folder: Path) -> Iterator[Path]:
    """Yield every file below the folder except hidden ones, which hold no tables."""
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def configs(folder: Path, place: str) -> list[str]:
    """Return the names of a repository's configs; errors begin with ``place``."""
    import datasets

    with reading(f"{place}: cannot read its configs"):
        return list(datasets.get_dataset_config_names(str(folder)))


def splits(folder: Path, config: str, place: str) -> dict[str, Any]:
    """Return the tables of a config by split; errors begin with ``place``."""
    import datasets

    with reading(f"{place}: cannot read {config}"):
        # Streaming reads the files where they lie: no second copy in a cache that could go stale.
        return dict(datasets.load_dataset(str(folder), config, streaming=True))


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn errors of ``datasets`` into InputError."""
    import datasets.exceptions

    try:
        yield
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{what}: {_first_line(error)}; check its files") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
