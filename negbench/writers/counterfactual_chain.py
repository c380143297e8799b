"""Negatives by a chain of two questions: what the query requires of an answer, then passages that lack one of it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar

from negbench.writers.language_model import LanguageModelWriter, written

ANALYSIS = """You prepare hard negatives for a search engine. You get a query and a passage that answers it.
Say in one sentence what somebody with this query wants to know, and in another where answering it begins and ends.
Then break relevance down into 4 to 8 requirements, each concrete and such that it can be found unmet. A requirement is
critical if a passage that does not meet it cannot be relevant. For each critical one give 2 or 3 changes that break it
and nothing else, so that the passage stays plausible and near: another entity, another question, another time, place or
quantity, another attribute, a relation that is not there, or what comes before or after the subject.
Reply with JSON and nothing else:
{"need": "...", "answers": "...", "requirements": [{"requirement": "...", "critical": true, "changes": ["..."]}]}"""

INSTRUCTIONS = """You write hard negatives for a search engine: passages that are near to a query and do not answer it.
You get the query, a passage that answers it, what the query requires of an answer, and changes that break it. Write as
many passages as you are asked for, each by one change, of different requirements where there are several. No passage
may hold an answer, be it right, wrong, partial or denied. Each stands for itself, in the style and of about the length
of the given one, without mention of the query or of what was changed.
Reply with a JSON list of strings, the passages, and nothing else."""

WITHOUT_ANALYSIS: list[dict[str, Any]] = [
    {
        "requirement": "The passage is about what the query asks.",
        "changes": [
            "Treat a subject next to it, without what was asked for.",
            "Put another entity of the same kind in the place of the main one.",
        ],
    }
]
"""What the second question says where the answer to the first holds no requirement."""


class CounterfactualChainWriter(LanguageModelWriter):
    """A language model analyses why a positive satisfies the query, then writes passages that each violate one reason.

    The construction of CausalNeg, Zhang et al. 2026, arXiv 2606.01304, by its authors' code,
    github.com/mzhangzhicheng/CausalNeg: the first question decomposes relevance into requirements with ways to break
    the critical ones, the second has a passage written for chosen ways. Where the first answer cannot be read, two ways
    that fit any query take its place, as there. A query costs two requests, of which each kind has the ``budget``.

    Differs from the source in: the wording, which is our own; no candidates of the corpus are there to be rewritten,
    and no definition of relevance for single collections; one changed passage a way, with no text on why.

    Parameters are those of ``llm-writer``.
    """

    name: ClassVar[str] = "counterfactual-chain-writer"
    version: ClassVar[int] = 1
    instructions: ClassVar[str] = INSTRUCTIONS

    def write(self, asked: Sequence[tuple[str, str]]) -> list[list[str]]:
        """Ask both questions of all queries; an answer to the second that is no list of strings gives nothing."""
        who = f"writer {self.spelling}"
        texts = [f"Query: {query}\n\nPassage: {positive}" for query, positive in asked]
        analyses = self.ask(who, ANALYSIS, texts)
        questions = [
            f"How many: {self.each}\n\n{text}\n\nRequirements: {json.dumps(requirements(analysis), ensure_ascii=False)}"
            for text, analysis in zip(texts, analyses, strict=True)
        ]
        answers = self.ask(who, self.instructions, questions)
        return [list(dict.fromkeys(written(answer)))[: self.each] for answer in answers]


def requirements(answer: str) -> list[dict[str, Any]]:
    """Return the requirements in an answer that changes are given for; ``WITHOUT_ANALYSIS`` where there are none."""
    found = re.search(r"\{.*\}", answer, re.DOTALL)
    try:
        analysis = json.loads(found[0]) if found else None
    except json.JSONDecodeError:
        return WITHOUT_ANALYSIS
    listed = analysis.get("requirements") if isinstance(analysis, dict) else None
    kept = []
    for it in listed if isinstance(listed, list) else []:
        changes = it.get("changes") if isinstance(it, dict) else None
        texts = (
            [text for text in changes if isinstance(text, str) and text.strip()] if isinstance(changes, list) else []
        )
        if texts and isinstance(it.get("requirement"), str) and it.get("critical", True):
            kept.append({"requirement": it["requirement"], "changes": texts})
    return kept or WITHOUT_ANALYSIS
