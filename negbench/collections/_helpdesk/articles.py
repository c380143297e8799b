"""The article grammar: facets and a choice of wording become a title and two to four sentences."""

from __future__ import annotations

from typing import Final

from negbench.collections._helpdesk.circumstances import CONDITIONS, FAMILIES, PLANS
from negbench.collections._helpdesk.facets import (
    CONDITION,
    DEVICE,
    OPEN,
    PART,
    PART_NAMES,
    PLAN,
    PROBLEM,
    PROBLEM_NAMES,
    PRODUCT,
)
from negbench.collections._helpdesk.problems import PROBLEMS
from negbench.collections._helpdesk.things import DEVICES, PARTS

_TITLES = (
    "{model}: {part} {state}",
    "Remedies for {noun} of the {part}",
    "{noun} of the {part}{when}",
    "{part} {state}{when}",
    "How to resolve {noun} on {whole}",
    "{part}: {noun} on {whole}",
    "Troubleshooting {noun} ({part}){when}",
    "{model}: {noun} of the {part}",
)
_OPENINGS = (
    "On {whole}, the {part} {state}{when}.",
    "Some customers report that the {part} of {whole} {state}{when}.",
    "Read this article when the {part} of {whole} {state}{when}.",
    "You may notice that the {part} on {whole} {state}{when}.",
    "Follow these instructions if the {part} in {whole} {state}{when}.",
    "We have found that the {part} of {whole} {state}{when}.",
)
_SCOPES = (
    "This applies to the {plan} plan.",
    "Only {plan} subscribers are covered.",
    "An active {plan} subscription is required.",
    "This service is for {plan} customers.",
    "{plan} customers receive a free exchange.",
    "{plan} terms include a technician's visit.",
)
_CLOSINGS = (
    "Contact support if the fault persists.",
    "No data is deleted in this process.",
    "Repeat the steps once if necessary.",
    "Open a service ticket if this does not help.",
    "The procedure takes about fifteen minutes.",
    "Your warranty is not affected.",
)
_ANY = ("device", "product", "unit")
_LONG = 48  # words after which an article needs no closing sentence

SLOTS: Final = {
    "title": len(_TITLES),
    "opening": len(_OPENINGS),
    "part": 2,
    "title_state": 3,
    "state": 3,
    "cause": 3,
    "remedy": 3,
    "when": 2,
    "ending": len(_SCOPES),
    "device": len(_ANY),
}
"""The choices that make up a wording, and how many ways each has."""


def article(facets: list[int], wording: list[int], name: str) -> tuple[str, str]:
    """Return title and text for facets [6] and a wording [slots]; ``name`` is the product's, if one is stated.

    The product is named at most twice, condition and plan once, so exchanging one of them changes one or two words.
    """
    way = dict(zip(SLOTS, wording, strict=True))
    part, problem = PARTS[PART_NAMES[facets[PART]]], PROBLEMS[PROBLEM_NAMES[facets[PROBLEM]]]
    device, model, whole = _scope(facets, way["device"], name)
    when = ""
    if facets[CONDITION] != OPEN:
        condition = CONDITIONS[facets[CONDITION]]
        when = f" {FAMILIES[condition.family][way['when']]} {condition.term}"
    terms = {"part": part.terms[way["part"]], "device": device, "model": model, "whole": whole, "noun": problem.noun}
    title_form = _TITLES[way["title"]]
    title = title_form.format(**terms, state=problem.states[way["title_state"]], when=when)
    told = "{when}" in title_form
    opening = _OPENINGS[way["opening"]].format(**terms, state=problem.states[way["state"]], when="" if told else when)
    cause, remedy = (text.format(**terms) for text in (problem.causes[way["cause"]], problem.remedies[way["remedy"]]))
    sentences = [opening, cause, remedy]
    if facets[PLAN] != OPEN:
        sentences.append(_SCOPES[way["ending"]].format(plan=PLANS[facets[PLAN]].term))
    elif len(" ".join([title, *sentences]).split()) < _LONG:
        sentences.append(_CLOSINGS[way["ending"]])
    return capital(title), " ".join(capital(sentence) for sentence in sentences)


def _scope(facets: list[int], way: int, name: str) -> tuple[str, str, str]:
    """Return the words for the device, for a title's lead, and for the device with its article."""
    if facets[DEVICE] == OPEN:
        word = _ANY[way]
        return word, f"all {word}s", with_article(word)
    device = DEVICES[facets[DEVICE]]
    if facets[PRODUCT] == OPEN:
        return device.term, device.plural, with_article(device.term)
    return device.term, f"{name} {device.term}", f"the {name} {device.term}"


def with_article(words: str) -> str:
    """Put "a" or "an" before the words, by their sound: "a unit", but "an Ularix"."""
    sounded = words.lower()
    vowel = sounded[0] in "aeiou" and not sounded.startswith("uni")
    return f"{'an' if vowel else 'a'} {words}"


def capital(sentence: str) -> str:
    """Return the sentence with its first letter in upper case."""
    return sentence[:1].upper() + sentence[1:]
