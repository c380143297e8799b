"""Negatives written by a language model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from negbench import plain_values
from negbench.chat import Chat
from negbench.writers import NegativeGenerator

INSTRUCTIONS = """You write hard negatives for a search engine: passages that look like an answer and are none.
You get a query and a passage that answers it. Before you write, think of what the query asks for, and of what a reader
could take for it by mistake: another person, place, time, cause or kind. Write passages that keep the subject, the
style and about the length of the given one, that are plausible, and that do not answer the query. Do not negate the
given passage, and do not mention the query.
Reply with a JSON list of strings and nothing else."""


class LanguageModelWriter(Chat, NegativeGenerator):
    """A language model writes them, from the query and one of its positives.

    SyNeg, arXiv 2412.17250, as far as its abstract and summaries go: prompts with reflection, and written and mined
    negatives mixed within an instance. The wording is our own, and so is the number. Others find that written negatives
    do worse than mined ones (arXiv 2504.21015); the probe beside them tells how easily they are told from found texts.

    model, server, key, budget, retries, timeout, workers: as in the teacher ``llm``. each: as in every writer.
    """

    name: ClassVar[str] = "llm-writer"
    version: ClassVar[int] = 2
    incidental: ClassVar[frozenset[str]] = Chat.fetching
    instructions: ClassVar[str] = INSTRUCTIONS
    """What the model is told before the query and the passage."""

    def check_usable(self) -> None:
        self.require_key(f"writer {self.spelling}")

    def write(self, asked: Sequence[tuple[str, str]]) -> list[list[str]]:
        """Ask for all; an answer that is no list of strings gives nothing."""
        texts = [f"How many: {self.each}\n\nQuery: {query}\n\nPassage: {positive}" for query, positive in asked]
        answers = self.ask(f"writer {self.spelling}", self.instructions, texts)
        return [written(answer)[: self.each] for answer in answers]


def written(answer: str) -> list[str]:
    """Return the strings of the JSON list in an answer, blank ones left out; nothing where there is no such list."""
    listing = re.search(r"\[.*\]", answer, re.DOTALL)
    try:
        listed = plain_values.json_value(listing[0]) if listing else None
        plain_values.check_texts(listed, listing[0] if listing else "")
    except plain_values.NotPlainError:
        return []
    if not isinstance(listed, list):
        return []
    return [" ".join(text.split()) for text in listed if isinstance(text, str) and text.strip()]
