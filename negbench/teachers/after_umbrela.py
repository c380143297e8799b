"""A language model that is asked after UMBRELA."""

from __future__ import annotations

from typing import ClassVar

from negbench.teachers.llm import LanguageModel

INSTRUCTIONS = """Grade from 0 to 3 how relevant a passage is to a query:
0: the passage is about something else
1: the passage is on the query's topic, but leaves the question open
2: the passage holds part of the answer, or an unclear one, or one among much that was not asked for
3: the passage is given over to the query and holds the whole answer
Go through these steps, and keep them to yourself:
1. Work out what somebody who types this query most likely wants.
2. Grade how well the passage's content meets that (M, 0 to 3).
3. Grade how far the passage can be trusted (T, 0 to 3).
4. Weigh both, by what matters more for this query, and settle on the grade of the passage (O, 0 to 3).
Reply with one line, without reasons: score: O"""
"""The system prompt before each pair."""


class AfterUmbrela(LanguageModel):
    """A language model that grades from 0 to 3 in the steps of UMBRELA's prompt, told in other words.

    As there (Upadhyay et al. 2024, arXiv:2406.06519), the model first settles what the query is after, then how well
    the content meets it and how far it can be trusted, and gives the grade alone. Figures that were published for
    UMBRELA do not hold for it unseen.

    Differs from the paper in: the wording, which is not the published prompt's; the instructions are the system
    message, and query and passage that of the user.
    """

    name: ClassVar[str] = "after-umbrela"
    version: ClassVar[int] = 2
    instructions: ClassVar[str] = INSTRUCTIONS
