"""Questions: what a customer has in mind, how much of it is said, in which words, and every article that answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from negbench.collections._helpdesk.articles import capital, with_article
from negbench.collections._helpdesk.circumstances import CONDITIONS, PLANS
from negbench.collections._helpdesk.facets import (
    CONDITION,
    CONDITIONS_OF,
    DEVICE,
    DEVICES_WITH,
    OPEN,
    PART,
    PART_NAMES,
    PLAN,
    PROBLEM,
    PROBLEM_NAMES,
    PRODUCT,
    answers,
    any_plan,
    pick,
    products_of,
)
from negbench.collections._helpdesk.problems import PROBLEMS
from negbench.collections._helpdesk.things import DEVICES, PARTS
from negbench.collections._helpdesk.world import Articles, attempts
from negbench.types import Int32

MOST_ANSWERS: Final = 12
_SAYS_PRODUCT, _SAYS_DEVICE, _SAYS_CONDITION, _SAYS_PLAN = 0.45, 0.85, 0.6, 0.3
_FEWEST_WORDS, _MOST_WORDS = 8, 22

_CORES = (  # with the thing named, and without
    ("my {thing}'s {part} {state}", "my {part} {state}"),
    ("the {part} on my {thing} {state}", "the {part} {state}"),
    ("the {part} in our {thing} {state}", "our {part} {state}"),
    ("the {part} of this {thing} {state}", "this {part} {state}"),
    ("I own {a_thing} and the {part} {state}", "I noticed that the {part} {state}"),
    ("I bought {a_thing} and its {part} {state}", "I can see that my {part} {state}"),
)
_STORIES = 4  # from here on a core has a main clause of its own, and a condition must follow it
_ASKS = (
    "How do I fix this?",
    "What should I do?",
    "Do you have any ideas?",
    "Can you help me?",
    "What's going on here?",
    "How can I get it sorted?",
    "Is there a cure?",
    "Do I need a new one?",
    "Am I doing something wrong?",
    "Who can put this right?",
)


@dataclass(frozen=True, slots=True)
class Questions:
    """``facets`` [q, 6] as stated (-1 unsaid), ``texts``, and for each the rows of all articles that answer it."""

    facets: Int32
    texts: list[str]
    relevant: list[Int32]


def ask(articles: Articles, wanted: int, seed: int) -> Questions:
    """Draw ``wanted`` questions, no two of which state the same facets or read the same.

    Each starts from an article: somebody whose case it answers has a value for every facet and says some of them.
    What more than ``MOST_ANSWERS`` articles answer is asked more precisely, facet by facet, as far as possible.
    Raises InputError where the world has no room for so many different questions.
    """
    shelves = _by_topic(articles.facets)
    stated: dict[tuple[int, ...], tuple[str, Int32]] = {}
    texts: set[str] = set()
    rows = articles.facets.tolist()
    for u in attempts(seed, "questions", wanted, 18):
        case = _case(rows[int(len(rows) * u[0])], len(articles.products), u[1:5])
        shelf = shelves[case[PART], case[PROBLEM]]
        said, relevant = _say(case, articles.facets[shelf], u[5:8])
        facets = tuple(said)
        text = _word(said, articles.products, u[8:])
        if facets in stated or text in texts:
            continue
        texts.add(text)
        stated[facets] = (text, shelf[relevant])
        if len(stated) == wanted:
            break
    return Questions(
        facets=np.array(list(stated), np.int32),
        texts=[text for text, _ in stated.values()],
        relevant=[found for _, found in stated.values()],
    )


def _by_topic(facets: Int32) -> dict[tuple[int, int], Int32]:
    """Map each (part, problem) to the rows of its articles, ascending; questions state both, so no other can answer."""
    topics = facets[:, [PART, PROBLEM]]
    order = np.lexsort((topics[:, 1], topics[:, 0])).astype(np.int32)
    starts = np.flatnonzero((np.diff(topics[order], axis=0) != 0).any(axis=1)) + 1
    groups = np.split(order, starts)
    return {(int(topics[rows[0], 0]), int(topics[rows[0], 1])): rows for rows in groups}


def _case(article: list[int], products: int, chances: list[float]) -> list[int]:
    """Return a customer's full case [6] that the article answers: its open facets get a value."""
    case = list(article)
    if case[DEVICE] == OPEN:
        case[DEVICE] = pick(DEVICES_WITH[case[PART]], chances[0])
    if case[PRODUCT] == OPEN:
        case[PRODUCT] = pick(products_of(case[DEVICE], products), chances[1])
    if case[CONDITION] == OPEN:
        case[CONDITION] = pick(CONDITIONS_OF[case[PART], case[PROBLEM]], chances[2])
    if case[PLAN] == OPEN:
        case[PLAN] = any_plan(chances[3])
    return case


