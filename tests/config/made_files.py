"""Grid files made on the spot, and what their reader says of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from negbench.config.grid import Grid, read
from negbench.errors import InputError

LONG = """\
name: made # line 1
collection: helpdesk
encoder:
  model: all-MiniLM-L6-v2
  reinit_layers: 2
methods:
  - in-batch # line 7
  - rank-band(low=10, high=110)
  - simans: {a: 0.5, scale: zscore}
  - denoised:
      threshold: 0.1 # line 11
      depth: 20
seeds: [0, 1]
negatives: 2
train: {epochs: 3, learning_rate: 1e-4}
baseline: in-batch
"""
"""A grid that uses most keys; its lines are numbered where tests name them."""


def grid(tmp_path: Path, text: str, assignments: Sequence[str] = ()) -> Grid:
    path = tmp_path / "grid.yaml"
    path.write_text(text)
    return read(path, assignments)


def with_line(key: str, value: str) -> str:
    """A small grid, four lines, in which one key is changed or, as line 5, added."""
    lines = {"name": "made", "collection": "helpdesk", "encoder": "some", "methods": "[in-batch, random]", key: value}
    return "".join(f"{name}: {text}\n" for name, text in lines.items())


def refusals(tmp_path: Path, text: str, assignments: Sequence[str] = ()) -> list[str]:
    """The lines of the message, without the folder that the file is in."""
    with pytest.raises(InputError) as caught:
        grid(tmp_path, text, assignments)
    lines = str(caught.value).splitlines()
    for jargon in ("Input should", "validation error", "Value error", "pydantic", "function-", "Extra inputs"):
        assert jargon not in str(caught.value)
    return [line.removeprefix(f"{tmp_path}/") for line in lines]
