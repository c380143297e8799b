"""A dataset repository of the Hugging Face hub, or a local copy of one, that holds BEIR's three tables.

Two layouts are common. The ``mteb`` repositories have the configs ``corpus``, ``queries`` and ``default`` (the
qrels, one split each). The ``BeIR`` ones have their qrels in a sibling repository, ``BeIR/scifact-qrels``, and
describe the rest by a script; a script is never run, the files beside it are read instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import Field

from negbench import user_files
from negbench.collections import Source, assembly, beir, checks, repository
from negbench.collections.splits import Share, Together
from negbench.errors import InputError
from negbench.types import Collection

T = TypeVar("T")


class Hub(Source):
    """A dataset repository of the Hugging Face hub in the layout of BeIR's or mteb's.

    Without ``qrels`` the judgments are those of the sibling repository where it exists, else of the config ``qrels`` or
    ``default``. Where they have no scores, all their pairs are relevant. No code of the repository is run.
    """

    name: ClassVar[str] = "hub"
    carves: ClassVar[bool] = True
    downloads: ClassVar[bool] = True

    id: str = Field(description="Dataset repository, as in `mteb/scifact`, or a local folder with the same files.")
    revision: str | None = Field(
        default=None, description="Branch, tag or commit of the repository; null for the newest."
    )
    qrels_revision: str | None = Field(
        default=None, description="Branch, tag or commit of the sibling repository `ID-qrels`; null for the newest."
    )
    corpus: str = Field(default="corpus", description="Config that holds the documents.")
    queries: str = Field(default="queries", description="Config that holds the queries.")
    qrels: str | None = Field(
        default=None,
        description=(
            "Config that holds the judgments; null looks for them in the sibling, then in `qrels` and `default`."
        ),
    )
    subset: str | None = Field(
        default=None,
        description=(
            "Language or data set of a repository with several, as `hi` of the configs hi-corpus, hi-queries and "
            "hi-qrels, of a config hi with the splits corpus, queries and qrels, or of a split hi of three configs."
        ),
    )
    dev: Share = Field(
        default=0.1,
        description="Share of the training queries that becomes dev where there is no such split, in [0, 0.5).",
    )
    test: Share = Field(
        default=0.1,
        description="Share of the training queries that becomes test where there is no such split, in [0, 0.5).",
    )
    together: Together = "text"

    def fingerprint(self) -> str:
        """Return the parameters and commits, or for local folders the SHA-256 of all their files."""
        home, sibling = self._repositories(whole=False)
        if not self._local():
            commits = [folder.name for folder in (home, sibling) if folder is not None]
            return f"{self.spelling} v{self.version} at {' and '.join(commits)}"
        parameters = self.parameters | {"id": None, "version": self.version}
        later = {"together": "text", "subset": None}  # left out at their defaults, so that what is stored is found
        parameters = {name: it for name, it in parameters.items() if name not in later or it != later[name]}
        digests = [
            beir.digest(folder, repository.files(folder), parameters)
            for folder in (home, sibling)
            if folder is not None
        ]
        return " and ".join(digests)

    def load(self) -> Collection:
        """Download what is missing, read and check it. Raises InputError with config and row."""
        home, sibling = self._repositories(whole=True)
        return assembly.assemble(
            user_files.resolved(Path(self.id)).name if self._local() else self.id,
            self._table(home, self.corpus, beir.documents, checks.document),
            self._table(home, self.queries, beir.questions, checks.query),
            self._judgments(sibling or home),
            dev=self.dev,
            test=self.test,
            together=self.together,
        )

    def _repositories(self, whole: bool) -> tuple[Path, Path | None]:
        """Return the folders of the repository and, where the qrels lie in one, of the sibling."""
        home = Path(self.id) if self._local() else repository.snapshot(self.id, self.revision, whole)
        if home is None:
            raise repository.missing(self.id, self.revision)
        if self.qrels is not None:
            return home, None
        if self._local():
            sibling = home.resolve().with_name(f"{home.resolve().name}-qrels")
            return home, sibling if sibling.is_dir() else None
        return home, repository.snapshot(f"{self.id}-qrels", self.qrels_revision, whole)

    def _local(self) -> bool:
        return user_files.is_folder(Path(self.id))

    def _table(
        self,
        folder: Path,
        config: str,
        read: Callable[[Path], checks.Records[T]],
        check: Callable[[object, str], T],
    ) -> checks.Records[T]:
        """Return one config's records; a repository without that config may have BEIR's own file instead."""
        known = self._configs(folder)
        if self.subset is not None:
            by_split = self._of_subset(folder, (config,))
            if by_split is None and config == self.corpus and config in known:  # one that all subsets share
                by_split = self._open(folder, config)
                by_split = by_split if len(by_split) == 1 else None
        else:
            by_split = self._open(folder, config) if config in known else None
            if by_split is None and (file := beir.find(folder, config)) is not None:
                return read(file)
        if by_split is None:
            raise self._without(config, known)
        place = f"hub:{self.id} {config}"
        rows = (row for split in by_split.values() for row in self._rows(split, config))
        return checks.Records(place, (check(row, where) for row, where in rows))

    def _judgments(self, folder: Path) -> dict[str, checks.Records[checks.Judgment]]:
        configs = self._configs(folder)
        config = self.qrels or ("qrels" if "qrels" in configs else "default")
        found = None if self.subset is None else self._of_subset(folder, (config, "qrels", "default"))
        if found is None and (config not in configs or self.subset is not None):
            raise self._without(config, configs)
        return {
            split: checks.Records(f"hub:{self.id} {config} {split}", map(_judgment, self._rows(rows, config, split)))
            for split, rows in (found or self._open(folder, config)).items()
        }

    def _without(self, config: str, known: Sequence[str]) -> InputError:
        """Return the error of a repository that lacks a config."""
        subset = "" if self.subset is None else f" for the subset {self.subset}"
        return InputError(
            f"hub:{self.id} {config}: no such config{subset}; it has {', '.join(known)}: name the three with corpus=, "
            "queries=, qrels=, or give subset=, or write {pairs: hub:ID} if its rows are pairs"
        )

    def _of_subset(self, folder: Path, names: Sequence[str]) -> dict[str, Any] | None:
        """Return the tables by split that hold the subset's corpus, queries or judgments, the first of ``names``.

        Judgments in a split that is called after the subset or ``qrels`` are those of test. None where there are none.
        """
        assert self.subset is not None
        configs = self._configs(folder)
        for name in names:
            for config in (f"{self.subset}-{name}", f"{name}-{self.subset}", f"{self.subset}_{name}"):
                if config in configs:
                    return self._open(folder, config)
            for config, split in ((self.subset, name), (name, self.subset)):
                if config in configs and split in (by_split := self._open(folder, config)):
                    return {"test": by_split[split]}
        if "qrels" in names and self.subset in configs:
            return {
                split: table
                for split, table in self._open(folder, self.subset).items()
                if split not in (self.corpus, self.queries)
            } or None
        return None

    def _configs(self, folder: Path) -> list[str]:
        return repository.configs(folder, f"hub:{self.id}")

    def _open(self, folder: Path, config: str) -> dict[str, Any]:
        """Return the tables of a config by split."""
        return repository.splits(folder, config, f"hub:{self.id}")

    def _rows(self, table: Any, *place: str) -> Iterator[tuple[dict[str, object], str]]:
        name = " ".join(place)
        with repository.reading(f"hub:{self.id}: cannot read {name}"):
            for number, row in enumerate(table, 1):
                yield row, f"hub:{self.id} {name} row {number}"


_QUERY_IDS = ("query-id", "qid", "queryid", "query")
_DOCUMENT_IDS = ("corpus-id", "doc-id", "docid", "document-id", "pid", "passage-id")


def _judgment(item: tuple[dict[str, object], str]) -> checks.Judgment:
    """Return a row's judgment; where there are ids alone, as in NanoBEIR's repositories, the pair is relevant."""
    row, place = item
    # A column that a row lacks is filled with None by the library.
    columns = {str(name).replace("_", "-").lower(): value for name, value in row.items()}
    values = {name: value for name, value in columns.items() if value is not None}
    query_id = next((name for name in _QUERY_IDS if name in values), "query-id")
    document_id = next((name for name in _DOCUMENT_IDS if name in values), "corpus-id")
    score = next((name for name in checks.SCORES if name in columns), None)
    # A number under another name may be the grade: to take every pair for relevant would be a guess.
    rest = values.keys() - {query_id, document_id, "iteration", "q0"}
    other = any(isinstance(values[name], int | float) for name in rest)
    needed = {query_id, document_id, *([score or "score"] if score or other else [])}
    if missing := needed - values.keys():
        raise InputError(
            f"{place}: no {' and no '.join(sorted(missing))}; found {', '.join(values)}; give a repository with these "
            "columns"
        )
    query, document = (checks.identifier(values[name], name, place) for name in (query_id, document_id))
    return checks.Judgment(place, query, document, 1 if score is None else checks.grade(values[score], place))
