"""JSON of users: every key stands once in its object, whatever stands around it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from negbench import plain_values
from negbench.collections import beir
from negbench.collections.layouts import files
from negbench.errors import InputError

TWICE = {
    '{"a": 1, "a": 2}': ("a", '"a": 2'),
    '{"a": 1, "\\u0061": 2}': ("a", '"\\u0061": 2'),
    '{"a": {"b": 1, "c": [{"b": 1}, {"b": 2}]}, "b": {"c": 1, "b": "c", "c": 3}}': ("c", '"c": 3'),
    '{"text": "{\\"text\\": [", "b": "]}\\\\", "text": ""}': ("text", '"text": ""}'),
    '[{"a": 1}, {"a": "a", "b": ["a", "a"], "a": 3}]': ("a", '"a": 3'),
    '{"": 1, "" : 2}': ("", '"" : 2'),
}
"""JSON texts with a key twice: the key, and the text from where it stands for the second time."""


@pytest.mark.parametrize("text", TWICE)
def test_a_key_twice_is_refused_by_name_and_line(text: str) -> None:
    key, rest = TWICE[text]
    over_lines = text.replace(", ", ",\n")
    line = over_lines[: over_lines.index(rest.replace(", ", ",\n"))].count("\n") + 1
    with pytest.raises(plain_values.NotPlainError, match=f"^the key {key!r} stands twice") as refused:
        plain_values.json_value(over_lines)
    assert refused.value.line == line


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.json"])
def test_records_of_a_file_have_every_key_once(name: str, tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [{"query": "a", "n": [{"n": 1}, {"n": float("inf")}]}, {"query": "query"}]
    path = tmp_path / name
    lines = [json.dumps(record) for record in records]
    path.write_text(
        "\n".join(lines) if name.endswith("l") else f"[{chr(10).join(lines).replace(chr(10), ',' + chr(10))}]"
    )
    assert [record.fields for record in files.open_file(path)] == records
    path.write_text(path.read_text().replace('"query": "query"', '"query": "b", "query": "c"'))
    with pytest.raises(InputError, match=rf"{name}:2: the key 'query' stands twice in one object; keep one of them"):
        list(files.open_file(path))


def test_a_marked_line_is_read_as_before(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + '{"_id": "é", "text": "\\ud83e\\udde6"}\n'.encode())
    assert [value for value, _ in beir.objects(path)] == [{"_id": "é", "text": "\U0001f9e6"}]
