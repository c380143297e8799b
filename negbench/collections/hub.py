"""A dataset repository of the Hugging Face hub, or a local copy of one, that holds BEIR's three tables.

Two layouts are common. The ``mteb`` repositories have the configs ``corpus``, ``queries`` and ``default`` (the
qrels, one split each). The ``BeIR`` ones have their qrels in a sibling repository, ``BeIR/scifact-qrels``, and
describe the rest by a script; a script is never run, the files beside it are read instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from negbench.collections import Source, assembly, beir, checks
from negbench.collections.splits import Share
from negbench.errors import InputError
from negbench.types import Collection

T = TypeVar("T")


class Hub(Source):
    """A dataset repository of the Hugging Face hub in the layout of BeIR's or mteb's.

    ``id`` is the repository, e.g. ``mteb/scifact``, or a local folder with the same files. ``revision`` pins a
    branch, tag or commit, ``qrels_revision`` that of the sibling ``ID-qrels``. ``corpus``, ``queries`` and
    ``qrels`` name the configs; without ``qrels`` the sibling is read where it exists, else the config
    ``qrels`` or ``default``; where those have no scores, all their pairs are relevant. ``dev`` and ``test`` are the
    shares of training queries, in [0, 0.5), that are carved where there is no such split. No code of the repository is
    run.
    """

    name: ClassVar[str] = "hub"

    id: str
    revision: str | None = None
    qrels_revision: str | None = None
    corpus: str = "corpus"
    queries: str = "queries"
    qrels: str | None = None
    dev: Share = 0.1
    test: Share = 0.1

    def fingerprint(self) -> str:
        """Return the parameters and commits, or for local folders the SHA-256 of all their files."""
        home, sibling = self._repositories(whole=False)
        if not self._local():
            commits = [folder.name for folder in (home, sibling) if folder is not None]
            return f"{self.spelling} v{self.version} at {' and '.join(commits)}"
        parameters = self.parameters | {"id": None, "version": self.version}
        digests = [beir.digest(folder, _files(folder), parameters) for folder in (home, sibling) if folder is not None]
        return " and ".join(digests)

    def load(self) -> Collection:
        """Download what is missing, read and check it. Raises InputError with config and row."""
        home, sibling = self._repositories(whole=True)
        return assembly.assemble(
            Path(self.id).resolve().name if self._local() else self.id,
            self._table(home, self.corpus, beir.documents, checks.document),
            self._table(home, self.queries, beir.questions, checks.query),
            self._judgments(sibling or home),
            dev=self.dev,
            test=self.test,
        )

    def _repositories(self, whole: bool) -> tuple[Path, Path | None]:
        """Return the folders of the repository and, where the qrels lie in one, of the sibling."""
        home = Path(self.id) if self._local() else _snapshot(self.id, self.revision, whole)
        if home is None:
            raise InputError(
                f"hub:{self.id}: no such dataset (revision {self.revision or 'main'}) on the hub or in its local "
                "cache; check the id, the network and HF_TOKEN"
            )
        if self.qrels is not None:
            return home, None
        if self._local():
            sibling = home.resolve().with_name(f"{home.resolve().name}-qrels")
            return home, sibling if sibling.is_dir() else None
        return home, _snapshot(f"{self.id}-qrels", self.qrels_revision, whole)

    def _local(self) -> bool:
        return Path(self.id).is_dir()

    def _table(
        self,
        folder: Path,
        config: str,
        read: Callable[[Path], checks.Records[T]],
        check: Callable[[object, str], T],
    ) -> checks.Records[T]:
        """Return one config's records; a repository without that config may have BEIR's own file instead."""
        place = f"hub:{self.id} {config}"
        if config not in self._configs(folder):
            file = beir.find(folder, config)
            if file is None:
                known = ", ".join(self._configs(folder))
                raise InputError(f"{place}: no such config, but {known}; name the three with corpus=, queries=, qrels=")
            return read(file)
        rows = (row for split in self._open(folder, config).values() for row in self._rows(split, config))
        return checks.Records(place, (check(row, where) for row, where in rows))

    def _judgments(self, folder: Path) -> dict[str, checks.Records[checks.Judgment]]:
        configs = self._configs(folder)
        config = self.qrels or ("qrels" if "qrels" in configs else "default")
        if config not in configs:
            raise InputError(
                f"hub:{self.id}: no config {config!r}, but {', '.join(configs)}; say which holds the judgments "
                "with qrels="
            )
        return {
            split: checks.Records(f"hub:{self.id} {config} {split}", map(_judgment, self._rows(rows, config, split)))
            for split, rows in self._open(folder, config).items()
        }

    def _configs(self, folder: Path) -> list[str]:
        import datasets

        with self._reading("its configs"):
            return list(datasets.get_dataset_config_names(str(folder)))

    def _open(self, folder: Path, config: str) -> dict[str, Any]:
        """Return the tables of a config by split."""
        import datasets

        with self._reading(config):
            # Streaming reads the files where they lie: no second copy in a cache that could go stale.
            return dict(datasets.load_dataset(str(folder), config, streaming=True))

    def _rows(self, table: Any, *place: str) -> Iterator[tuple[dict[str, object], str]]:
        name = " ".join(place)
        with self._reading(name):
            for number, row in enumerate(table, 1):
                yield row, f"hub:{self.id} {name} row {number}"

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """Turn the many errors of ``datasets`` into ours."""
        import datasets.exceptions

        try:
            yield
        except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            raise InputError(f"hub:{self.id}: cannot read {what}: {_first_line(error)}") from error


def _snapshot(repository: str, revision: str | None, whole: bool) -> Path | None:
    """Return the local folder of a repository, named after its commit, or None where there is none.

    ``whole`` downloads every file, else only the card is.
    """
    commit = _commit(repository, revision)
    return _download(repository, commit.name, None) if commit is not None and whole else commit


@cache
def _commit(repository: str, revision: str | None) -> Path | None:
    """Return the folder of a revision's commit, asking the hub or, where it is out of reach, its local cache.

    Asked once a process, so that what is loaded is what was fingerprinted even where a branch moves on.
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
    except Exception as error:  # whose class depends on the HTTP library that this release of theirs uses
        raise InputError(f"hub:{repository}: cannot be reached: {_first_line(error)}") from error
    return Path(folder)


def _files(folder: Path) -> Iterator[Path]:
    """Yield every file below the folder but hidden ones, which tools write and no table is read from."""
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _judgment(item: tuple[dict[str, object], str]) -> checks.Judgment:
    """Return a row's judgment; where there are ids alone, as in NanoBEIR's repositories, the pair is relevant."""
    row, place = item
    # A column that a row lacks is filled with None by the library.
    columns = {str(name).replace("_", "-"): value for name, value in row.items()}
    values = {name: value for name, value in columns.items() if value is not None}
    score = next((name for name in checks.SCORES if name in columns), None)
    # A number under another name may be the grade: to take every pair for relevant would be a guess.
    other = any(isinstance(values[name], int | float) for name in values.keys() - {"query-id", "corpus-id"})
    needed = {"query-id", "corpus-id", *([score or "score"] if score or other else [])}
    if missing := needed - values.keys():
        raise InputError(f"{place}: it has no {' and no '.join(sorted(missing))}, but {', '.join(values)}")
    query, document = (checks.identifier(values[name], name, place) for name in ("query-id", "corpus-id"))
    return checks.Judgment(place, query, document, 1 if score is None else checks.grade(values[score], place))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
