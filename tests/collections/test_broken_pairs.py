"""What is wrong in files of pairs is told in one line, and the page lists what can be read."""

from __future__ import annotations

import bz2
import lzma
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from negbench.collections.layouts import columns
from negbench.collections.pairs import Pairs
from negbench.collections.resolve import source_of
from negbench.errors import InputError

BROKEN: dict[str, tuple[str, str]] = {
    "unknown columns": (
        "Frage,Antwort\na,b\n",
        r":1: no column is known among Frage, Antwort: .*positive: COLUMN",
    ),
    "unknown fields": ('{"Frage": "a", "Antwort": "b"}\n', r":1: no column is known among Frage, Antwort: .*=Antwort"),
    "an empty answer": ("question,answer\na,b\nc,\n", r":3: answer: expected some text"),
    "a short row": ("question,answer\na,b\nc\n", r":3: expected 2 cells \(question, answer\), found 1"),
    "a score that is a similarity": (
        "query,passage,score\na,b,0.73\n",
        r":2: score: expected 0 or 1, or a whole grade",
    ),
    "no rows": ("question,answer\n", r"train has no rows"),
    "latin letters": ("question,answer\na,\udce9\n", r":2: not UTF-8 text.*save it as UTF-8"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_one_line_with_its_place(name: str, tmp_path: Path) -> None:
    text, said = BROKEN[name]
    (tmp_path / "faq.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=said) as caught:
        Pairs(path=str(tmp_path / "faq.csv")).load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda text: text.encode("utf-16"), "faq.csv: is UTF-16 text; save it as UTF-8"),
        (lambda text: b"\xfe\xff" + text.encode("utf-16-be"), "faq.csv: is UTF-16 text; save it as UTF-8"),
        (lambda text: bz2.compress(text.encode()), "faq.csv: is compressed with bzip2; unpack it, or"),
        (lambda text: lzma.compress(text.encode()), "faq.csv: is compressed with xz; unpack it, or"),
        (lambda text: pickle.dumps(text, 4), "faq.csv: is a pickle, which is not read; save it as Parquet"),
    ],
)
def test_a_table_in_another_form_says_which(made: Callable[[str], bytes], said: str, tmp_path: Path) -> None:
    (tmp_path / "faq.csv").write_bytes(made("question,answer\nhow?,so\n"))
    with pytest.raises(InputError, match=said):
        Pairs(path=str(tmp_path / "faq.csv")).load()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"pairs": "f.csv", "query": "a", "positive": "a"}, "the column a is named twice"),
        ({"pairs": "f.csv", "query": "a", "positive": "b", "negative": ["b"]}, "the column b is named twice"),
        ({"pairs": "f.csv", "query": "a"}, "query and positive go together"),
        ({"pairs": "f.csv", "negative": "a"}, "negative: name the columns query and positive"),
        ({"pairs": "f.csv", "collection": "helpdesk", "corpus": "c"}, "leave corpus and queries out"),
        ({"pairs": "f.csv", "question": "a"}, "no parameter of pairs is called 'question'"),
    ],
)
def test_parameters_that_do_not_go_together(value: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        source_of(value)


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "faq.csv").write_text("question,answer,topic\nhow?,so,lamps\n")
    with pytest.raises(InputError, match=r"faq.csv:2: no column 'Frage'; it has question, answer, topic"):
        Pairs(path=str(tmp_path / "faq.csv"), query="Frage", positive="answer").load()


def test_the_page_lists_the_names_of_columns() -> None:
    page = (Path(__file__).parents[2] / "docs/collections.md").read_text(encoding="utf-8")
    for column, names in (("query", columns.QUERIES), ("positive", columns.POSITIVES)):
        assert f"| {column} | {', '.join(f'`{name}`' for name in names)} |" in page
    for name in (*columns.LABELS, *columns.GRADES):
        assert f"`{name}`" in page
