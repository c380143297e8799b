"""What a help centre of a given size holds: the facets, remedies and wordings of its articles, and its cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from negbench.collections._helpdesk.things import NAMES, product_name
from negbench.collections._helpdesk2.articles import SLOTS, article
from negbench.collections._helpdesk2.blocks import Block, NearMisses, draw
from negbench.collections._helpdesk2.facets import LINE, OPEN, SYMPTOM, SYMPTOM_NAMES
from negbench.collections._helpdesk2.remedies import ROOM
from negbench.errors import InputError
from negbench.rng import CounterRNG
from negbench.types import Int32

EXTRA: Final = 3
"""Articles that a topic has, on average, besides one for each of its conditions."""

_OPEN = 0.6  # the share of these that apply under every condition
_BLOCKS_PER_LINE, _FEWEST_LINES = 2, 6
_PATIENCE = 100  # wordings to try before an article counts as impossible


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The articles, and the cases that questions may ask about.

    ``articles`` [n, 6] are their facets and ``remedies`` [n] the numbers of their remedies among those of their
    symptom: articles with the same facets are rewordings and share the remedy, all others differ in it. ``cases``
    [c, 6] are the facets of questions; each case has an article that is restricted to it. ``lines`` are the names
    of the product lines by number.
    """

    articles: Int32
    remedies: Int32
    titles: list[str]
    texts: list[str]
    cases: Int32
    lines: list[str]


def build(articles: int, near: NearMisses, seed: int) -> World:
    """Return a help centre of ``articles`` articles. Raises InputError where they are too few or too many."""
    conditions = 1 + near.conditions
    least = near.topics * conditions
    if articles < least:
        raise InputError(
            f"helpdesk: so many near misses take at least {least} articles, found articles={articles}; raise it"
        )
    count = max(1, articles // (near.topics * (conditions + EXTRA)))
    lines = max(_FEWEST_LINES, count // _BLOCKS_PER_LINE)
    blocks = draw(count, lines, near, seed)
    cases = [(*topic, condition) for block in blocks for topic in block.topics for condition in block.conditions]
    facets = [*cases, *_extra(blocks, articles - len(cases), seed)]
    number = _numbers(blocks)
    names = _names(lines, seed)
    order = CounterRNG(seed, "helpdesk/2/shelf").order(np.arange(articles))
    facets = [facets[row] for row in order]
    remedies = [number[row] for row in facets]
    written = list(_write(facets, remedies, names, seed))
    return World(
        articles=np.array(facets, np.int32),
        remedies=np.array(remedies, np.int32),
        titles=[title for title, _ in written],
        texts=[text for _, text in written],
        cases=np.array(cases, np.int32),
        lines=names,
    )


def _extra(blocks: list[Block], wanted: int, seed: int) -> Iterator[tuple[int, ...]]:
    """Yield the facets of the articles beyond one a case, as many for each topic, but for one."""
    topics = [(topic, block.conditions) for block in blocks for topic in block.topics]
    turn = CounterRNG(seed, "helpdesk/2/turn").order(np.arange(len(topics)))
    luck = CounterRNG(seed, "helpdesk/2/extra").uniform(np.arange(wanted)[:, None], np.arange(2)[None, :]).tolist()
    for row, (scope, which) in enumerate(luck):
        topic, conditions = topics[turn[row % len(topics)]]
        yield (*topic, OPEN if scope < _OPEN else conditions[int(which * len(conditions))])


def _numbers(blocks: list[Block]) -> dict[tuple[int, ...], int]:
    """Return for facets the number of the remedy: every topic and scope has its own among those of the symptom."""
    used = Counter[int]()
    numbers: dict[tuple[int, ...], int] = {}
    for block in blocks:
        for topic in block.topics:
            for scope in (OPEN, *block.conditions):
                numbers[*topic, scope] = used[topic[SYMPTOM]]
                used[topic[SYMPTOM]] += 1
    name, most = max(((SYMPTOM_NAMES[row], count) for row, count in used.items()), key=lambda item: item[1])
    if most > ROOM:
        raise InputError(
            f"helpdesk: so many articles need {most} remedies of {name!r}, and there are {ROOM}; "
            "ask for fewer, or for version=1"
        )
    return numbers


def _names(lines: int, seed: int) -> list[str]:
    order = CounterRNG(seed, "helpdesk/2/names").order(np.arange(NAMES))
    return [product_name(again * NAMES + int(index)) for again in range(-(-lines // NAMES)) for index in order][:lines]


def _write(
    facets: list[tuple[int, ...]], remedies: list[int], names: list[str], seed: int
) -> Iterator[tuple[str, str]]:
    """Yield title and text of each article, no two of which are the same."""
    rng = CounterRNG(seed, "helpdesk/2/wording")
    seen: set[tuple[str, str]] = set()
    for row, (said, remedy) in enumerate(zip(facets, remedies, strict=True)):
        for attempt in range(_PATIENCE):
            wording = rng.uniform(row, attempt, np.arange(SLOTS)).tolist()
            written = article(said, remedy, names[said[LINE]], wording)
            if written not in seen:
                break
        else:
            raise InputError("helpdesk: too many articles for so few topics; ask for fewer, or for more near misses")
        seen.add(written)
        yield written
