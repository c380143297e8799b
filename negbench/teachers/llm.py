"""A language model behind an OpenAI-compatible server, as a judge of pairs."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.chat import Chat
from negbench.chat.answers import Answers
from negbench.encoders.precision import Precision
from negbench.teachers import Teacher
from negbench.types import Float32

INSTRUCTIONS = """You judge search results. Say how well the passage answers the query:
0: it has nothing to do with the query
1: it is about the same thing, but does not answer
2: it answers in part, or the answer is hidden among other things
3: it is devoted to the query and answers it
Think of what somebody with this query wants to know, and of nothing that the passage does not say.
Reply with one line: score: K"""
"""The system prompt before each pair; the scale is that of UMBRELA (arXiv 2406.06519)."""

HIGHEST = 3


class LanguageModel(Chat, Teacher):
    """A language model that grades pairs from 0 to 3; its score is the grade over 3.

    Any server that speaks OpenAI's chat completions will do, asked by the official client. Answers are kept beside the
    stored results and never asked for twice. A pair whose answer has no grade in it (a refusal, say) has no score, and
    counts as not asked. Judges of this kind agree with people about half as well as people do with one another:
    calibrate before believing a rate.
    """

    name: ClassVar[str] = "llm"
    version: ClassVar[int] = 2
    incidental: ClassVar[frozenset[str]] = Chat.fetching
    instructions: ClassVar[str] = INSTRUCTIONS
    """The system prompt before each pair; it asks for a line ``score: K``."""

    letters: int = Field(default=4000, ge=100, description="Characters of a passage that the model is shown.")

    @property
    def may_refuse(self) -> bool:
        return True  # an answer may hold no grade

    def check_usable(self) -> None:
        self.require_key(f"teacher {self.spelling}")

    def fingerprint(self) -> str:
        """Return the digest of the instructions; the weights are the server's affair."""
        return Answers.name(self.instructions)

    def score(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        """Return grades over 3, NaN where there is none. Raises InputError as ``Chat.ask`` does."""
        texts = [f"Query: {query}\n\nPassage: {passage[: self.letters]}" for query, passage in pairs]
        answers = self.ask(f"teacher {self.spelling}", self.instructions, texts)
        return np.array([graded(answer) for answer in answers], np.float32)


def graded(answer: str) -> float:
    """Return the grade in an answer as a share of the highest; NaN where it has none, or one that is no grade."""
    grades = re.findall(r"score\W{0,4}(\d+)", answer.lower()) or re.findall(r"^\W*(\d+)\W*$", answer)
    grade = int(grades[-1]) if grades else -1
    return grade / HIGHEST if 0 <= grade <= HIGHEST else math.nan
