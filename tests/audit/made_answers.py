"""Answers as they are read."""

from __future__ import annotations

from collections.abc import Mapping

from negbench.auditing.answers import Answer, Answers


def by(said: Mapping[int, Answer], annotator: str = "") -> Answers:
    """Return one annotator's answers, by item."""
    return {(item, annotator): answer for item, answer in said.items()}
