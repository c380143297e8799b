"""A folder in BEIR's layout: ``corpus.jsonl``, ``queries.jsonl``, ``qrels/SPLIT.tsv``, optionally gzipped."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from negbench import plain_values, user_files
from negbench.collections import Source, assembly, checks
from negbench.collections.splits import Share, Together
from negbench.errors import InputError
from negbench.types import Collection

_DOCUMENT_IDS = {
    f"{what}{between}id" for what in ("corpus", "doc", "document", "passage") for between in ("-", "_", "")
}
"""Names of the last column in a header without grades."""


class Beir(Source):
    """A folder in BEIR's layout (Thakur et al. 2021): corpus, queries and qrels, plain or gzipped.

    Ids are text or whole numbers. Judgments of what is not there are left out and counted (see ``matching``).

    Codes of judgments become grades before anything is cut at a grade, in qrels and truth alike. Cranfield's run from
    1, the best, to 4, with -1 for the paper that the question is from: ``{1: 4, 2: 3, 3: 2, 4: 1, -1: 0}``, in a
    spelling a list of pairs. The truth has one file for each split that has any.
    """

    name: ClassVar[str] = "beir"
    carves: ClassVar[bool] = True

    path: str = Field(description="Folder in BEIR's layout.")
    truth: str | None = Field(
        default=None,
        description="Pattern of fuller judgments below the folder, as in `extra/{split}.tsv.gz`; null for none.",
    )
    truth_kind: Literal["proxy", "complete"] = Field(
        default="proxy",
        description="Whether the fuller judgments hold all relevant pairs (`complete`) or only more of them (`proxy`).",
    )
    grades: tuple[tuple[int, Annotated[int, Field(ge=0, lt=10**9)]], ...] | None = Field(
        default=None,
        description=(
            "Grade that each code of the judgments stands for, as pairs or a mapping; null where codes are grades."
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

    @field_validator("truth")
    @classmethod
    def _has_split(cls, value: str | None) -> str | None:
        if value is not None and "{split}" not in value:
            raise ValueError("expected a path with {split} in it, e.g. extra/{split}.tsv")
        return value

    @field_validator("grades", mode="before")
    @classmethod
    def _in_pairs(cls, value: Any) -> Any:
        if value is None or isinstance(value, list | tuple):
            return value
        if not isinstance(value, dict):
            raise ValueError(f"expected a grade for each code, as in {{1: 4, 2: 3}}, found {value!r:.60}")
        return tuple(value.items())

    @field_validator("grades")
    @classmethod
    def _each_code_once(cls, value: tuple[tuple[int, int], ...] | None) -> tuple[tuple[int, int], ...] | None:
        if value is None:
            return None
        codes = [code for code, _ in value]
        if not codes or len(set(codes)) < len(codes):
            raise ValueError(f"expected one grade for each code, as in {{1: 4, 2: 3}}, found codes {codes}")
        return tuple(sorted(value))

    def fingerprint(self) -> str:
        """Return the SHA-256 of the files that ``load`` reads and of the parameters that shape the result."""
        corpus, queries, qrels, truth = self._files()
        shape: dict[str, Any] = {"version": self.version, "dev": self.dev, "test": self.test}
        if truth:
            shape |= {"truth": self.truth, "truth_kind": self.truth_kind}
        if self.grades is not None:
            shape |= {"grades": self.grades}
        if self.together != "text":
            shape |= {"together": self.together}
        return digest(self._folder(), [corpus, queries, *qrels.values(), *truth.values()], shape)

    def load(self) -> Collection:
        """Read and check the folder. Raises InputError with file and line for invalid data."""
        corpus, queries, qrels, truth = self._files()
        grades = None if self.grades is None else dict(self.grades)
        return assembly.assemble(
            user_files.resolved(self._folder()).name,
            documents(corpus),
            questions(queries),
            {split: judgments(path, grades) for split, path in qrels.items()},
            dev=self.dev,
            test=self.test,
            together=self.together,
            truth={split: judgments(path, grades) for split, path in truth.items()},
            truth_kind=self.truth_kind,
        )

    def _folder(self) -> Path:
        return user_files.expanded(self.path)

    def _files(self) -> tuple[Path, Path, dict[str, Path], dict[str, Path]]:
        """Return the files of the corpus, the queries, and by split those of the qrels and the truth."""
        folder = self._folder()
        if not user_files.is_folder(folder):
            raise InputError(f"{folder}: no such folder; expected one with corpus.jsonl, queries.jsonl and qrels/")
        files = {stem: find(folder, stem) for stem in ("corpus", "queries")}
        for stem, path in files.items():
            if path is None:
                raise InputError(
                    f"{folder}: no {stem}.jsonl or {stem}.jsonl.gz; expected one of them (for pairs of queries and "
                    "answers give a file, or call the files in the folder train.csv and test.csv)"
                )
        qrels: dict[str, Path] = {}
        for suffix in (".tsv.gz", ".tsv"):  # where both are there, the plain file is read
            for path in sorted((folder / "qrels").glob(f"*{suffix}")):
                qrels[path.name.removesuffix(suffix)] = path
        if not qrels:
            raise InputError(f"{folder / 'qrels'}: no split; expected files like test.tsv or train.tsv.gz")
        truth: dict[str, Path] = {}
        if self.truth is not None:
            wanted = {split: folder / self.truth.replace("{split}", split) for split in qrels}
            truth = {split: path for split, path in sorted(wanted.items()) if user_files.is_file(path)}
            if not truth:
                raise InputError(
                    f"{folder / self.truth}: no such file for any of the splits {', '.join(wanted)}; give truth the "
                    "pattern of files that are there"
                )
        assert files["corpus"]
        assert files["queries"]
        return files["corpus"], files["queries"], dict(sorted(qrels.items())), truth


def find(folder: Path, stem: str) -> Path | None:
    """Return ``STEM.jsonl`` or ``STEM.jsonl.gz`` in the folder, the plain one first, or None."""
    return next((path for end in ("", ".gz") if user_files.is_file(path := folder / f"{stem}.jsonl{end}")), None)


def digest(folder: Path, files: Iterable[Path], parameters: dict[str, Any]) -> str:
    """Return the SHA-256 of the files' names relative to the folder, their bytes, and the parameters."""
    state = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    for name, path in sorted((Path(os.path.relpath(path, folder)).as_posix(), path) for path in files):
        content = user_files.sha256(path)
        state.update(f"\n{content} {name}".encode())
    return state.hexdigest()


