"""Blocks: topics in which every case has its near misses of every kind.

A topic is a product line, device, part and symptom with an axis of conditions; a case is a topic and one condition.
A block holds every combination of a few things (line and device), parts, symptoms and conditions. So whatever case
of it a question asks about, articles on the others differ from it in the thing, the part, the symptom or the
condition alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np

from negbench.collections._helpdesk2.conditions import AXES, SOFTWARE
from negbench.collections._helpdesk2.facets import AXIS_NAMES, PART_NAMES, SYMPTOM_NAMES
from negbench.collections._helpdesk2.symptoms import SYMPTOMS
from negbench.collections._helpdesk2.things import DEVICES, PARTS
from negbench.errors import InputError
from negbench.rng import CounterRNG

_PATIENCE = 1000  # draws for a block before the world counts as full

Topic = tuple[int, int, int, int, int]
"""Line, device, part, symptom and axis, by number."""


@dataclass(frozen=True, slots=True)
class NearMisses:
    """How many other things, parts, symptoms and conditions a block has beside a case's own."""

    things: int
    parts: int
    symptoms: int
    conditions: int

    @property
    def topics(self) -> int:
        """Topics in a block."""
        return (1 + self.things) * (1 + self.parts) * (1 + self.symptoms)


@dataclass(frozen=True, slots=True)
class Block:
    """Topics, those of one part and symptom together, and the conditions that each of them is treated under."""

    topics: list[Topic]
    conditions: list[int]


def draw(wanted: int, lines: int, near: NearMisses, seed: int) -> list[Block]:
    """Return ``wanted`` blocks without a topic in common. Raises InputError where there is no room for so many."""
    plans = _plans(near)
    taken: set[tuple[int, ...]] = set()
    blocks: list[Block] = []
    for number in range(wanted):
        for block in _attempts(number, plans, lines, near, seed):
            topics = {topic[:4] for topic in block.topics}  # the same with another axis would be the same topic
            if not topics & taken:
                taken |= topics
                blocks.append(block)
                break
        else:
            raise InputError(
                f"helpdesk: the world has no room for {wanted} different groups of near misses; ask for fewer"
            )
    return blocks


@dataclass(frozen=True, slots=True)
class _Plan:
    axis: int
    parts: tuple[int, ...]
    symptoms: tuple[int, ...]
    devices: tuple[int, ...]


@cache
def _plans(near: NearMisses) -> list[_Plan]:
    """Return every choice of axis, parts and symptoms that go together, with the devices that have the parts."""
    found = []
    for parts in combinations(range(len(PARTS)), 1 + near.parts):
        held = [PARTS[PART_NAMES[part]] for part in parts]
        if len({part.software for part in held}) > 1:
            continue
        devices = tuple(
            row for row, device in enumerate(DEVICES) if all(PART_NAMES[part] in device.parts for part in parts)
        )
        if len(devices) <= near.things // 2:
            continue
        common = [row for row, name in enumerate(SYMPTOM_NAMES) if all(name in part.symptoms for part in held)]
        for symptoms in combinations(common, 1 + near.symptoms):
            suited = [SYMPTOMS[SYMPTOM_NAMES[row]].axes for row in symptoms]
            for axis, name in enumerate(AXIS_NAMES):
                fits = name in SOFTWARE if held[0].software else all(name in axes for axes in suited)
                if fits:
                    found.append(_Plan(axis, parts, symptoms, devices))
    return found


def _attempts(number: int, plans: list[_Plan], lines: int, near: NearMisses, seed: int) -> Iterator[Block]:
    """Yield random blocks that depend on seed, number and attempt alone."""
    rng = CounterRNG(seed, "helpdesk/2/blocks")
    for attempt in range(_PATIENCE):
        plan = plans[int(rng.uniform(number, attempt, 0) * len(plans))]
        devices = [
            plan.devices[i]
            for i in CounterRNG(seed, "helpdesk/2/devices", attempt).order(_keys(number, len(plan.devices)))
        ]
        own, *others = CounterRNG(seed, "helpdesk/2/lines", attempt).order(_keys(number, lines)).tolist()
        things = [(own, devices[0])]
        for other in range(near.things):  # in turn the same device of another line, another device of the same line
            things.append((others[other // 2], devices[0]) if other % 2 == 0 else (own, devices[1 + other // 2]))
        four = len(next(iter(AXES.values())).conditions)
        conditions = CounterRNG(seed, "helpdesk/2/conditions", attempt).order(_keys(number, four))
        topics = [
            (line, device, part, symptom, plan.axis)
            for symptom in plan.symptoms
            for part in plan.parts
            for line, device in things
        ]
        yield Block(topics, sorted(conditions[: 1 + near.conditions].tolist()))


def _keys(number: int, count: int) -> np.ndarray:
    return number * 100_003 + np.arange(count)
