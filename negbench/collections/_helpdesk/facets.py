"""Facets: what an article answers for, what a question states, and the one rule of relevance.

Facets are rows of int32 with the six columns below; -1 is an article's open facet ("any") or what a question
leaves unsaid. Articles and questions always name part and problem, and nobody names a product without its device.
"""

from __future__ import annotations

from itertools import product
from typing import Final

from negbench.collections._helpdesk.circumstances import CONDITIONS, PLANS
from negbench.collections._helpdesk.problems import PROBLEMS
from negbench.collections._helpdesk.things import DEVICES, PARTS
from negbench.types import Bool, Int32

PRODUCT: Final = 0
DEVICE: Final = 1
PART: Final = 2
PROBLEM: Final = 3
CONDITION: Final = 4
PLAN: Final = 5
FACETS: Final = 6
OPEN: Final = -1

PART_NAMES: Final = tuple(PARTS)
PROBLEM_NAMES: Final = tuple(PROBLEMS)

TOPICS: Final = tuple(
    (part, problem)
    for part, problem in product(range(len(PARTS)), range(len(PROBLEMS)))
    if PROBLEM_NAMES[problem] in PARTS[PART_NAMES[part]].problems
)
"""The (part, problem) pairs that exist."""


def answers(articles: Int32, question: Int32) -> Bool:
    """Tell which articles [n, 6] are relevant to the question [6].

    An article is relevant exactly when, for every facet that the question states, the article has the same value
    or leaves the facet open. A facet that the question does not state excludes no article.
    """
    agrees = (question == OPEN) | (articles == OPEN) | (articles == question)
    relevant: Bool = agrees.all(axis=1)
    return relevant


def _possible(part: int, problem: int) -> tuple[int, ...]:
    tangible, damage = PARTS[PART_NAMES[part]].tangible, PROBLEMS[PROBLEM_NAMES[problem]].physical
    return tuple(
        index
        for index, condition in enumerate(CONDITIONS)
        if (condition.physical and tangible) or (not condition.physical and not damage)
    )


CONDITIONS_OF: Final = {topic: _possible(*topic) for topic in TOPICS}
"""The conditions under which each (part, problem) can occur."""

DEVICES_WITH: Final = tuple(
    tuple(index for index, device in enumerate(DEVICES) if name in device.parts) for name in PART_NAMES
)
"""For each part the devices that have it."""


def pick(choices: tuple[int, ...] | range, chance: float) -> int:
    """Return one of ``choices`` by a uniform number between 0 and 1."""
    return choices[int(chance * len(choices))]


def products_of(device: int, products: int) -> range:
    """Return the products (of ``products`` in all) that are devices of this kind."""
    return range(device, products, len(DEVICES))


def any_plan(chance: float) -> int:
    """Return a plan by a uniform number between 0 and 1."""
    return pick(range(len(PLANS)), chance)
