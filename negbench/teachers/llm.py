"""A language model behind an OpenAI-compatible server, as a judge of pairs."""

from __future__ import annotations

import math
import re
import unicodedata
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
    version: ClassVar[int] = 3
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


_NAMED = re.compile(
    r"""(?<![a-z])score(?:["'`*:=\[(\s]|[-\u2013\u2014]\s){0,6}"""
    r"""([^\s"'`*\])}]*\d[^\s"'`*\])}]*)(?=((?:\s+\S+){0,3}))"""
)
"""The word score, what a number stands in, and the words after it."""

_ALONE = re.compile(r"""^(?:["'`*\[(\s]|[-\u2013\u2014]\s)*([^\s"'`*\])]*\d[^\s"'`*\])]*)()["'`*\])\s]*$""")
_GRADE = re.compile(rf"\+?0*([0-{HIGHEST}])(?:\.0+)?(?:/{HIGHEST})?")
_RANGE = re.compile(r"\s+(or|and|to|out of|of|/|-|\u2013)\s+(\d+)")


def graded(answer: str) -> float:
    """Return the last grade in an answer as a share of the highest; NaN where it has none.

    A number below 0, with a fraction, of another scale (``3/10``, ``3 %``) or of a range is no grade.
    """
    text = unicodedata.normalize("NFKC", answer).lower()
    found = _NAMED.findall(text) or _ALONE.findall(text)
    if not found:
        return math.nan
    written, after = found[-1]
    bare = written.rstrip(".,;:!?\u2026")
    grade, more = _GRADE.fullmatch(bare), _RANGE.match(after)
    if more is not None and bare == written and (more[1] not in ("out of", "of", "/") or more[2] != str(HIGHEST)):
        return math.nan
    return math.nan if grade is None else int(grade[1]) / HIGHEST
