"""A language model behind an OpenAI-compatible server."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.encoders.precision import Precision
from negbench.errors import InputError
from negbench.store import Store
from negbench.teachers import Teacher
from negbench.teachers.answers import Answers
from negbench.types import Float32

INSTRUCTIONS = """You judge search results. Say how well the passage answers the query:
0: it has nothing to do with the query
1: it is about the same thing, but does not answer
2: it answers in part, or the answer is hidden among other things
3: it is devoted to the query and answers it
Think of what somebody with this query wants to know, and of nothing that the passage does not say.
Reply with one line: score: K"""
"""Told before each pair; the scale is that of UMBRELA (arXiv 2406.06519)."""

HIGHEST = 3


class LanguageModel(Teacher):
    """A language model that grades pairs from 0 to 3; its score is the grade over 3.

    Any server that speaks OpenAI's chat completions will do, asked by the official client. Answers are kept beside the
    stored results and never asked for twice. A pair whose answer has no grade in it (a refusal, say) has no score, and
    counts as not asked. Judges of this kind agree with people about half as well
    as people do with one another: calibrate before believing a rate.

    model: as the server names it. server: base URL, null for OpenAI's. key: the environment variable with the key.
    budget: requests a stage may send; a larger one goes on where a smaller one stopped. retries, timeout: a request's,
    in seconds. workers: requests at a time. letters: of a passage that are shown.
    """

    name: ClassVar[str] = "llm"
    incidental: ClassVar[frozenset[str]] = frozenset({"key", "budget", "retries", "timeout", "workers"})

    model: str = Field(default="gpt-4o-mini", min_length=1)
    server: str | None = None
    key: str = Field(default="OPENAI_API_KEY", min_length=1)
    budget: int = Field(default=10_000, ge=1)
    retries: int = Field(default=3, ge=0, le=20)
    timeout: float = Field(default=60.0, gt=0)
    workers: int = Field(default=8, ge=1, le=64)
    letters: int = Field(default=4000, ge=100)

    def fingerprint(self) -> str:
        """Return the digest of the instructions; the weights are the server's affair."""
        return Answers.name(INSTRUCTIONS)

    def score(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        """Return grades over 3, NaN where there is none.

        Raises InputError without a key, over the budget, and where the server refuses or does not answer.
        """
        kept = Answers(Store.default().root / "answers" / "llm.sqlite")
        texts = [f"Query: {query}\n\nPassage: {passage[: self.letters]}" for query, passage in pairs]
        names = [kept.name(self.server or "", self.model, INSTRUCTIONS, text) for text in texts]
        found = kept.find(names)
        missing = {name: text for name, text in zip(names, texts, strict=True) if name not in found}
        if missing:
            found |= self._ask(missing, kept)
        return np.array([graded(found.get(name, "")) for name in names], np.float32)

    def _ask(self, missing: dict[str, str], kept: Answers) -> dict[str, str]:
        """Ask what the budget allows, keeping answers as they come."""
        import openai

        if self.key not in os.environ:
            raise InputError(f"teacher {self.spelling}: the environment variable {self.key} holds no key; set it")
        client = openai.OpenAI(
            api_key=os.environ[self.key], base_url=self.server, max_retries=self.retries, timeout=self.timeout
        )

        def ask(name: str, text: str) -> tuple[str, str]:
            reply = client.chat.completions.create(
                model=self.model,
                temperature=0,
                messages=[{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": text}],
            )
            answer = (reply.choices[0].message.content or "") if reply.choices else ""
            kept.keep(name, answer)
            return name, answer

        allowed = list(missing.items())[: self.budget]
        found: dict[str, str] = {}
        late = 0
        with ThreadPoolExecutor(self.workers) as pool:
            waiting = [pool.submit(ask, *question) for question in allowed]
            for done in as_completed(waiting):
                try:
                    name, answer = done.result()
                    found[name] = answer
                except (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError):  # and time-outs
                    late += 1
                except openai.APIStatusError as error:
                    for other in waiting:
                        other.cancel()
                    raise InputError(f"teacher {self.spelling}: the server refuses: {error.message}") from error
        goes_on = "the answers that came are kept, and a new run goes on from there"
        if late:
            raise InputError(f"teacher {self.spelling}: {late} of {len(allowed)} requests were not answered; {goes_on}")
        if left := len(missing) - len(allowed):
            raise InputError(
                f"teacher {self.spelling}: its budget of {self.budget} requests is spent, {left} are left; {goes_on}"
            )
        return found


def graded(answer: str) -> float:
    """Return the grade in an answer as a share of the highest; NaN where it has none, or one that is no grade."""
    found = re.findall(r"score\W{0,4}(\d+)", answer.lower()) or re.findall(r"^\W*(\d+)\W*$", answer)
    grade = int(found[-1]) if found else -1
    return grade / HIGHEST if 0 <= grade <= HIGHEST else math.nan
