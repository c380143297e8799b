"""What a help centre of a given size holds: products, and the facets and wordings of its articles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from negbench.collections._helpdesk.articles import SLOTS
from negbench.collections._helpdesk.circumstances import CONDITIONS
from negbench.collections._helpdesk.facets import (
    CONDITION,
    CONDITIONS_OF,
    DEVICE,
    DEVICES_WITH,
    OPEN,
    PART,
    PLAN,
    PROBLEM,
    PRODUCT,
    TOPICS,
    any_plan,
    pick,
    products_of,
)
from negbench.collections._helpdesk.things import DEVICES, NAMES, product_name
from negbench.errors import InputError
from negbench.rng import CounterRNG
from negbench.types import Int32

ARTICLES_PER_PRODUCT: Final = 33
_NAMES_PRODUCT, _NAMES_DEVICE = 0.5, 0.8  # below the first a product is stated, below the second a kind of device
_NAMES_CONDITION, _NAMES_PLAN = 0.55, 0.35
_PATIENCE = 30  # draws for each article wanted before the world counts as full

Facets = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Articles:
    """The articles before they are written down.

    ``facets`` [n, 6] and ``wording`` [n, slots] say what each states and how. ``source`` [n] is the row that an
    article copies, -1 where it copies none: with the same facets it is a rewording, else a near-duplicate.
    ``products`` are the names by number.
    """

    facets: Int32
    wording: Int32
    source: Int32
    products: list[str]


def build(articles: int, near_duplicates: int, rewordings: int, seed: int) -> Articles:
    """Draw ``articles`` articles, of which so many are near-duplicates and rewordings, in shuffled order.

    Raises InputError where the world has no room for so many different ones.
    """
    products = max(3 * len(DEVICES), articles // ARTICLES_PER_PRODUCT)
    own = articles - near_duplicates - rewordings
    facets = _written(own, products, seed)
    wording = [_wording(row) for row in _numbers(seed, "wording", own, len(SLOTS))]
    source = [OPEN] * own
    for copied, changed in _neighbours(facets, near_duplicates, products, seed):
        facets.append(changed)
        wording.append(wording[copied])
        source.append(copied)
    for copied, other in _reworded(wording, own, rewordings, seed):
        facets.append(facets[copied])
        wording.append(other)
        source.append(copied)
    order = CounterRNG(seed, "helpdesk/shelf").order(np.arange(articles))
    place = np.empty(articles, np.int32)
    place[order] = np.arange(articles, dtype=np.int32)
    shuffled = np.array(source, np.int32)[order]
    return Articles(
        facets=np.array(facets, np.int32)[order],
        wording=np.array(wording, np.int32)[order],
        source=np.where(shuffled < 0, np.int32(OPEN), place[shuffled]),
        products=_names(products, seed),
    )


def _numbers(seed: int, purpose: str, rows: int, columns: int, first: int = 0) -> list[list[float]]:
    """Return uniform numbers [rows, columns] that depend on purpose, row (counted from ``first``) and column alone."""
    rng = CounterRNG(seed, f"helpdesk/{purpose}")
    numbers: list[list[float]] = rng.uniform(
        np.arange(first, first + rows)[:, None], np.arange(columns)[None, :]
    ).tolist()
    return numbers


def attempts(seed: int, purpose: str, wanted: int, columns: int) -> Iterator[list[float]]:
    """Yield rows of uniform numbers until the caller has enough; InputError after far more than ``wanted``."""
    block = max(wanted, 64)
    for turn in range(_PATIENCE):
        yield from _numbers(seed, purpose, block, columns, turn * block)
    raise InputError(
        f"helpdesk: the world has no room for {wanted} different {purpose}; "
        "ask for fewer, or raise `articles`, which adds products"
    )


def _names(products: int, seed: int) -> list[str]:
    rounds = -(-products // NAMES)
    order = CounterRNG(seed, "helpdesk/names").order(np.arange(NAMES))
    return [product_name(again * NAMES + int(index)) for again in range(rounds) for index in order][:products]


def _written(wanted: int, products: int, seed: int) -> list[Facets]:
    topics = [TOPICS[row] for row in CounterRNG(seed, "helpdesk/topics").order(np.arange(len(TOPICS)))]
    seen: dict[Facets, None] = {}
    for u in attempts(seed, "articles", wanted, 8):
        part, problem = topics[int(len(topics) * u[0] * (0.4 + 0.6 * u[0]))]  # early topics have more articles
        device = pick(DEVICES_WITH[part], u[1])
        product = pick(products_of(device, products), u[2]) if u[3] < _NAMES_PRODUCT else OPEN
        condition = pick(CONDITIONS_OF[part, problem], u[4]) if u[5] < _NAMES_CONDITION else OPEN
        plan = any_plan(u[6]) if u[7] < _NAMES_PLAN else OPEN
        seen[product, device if u[3] < _NAMES_DEVICE else OPEN, part, problem, condition, plan] = None
        if len(seen) == wanted:
            break
    return list(seen)


def _neighbours(facets: list[Facets], wanted: int, products: int, seed: int) -> list[tuple[int, Facets]]:
    """Return (copied row, facets with another product, condition or plan), all unlike each other and the rest."""
    own, seen = len(facets), set(facets)
    found: list[tuple[int, Facets]] = []
    if not wanted:
        return found
    for u in attempts(seed, "near-duplicates", wanted, 3):
        copied = pick(range(own), u[0])
        old = facets[copied]
        stated = tuple(facet for facet in (PRODUCT, CONDITION, PLAN) if old[facet] != OPEN)
        if not stated:
            continue
        facet = pick(stated, u[1])
        if facet == PRODUCT:
            value = pick(products_of(old[DEVICE], products), u[2])
        elif facet == CONDITION:
            value = pick(_siblings(old), u[2])
        else:
            value = any_plan(u[2])
        changed = (*old[:facet], value, *old[facet + 1 :])
        if changed not in seen:
            seen.add(changed)
            found.append((copied, changed))
            if len(found) == wanted:
                break
    return found


def _siblings(facets: Facets) -> tuple[int, ...]:
    """Return the conditions that are introduced by the same words and possible here."""
    family = CONDITIONS[facets[CONDITION]].family
    return tuple(c for c in CONDITIONS_OF[facets[PART], facets[PROBLEM]] if CONDITIONS[c].family == family)


def _wording(numbers: list[float]) -> list[int]:
    return [int(u * ways) for u, ways in zip(numbers, SLOTS.values(), strict=True)]


def _reworded(wording: list[list[int]], own: int, wanted: int, seed: int) -> list[tuple[int, list[int]]]:
    """Return (copied row, a wording that differs in every slot); no two of one article share title and opening."""
    found: list[tuple[int, list[int]]] = []
    seen: set[tuple[int, int, int]] = set()
    if not wanted:
        return found
    for u in attempts(seed, "rewordings", wanted, 1 + len(SLOTS)):
        copied = pick(range(own), u[0])
        other = [
            (way + 1 + int(number * (ways - 1))) % ways
            for way, number, ways in zip(wording[copied], u[1:], SLOTS.values(), strict=True)
        ]
        if (copied, other[0], other[1]) not in seen:
            seen.add((copied, other[0], other[1]))
            found.append((copied, other))
            if len(found) == wanted:
                break
    return found