def documents(path: Path) -> checks.Records[checks.Document]:
    """Return the documents of a ``.jsonl`` or ``.jsonl.gz`` file."""
    return checks.Records(str(path), (checks.document(*pair) for pair in objects(path)))


def questions(path: Path) -> checks.Records[checks.Query]:
    """Return the queries of a ``.jsonl`` or ``.jsonl.gz`` file."""
    return checks.Records(str(path), (checks.query(*pair) for pair in objects(path)))


def judgments(path: Path, grades: Mapping[int, int] | None = None) -> checks.Records[checks.Judgment]:
    """Return the judgments of a file: BEIR's three columns, with or without header, the ids alone, or TREC's four.

    Between tabs, or where a line has none, white space. A pair of ids without a score has grade 1.
    ``grades`` says which grade each code stands for, where the file has codes; it must have all of them.
    """
    return checks.Records(str(path), _judgments(path, grades))


def lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the place and bytes of every line that is not blank; InputError if the file is unreadable."""
    return user_files.lines(path)


def objects(path: Path) -> Iterator[tuple[object, str]]:
    """Yield the JSON value and the place of every line that is not blank; InputError for invalid JSON."""
    for place, line in lines(path):
        try:
            value = plain_values.json_line(line.rstrip())  # stripped, so that the column counts in this line
            yield value, place
        except json.JSONDecodeError as error:
            raise InputError(
                f"{place}: broken JSON, {error.msg} at column {error.colno}; mend or remove this line"
            ) from error
        except UnicodeDecodeError as error:
            raise InputError(f"{place}: not UTF-8 text: {error.reason}; save it as UTF-8") from error
        except plain_values.NotPlainError as error:
            raise InputError(f"{place}: {error}") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"{place}: unreadable JSON: {error}; mend or remove this line") from error


def _judgments(path: Path, grades: Mapping[int, int] | None) -> Iterator[checks.Judgment]:
    width = 0
    for count, (place, line) in enumerate(lines(path)):
        try:
            text = line.decode().lstrip("\ufeff").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InputError(f"{place}: not UTF-8 text: {error.reason}; save it as UTF-8") from error
        cells = text.split("\t") if "\t" in text else text.split()
        if not cells:  # a byte order mark alone
            continue
        if count == 0 and cells[-1].strip().lower() in (_DOCUMENT_IDS if len(cells) == 2 else checks.SCORES):
            continue
        width = width or len(cells)
        if len(cells) != width or width not in (2, 3, 4):
            raise InputError(
                f"{place}: expected query-id, corpus-id and score between tabs, only the two ids, or TREC's four "
                f"columns, the same number in every line; found {text!r:.60}"
            )
        query = checks.identifier(cells[0], "query-id", place)
        document = checks.identifier(cells[1 if width == 2 else -2], "corpus-id", place)
        if width == 2:  # relevant pairs alone
            yield checks.Judgment(place, query, document, 1)
            continue
        code = checks.grade(cells[-1], place)
        if grades is not None and code not in grades:
            known = ", ".join(map(str, sorted(grades)))
            raise InputError(f"{place}: grades has no grade for the code {code}, only for {known}; add it")
        yield checks.Judgment(place, query, document, code if grades is None else grades[code])
