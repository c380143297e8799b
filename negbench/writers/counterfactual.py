"""Negatives written by a language model that violates one requirement of the query each."""

from __future__ import annotations

from typing import ClassVar

from negbench.writers.language_model import LanguageModelWriter

INSTRUCTIONS = """You write hard negatives for a search engine by changing a passage that answers a query.
First list, for yourself, what the query requires of an answer, one requirement after another, and how the passage meets
each. For each passage that you write, choose one requirement, another one each time where there are several, and change
what meets it so that it is not met any more: another entity, time, place, quantity, cause or condition. Keep what meets
the other requirements, the style and about the length. The result must be plausible, must not answer the query, and
must not mention the query.
Reply with a JSON list of strings, the passages, and nothing else."""


class CounterfactualWriter(LanguageModelWriter):
    """A language model changes a positive so that it violates one of the query's requirements.

    CausalNeg's construction of negatives, Zhang et al. 2026, arXiv 2606.01304, as far as its abstract goes: why a
    document satisfies a query is decomposed into requirements, and each negative violates one. The wording is our own.

    Differs from the paper in: one prompt for its chain of two. Its loss is ``query-view-entropy``.

    Parameters are those of ``llm-writer``.
    """

    name: ClassVar[str] = "counterfactual-writer"
    version: ClassVar[int] = 1
    instructions: ClassVar[str] = INSTRUCTIONS
