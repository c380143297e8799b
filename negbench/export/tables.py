"""Tables of records as JSON lines, Parquet or a folder of ``datasets``, and the base of formats that are one."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from negbench.errors import InputError
from negbench.export import FOLDER, Format
from negbench.export.mined_rows import MinedRows, Scorer

if TYPE_CHECKING:
    import pyarrow as pa

Record = dict[str, Any]

AT_ONCE = 2048
"""Number of records that are held in memory."""

TABLES = (".jsonl", ".parquet", FOLDER)


class TableFormat(Format):
    """A format whose rows are records with the same fields."""

    suffixes: ClassVar[tuple[str, ...]] = TABLES

    @abstractmethod
    def columns(self, rows: MinedRows) -> dict[str, str]:
        """Return the fields of a record with their types: ``string``, ``double``, ``int64``, or ``list<...>``."""

    @abstractmethod
    def records(self, rows: MinedRows) -> Iterator[Record]:
        """Yield the records of an export, in the order of its rows."""

    def write(self, rows: MinedRows, out: Path) -> list[str]:
        write_table(self.records(rows), self.columns(rows), out)
        return []


def scorer_of(rows: MinedRows, format_name: str) -> Scorer:
    """Return who scored all documents. Raises InputError where some have no score."""
    if rows.scorer is None:
        raise InputError(
            f"format {format_name}: some documents have no score, such as random fill, promoted positives and "
            "positives that the retriever did not score; leave out scores"
        )
    return rows.scorer


def write_lines(records: Iterable[Record], out: Path) -> int:
    """Write records as JSON lines, and return their number."""
    count = 0
    with out.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def write_table(records: Iterable[Record], columns: dict[str, str], out: Path) -> None:
    """Write records as JSON lines, Parquet or a folder of ``datasets``, as the suffix of ``out`` says."""
    if out.suffix == ".jsonl":
        write_lines(records, out)
    elif out.suffix == ".parquet":
        import pyarrow.parquet as pq

        schema = _schema(columns)
        with pq.ParquetWriter(out, schema) as writer:
            for batch in _batches(records, schema):
                writer.write_batch(batch)
    else:
        _write_dataset(records, _schema(columns), out)


def _write_dataset(records: Iterable[Record], schema: pa.Schema, out: Path) -> None:
    """Write the records to an Arrow file, which ``datasets`` maps into memory, and let it save a dataset."""
    import pyarrow as pa
    from datasets import Dataset
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    stream = out.with_name(f"{out.name}.arrow")
    try:
        with pa.ipc.new_stream(str(stream), schema) as writer:
            for batch in _batches(records, schema):
                writer.write_batch(batch)
        Dataset.from_file(str(stream)).save_to_disk(str(out))
    finally:
        stream.unlink(missing_ok=True)


def _batches(records: Iterable[Record], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    stream = iter(records)
    while some := list(islice(stream, AT_ONCE)):
        yield pa.RecordBatch.from_pylist(some, schema=schema)


def _schema(columns: dict[str, str]) -> pa.Schema:
    import pyarrow as pa

    def kind(name: str) -> pa.DataType:
        inner = name.removeprefix("list<").removesuffix(">")
        return pa.list_(kind(inner)) if inner != name else pa.type_for_alias(name)

    return pa.schema([(name, kind(type_)) for name, type_ in columns.items()])
