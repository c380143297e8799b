"""No refusal in the code is written without what to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from remedies import KINDS, REMEDY

import negbench

HERE = Path(negbench.__file__).parent

PASSED_ON = 3
"""Words that a message has at least; one with fewer passes on what another one says."""


def _text(node: ast.expr) -> str:
    """Return the text of a message without what is filled in: for that, ``{}``."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(value) if isinstance(value, ast.Constant) else "{}" for value in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return _text(node.body) if isinstance(node, ast.IfExp) else "{}"


def refusals(*kinds: str) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of every error of these kinds that is raised or returned."""
    for path in sorted(HERE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            call = node.exc if isinstance(node, ast.Raise) else node.value if isinstance(node, ast.Return) else None
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in kinds:
                yield f"{path.relative_to(HERE)}:{node.lineno}", " ".join(map(_text, call.args))


FILLED_IN = r"[;:,] (found )?(\{\} ?)+\)?$"
"""End of a message that fills in what to do, or what was expected before what was found."""


def test_every_refusal_says_what_to_do() -> None:
    found = list(refusals("InputError", "NotPlainError"))
    assert len(found) > 250
    silent = [
        f"{place}: {text}"
        for place, text in found
        if len(re.findall(r"[A-Za-z]{2,}", text)) >= PASSED_ON
        and not re.search(REMEDY, text)
        and not re.search(FILLED_IN, text)
    ]
    assert silent == []


def test_what_a_part_refuses_says_what_to_do() -> None:
    """Pydantic passes a ValueError on, with the key before it."""
    folders = ("samplers", "filters", "labels", "batching", "losses", "teachers", "methods", "retrieval", "config")
    silent = [
        f"{place}: {text}"
        for place, text in refusals("ValueError")
        if place.split("/")[0] in folders
        and len(re.findall(r"[A-Za-z]{2,}", text)) >= PASSED_ON
        and not re.search(REMEDY, text)
    ]
    assert silent == []


@pytest.mark.parametrize(
    "message",
    [
        "grid.yaml:3: seeds: the value is wrong",
        "corpus.jsonl: cannot be read",
        "negbench run: not allowed here",
    ],
)
def test_a_message_without_a_remedy_is_known_as_one(message: str) -> None:
    assert not re.search(REMEDY, message)


def test_every_kind_has_a_remedy_of_its_own() -> None:
    assert len(KINDS) > 20
    assert all(remedy for _, remedy in KINDS.values())
