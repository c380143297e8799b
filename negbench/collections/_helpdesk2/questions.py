"""Questions: a case in a customer's words, all six facets of it stated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from negbench.collections._helpdesk2.articles import capital, choose
from negbench.collections._helpdesk2.conditions import AXES
from negbench.collections._helpdesk2.facets import (
    AXIS,
    AXIS_NAMES,
    CONDITION,
    DEVICE,
    LINE,
    PART,
    PART_NAMES,
    SYMPTOM,
    SYMPTOM_NAMES,
    answers,
)
from negbench.collections._helpdesk2.symptoms import SYMPTOMS
from negbench.collections._helpdesk2.things import DEVICES, PARTS
from negbench.collections._helpdesk2.world import World
from negbench.errors import InputError
from negbench.rng import CounterRNG
from negbench.types import Int32

_FORMS = (
    "My {thing}'s {part} {state} {when}.",
    "The {part} of my {thing} {state} {when}.",
    "{when}, the {part} on our {thing} {state}.",
    "I own the {thing}, and its {part} {state} {when}.",
    "{when}, the {part} of this {thing} {state}.",
    "There is a problem with my {thing}: {when}, its {part} {state}.",
)
_ASKS = (
    "How do I fix this?",
    "What should I do?",
    "Do you have any ideas?",
    "Can you help me?",
    "How can I get it sorted?",
    "Is there a cure?",
    "",
    "",
)
_SLOTS: Final = 10
_PATIENCE = 50  # wordings to try before a question counts as impossible


@dataclass(frozen=True, slots=True)
class Questions:
    """``facets`` [q, 6] as stated, ``texts``, and for each the rows of all articles that answer it."""

    facets: Int32
    texts: list[str]
    relevant: list[Int32]


def ask(world: World, test: int, others: int, paraphrase: float, seed: int) -> Questions:
    """Return ``test`` questions and then ``others``, no two of which read the same.

    Every case is asked about once before one is asked about again, in other words; the others never ask about a case
    of the test questions, unless those take all. Raises InputError where there are too few ways to ask.
    """
    cases = world.cases[CounterRNG(seed, "helpdesk/2/cases").order(np.arange(len(world.cases)))]
    rest = np.arange(test if test < len(cases) else 0, len(cases))
    chosen = np.append(np.arange(test) % len(cases), np.resize(rest, others))
    facets = cases[chosen]
    relevant = _relevant(world.articles, cases[np.unique(chosen)])
    texts: dict[str, None] = {}
    rng = CounterRNG(seed, "helpdesk/2/questions")
    for row, said in enumerate(facets.tolist()):
        for attempt in range(_PATIENCE):
            text = _word(
                said, world.lines[said[LINE]], paraphrase, rng.uniform(row, attempt, np.arange(_SLOTS)).tolist()
            )
            if text not in texts:
                break
        else:
            raise InputError(
                f"helpdesk: there are too few ways to ask {len(facets)} questions about {len(cases)} cases; "
                "ask for fewer, or raise `articles`"
            )
        texts[text] = None
    return Questions(facets, list(texts), [relevant[tuple(said)] for said in facets.tolist()])


def _relevant(articles: Int32, cases: Int32) -> dict[tuple[int, ...], Int32]:
    """Map each case to the rows of the articles that answer it, ascending; others than its topic's cannot."""
    shelves: dict[tuple[int, ...], list[int]] = {}
    for row, topic in enumerate(articles[:, :CONDITION].tolist()):
        shelves.setdefault(tuple(topic), []).append(row)
    found = {}
    for case in cases:
        shelf = np.array(shelves[tuple(case[:CONDITION].tolist())], np.int32)
        found[tuple(case.tolist())] = shelf[answers(articles[shelf], case)]
    return found


def _word(said: list[int], line: str, paraphrase: float, chances: list[float]) -> str:
    """Write the question; each of the four phrases is a customer's own with the chance ``paraphrase``."""
    part, symptom = PARTS[PART_NAMES[said[PART]]], SYMPTOMS[SYMPTOM_NAMES[said[SYMPTOM]]]
    device, condition = DEVICES[said[DEVICE]], AXES[AXIS_NAMES[said[AXIS]]].conditions[said[CONDITION]]
    pairs = (
        ((device.term,), device.lay),
        (part.terms, part.lay),
        (symptom.states, symptom.lay),
        (condition.terms, condition.lay),
    )
    phrases = [
        choose(lay if own < paraphrase else terms, way)
        for (terms, lay), own, way in zip(pairs, chances[:4], chances[4:8], strict=True)
    ]
    form, request = choose(_FORMS, chances[8]), choose(_ASKS, chances[9])
    report = form.format(thing=f"{line} {phrases[0]}", part=phrases[1], state=phrases[2], when=phrases[3])
    return f"{capital(report)} {request}".strip()
