"""The article grammar: facets, a remedy and a wording become a title and a text."""

from __future__ import annotations

from typing import Final

from negbench.collections._helpdesk2.conditions import AXES
from negbench.collections._helpdesk2.facets import (
    AXIS,
    AXIS_NAMES,
    CONDITION,
    DEVICE,
    OPEN,
    PART,
    PART_NAMES,
    SYMPTOM,
    SYMPTOM_NAMES,
)
from negbench.collections._helpdesk2.remedies import FORMS, steps
from negbench.collections._helpdesk2.symptoms import SYMPTOMS
from negbench.collections._helpdesk2.things import DEVICES, PARTS

_TITLES = (
    "{thing}: {part} {state}",
    "{noun} of the {part} on the {thing}",
    "How to resolve {noun} of the {part} ({thing})",
    "The {part} of the {thing} {state}",
    "{thing}, {part}: {noun}",
    "Troubleshooting {noun} of the {part} of the {thing}",
)
_OPENINGS = (
    "On the {thing}, the {part} {state}{when}.",
    "Some customers report that the {part} of the {thing} {state}{when}.",
    "Read this article when the {part} of the {thing} {state}{when}.",
    "You may notice that the {part} on the {thing} {state}{when}.",
    "Follow these instructions if the {part} in the {thing} {state}{when}.",
    "We have found that the {part} of the {thing} {state}{when}.",
)
_RESTRICTED = (
    "This article applies only to the {thing}, and only if the fault occurs {term}.",
    "It is valid solely for the {thing} and solely for a fault that occurs {term}.",
    "Restriction: this works on no device but the {thing}, and not unless the fault occurs {term}.",
)
_OPEN = (
    "This article applies only to the {thing}, {any}.",
    "It is valid for every {thing} and for no other device, {any}.",
    "It applies solely to the {thing}, whether the fault occurs {0}, {1}, {2} or {3}.",
)

SLOTS: Final = 9
"""How many uniform numbers make up a wording."""


def article(facets: tuple[int, ...], remedy: int, line: str, wording: list[float]) -> tuple[str, str]:
    """Return title and text for facets [6], a remedy's number, the line's name and a wording [SLOTS] in [0, 1)."""
    title, opening, part_way, title_state, state, when_way, term_way, form, scope = wording
    part, symptom = PARTS[PART_NAMES[facets[PART]]], SYMPTOMS[SYMPTOM_NAMES[facets[SYMPTOM]]]
    axis = AXES[AXIS_NAMES[facets[AXIS]]]
    device = DEVICES[facets[DEVICE]].term
    words = {
        "thing": f"{line} {device}",
        "device": device,
        "part": choose(part.terms, part_way),
        "noun": symptom.noun,
        "any": axis.any,
    }
    when, scopes = "", _OPEN
    if facets[CONDITION] != OPEN:
        terms = axis.conditions[facets[CONDITION]].terms
        words["term"] = choose(terms, term_way)
        when, scopes = choose(("", f" {choose(terms, 1 - term_way)}"), when_way), _RESTRICTED
    prepare, repair, conclude = (step.format(**words) for step in steps(SYMPTOM_NAMES[facets[SYMPTOM]], remedy))
    sentences = (
        choose(_OPENINGS, opening).format(**words, state=choose(symptom.states, state), when=when),
        choose(FORMS, form).format(prepare=prepare, repair=repair, conclude=conclude),
        choose(scopes, scope).format(*(condition.terms[0] for condition in axis.conditions), **words),
    )
    heading = choose(_TITLES, title).format(**words, state=choose(symptom.states, title_state))
    return capital(heading), " ".join(sentences)


def choose(ways: tuple[str, ...], chance: float) -> str:
    """Return one of ``ways`` by a number in [0, 1)."""
    return ways[int(chance * len(ways))]


def capital(sentence: str) -> str:
    """Return the sentence with its first letter in upper case."""
    return sentence[:1].upper() + sentence[1:]
