"""Facets: what an article is about, what a question states, and the one rule of relevance.

Facets are rows of int32 with the six columns below. An article's condition is ``OPEN`` where it applies under every
condition; a question states all six. The axis of conditions follows from the other facets: all articles and questions
of one topic have the same.
"""

from __future__ import annotations

from typing import Final

from negbench.collections._helpdesk2.conditions import AXES
from negbench.collections._helpdesk2.symptoms import SYMPTOMS
from negbench.collections._helpdesk2.things import PARTS
from negbench.types import Bool, Int32

LINE: Final = 0
DEVICE: Final = 1
PART: Final = 2
SYMPTOM: Final = 3
AXIS: Final = 4
CONDITION: Final = 5
OPEN: Final = -1

PART_NAMES: Final = tuple(PARTS)
SYMPTOM_NAMES: Final = tuple(SYMPTOMS)
AXIS_NAMES: Final = tuple(AXES)


def answers(articles: Int32, question: Int32) -> Bool:
    """Tell which articles [n, 6] are relevant to the question [6].

    An article is relevant exactly when product line, device, part and symptom are those of the question, and the
    article applies under every condition or under the one that the question states.
    """
    same = (articles[:, :CONDITION] == question[:CONDITION]).all(axis=1)
    applies = (articles[:, CONDITION] == OPEN) | (articles[:, CONDITION] == question[CONDITION])
    relevant: Bool = same & applies
    return relevant