def _say(case: list[int], shelf: Int32, chances: list[float]) -> tuple[list[int], Int32]:
    """Return the facets [6] that are said, and the positions in the shelf [n, 6] of the articles that answer."""
    said = list(case)
    if chances[0] > _SAYS_PRODUCT:
        said[PRODUCT] = OPEN
    if chances[0] > _SAYS_DEVICE:
        said[DEVICE] = OPEN
    if chances[1] > _SAYS_CONDITION:
        said[CONDITION] = OPEN
    if chances[2] > _SAYS_PLAN:
        said[PLAN] = OPEN
    relevant = np.flatnonzero(answers(shelf, np.array(said, np.int32)))
    for facet in (DEVICE, CONDITION, PRODUCT, PLAN):
        if len(relevant) > MOST_ANSWERS and said[facet] == OPEN:
            said[facet] = case[facet]
            relevant = np.flatnonzero(answers(shelf, np.array(said, np.int32)))
    return said, relevant.astype(np.int32)


def _word(said: list[int], products: list[str], u: list[float]) -> str:
    """Write the question in 8 to 22 words."""
    part, problem = PARTS[PART_NAMES[said[PART]]], PROBLEMS[PROBLEM_NAMES[said[PROBLEM]]]
    thing = _thing(said, products, u[0])
    words = {"thing": thing, "part": part.lay[int(2 * u[2])], "state": problem.lay[int(4 * u[3])]}
    when = CONDITIONS[said[CONDITION]].lay[int(3 * u[4])] if said[CONDITION] != OPEN else ""
    who = PLANS[said[PLAN]].lay[int(3 * u[5])] if said[PLAN] != OPEN else ""
    report = _report(int(len(_CORES) * u[1]), words, when, who, u[6] < 0.4, u[7] < 0.5)
    if _count(report) > _MOST_WORDS:
        report = _report(0, words, when, who, u[6] < 0.4, u[7] < 0.5)
    request = _ASKS[int(len(_ASKS) * u[8])]
    fits = _count(report) + _count(request) <= _MOST_WORDS
    return f"{report} {request}" if _count(report) < _FEWEST_WORDS or (fits and u[9] < 0.7) else report


def _report(form: int, words: dict[str, str], when: str, who: str, when_first: bool, who_first: bool) -> str:
    with_thing, without = _CORES[form]
    if words["thing"]:
        core = with_thing.format(**words, a_thing=with_article(words["thing"]))
    else:
        core = without.format(**words)
    if when and when_first and form < _STORIES:
        core = f"{when}, {core}"
    elif when:
        core = f"{core} {when}"
    sentences = [who, core] if who_first else [core, who]
    return " ".join(f"{capital(sentence)}." for sentence in sentences if sentence)


def _count(text: str) -> int:
    return len(text.split())


def _thing(said: list[int], products: list[str], chance: float) -> str:
    if said[DEVICE] == OPEN:
        return ""
    device = DEVICES[said[DEVICE]].lay[int(2 * chance)]
    if said[PRODUCT] == OPEN:
        return device
    name = products[said[PRODUCT]]
    return name if chance < 0.5 else f"{name} {device}"
