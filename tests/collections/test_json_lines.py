"""Lines of JSON are read as the standard library reads them, in less time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from negbench import plain_values

LINES = [
    b'{"_id": "1", "text": "plain"}',
    b' {"_id": "1", "text": "a space before"}',
    '{"_id": "é", "text": "snö"}'.encode(),
    '{"_id": "é", "text": "snö"}'.encode("utf-8-sig"),
    '{"_id": "1"}'.encode("utf-16"),
    '{"_id": "1"}'.encode("utf-16-le"),
    '{"_id": "1"}'.encode("utf-32-be"),
    rb'{"_id": "\u00e9", "text": "\ud83d\ude00"}',
    rb'{"text": "\ud83d"}',
    b'{"_id": "1"} and more',
    b"[1, 2.5, NaN, null]",
    b"",
    b"{",
    b"\xff\xfe",
    b'{"text": "\xe9"}',
    b'{"text": "a\x00b"}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_a_line_of_json_is_what_the_standard_library_reads(line: bytes) -> None:
    def outcome(read: Callable[[bytes], Any]) -> str:
        try:
            return repr(read(line))
        except (ValueError, RecursionError) as error:
            return f"{type(error).__name__}: {error}"

    found, expected = outcome(plain_values.json_line), outcome(json.loads)
    if expected == repr({"text": "\ud83d"}):
        assert "half a character" in found
    else:
        assert found == expected
