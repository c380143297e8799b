"""The order of stages, by made-up stages and executors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from hypothesis import given
from hypothesis import strategies as st

from negbench.executors import Outcome
from negbench.runners import schedule
from negbench.store import Stage, Store, ancestors


@dataclass(frozen=True, eq=False)
class Made(Stage):
    """A stage that takes so many seconds of a clock that is made up, too."""

    kind: ClassVar[str] = "made"

    number: int
    seconds: int
    rests_on: tuple[Stage, ...]
    pieces: int = 0

    def parts(self, path_of: Callable[[Stage], Path]) -> tuple[Piece, ...]:
        assert all(path_of(parent).is_dir() for parent in self.inputs)
        return tuple(Piece(self, 100 * (self.number + 1) + piece) for piece in range(self.pieces))

    def run(self, path_of: Callable[[Stage], Path], out: Path) -> dict[str, float]:
        for parent in [*self.inputs, *self.parts(path_of)]:
            assert path_of(parent).is_dir()
        return {}


@dataclass(frozen=True, eq=False)
class Piece(Stage):
    """A second of a stage."""

    kind: ClassVar[str] = "piece"
    seconds: ClassVar[int] = 1

    whole: Made
    number: int

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        return self.whole.inputs

    @property
    def part_of(self) -> Made:
        return self.whole

    def run(self, path_of: Callable[[Stage], Path], out: Path) -> dict[str, float]:
        return {"pieces": 1}


@dataclass(frozen=True)
class MadeTrial:
    name: str
    stages: tuple[Made, ...]


class Simulated:
    """An executor with a clock: the stage that ends first is made when it is waited for."""

    def __init__(self, store: Store, slots: int, broken: frozenset[int]) -> None:
        self.store, self.slots, self.broken = store, slots, broken
        self.now = 0
        self.order: list[int] = []
        self._ends: dict[str, tuple[int, Made | Piece]] = {}

    def start(self, stage: Stage) -> None:
        assert isinstance(stage, Made | Piece)
        assert len(self._ends) < self.slots
        assert all(self.store.has(parent) for parent in stage.inputs), "a stage began before its inputs were there"
        assert all(self.store.has(part) for part in stage.parts(self.store.path)), "a stage began before its parts"
        self.order.append(stage.number)
        self._ends[stage.key] = (self.now + stage.seconds, stage)

    def wait(self) -> Outcome:
        key, (self.now, stage) = min(self._ends.items(), key=lambda item: (item[1][0], item[1][1].number))
        del self._ends[key]
        if stage.number in self.broken:
            return Outcome(key, f"{stage.number} broke", "a traceback")
        self.store.ensure(stage)
        return Outcome(key)

    def close(self) -> None:
        self._ends.clear()


@st.composite
def graphs(draw: st.DrawFn) -> list[Made]:
    stages: list[Made] = []
    for number in range(draw(st.integers(1, 9))):
        parents = draw(st.sets(st.sampled_from(range(number)), max_size=3)) if number else set()
        rests_on = tuple(stages[it] for it in sorted(parents))
        stages.append(Made(number, draw(st.integers(1, 9)), rests_on, draw(st.integers(0, 3))))
    return stages


def _trials(stages: list[Made]) -> list[Any]:
    """Return a trial for each stage that no other rests on."""
    inner = {parent.key for stage in stages for parent in stage.inputs}
    ends = [stage for stage in stages if stage.key not in inner]
    return [MadeTrial(f"trial {end.number}", tuple(ancestors(end))) for end in ends]  # type: ignore[arg-type]


def _there(stage: Stage) -> Path:
    return Path()


def _critical_path(stages: list[Made]) -> int:
    length: dict[str, int] = {}
    for stage in stages:
        own = stage.seconds + bool(stage.pieces)  # the pieces, a second each, side by side
        length[stage.key] = own + max((length[parent.key] for parent in stage.inputs), default=0)
    return max(length.values())


@given(graphs(), st.integers(1, 4), st.sets(st.sampled_from([*range(9), *range(100, 1000, 100)]), max_size=2))
def test_every_graph_ends_soon_and_failures_end_only_what_needs_them(
    stages: list[Made], slots: int, broken: set[int]
) -> None:
    """Graham's bound (1966) holds for a list schedule: total time over slots, plus the critical path."""
    with TemporaryDirectory() as folder:
        store, trials = Store(Path(folder)), _trials(stages)
        executor = Simulated(store, slots, frozenset(broken))
        ended: dict[str, str | None] = {}
        logged: list[str] = []
        failed = schedule.run(
            trials,
            store,
            lambda: executor,
            lambda _: None,
            lambda trial, failure: ended.update({trial.name: failure}),
            logged.append,
        )
        numbers = {stage.number: {stage.number, *(it.number for it in stage.parts(_there))} for stage in stages}
        doomed = {trial.name for trial in trials if any(broken & numbers[stage.number] for stage in trial.stages)}
        assert failed.keys() == doomed
        assert ended.keys() == {trial.name for trial in trials}
        assert {name for name, failure in ended.items() if failure} == doomed
        assert len(executor.order) == len(set(executor.order))
        for trial in trials:
            if trial.name not in doomed:
                assert all(store.has(stage) for stage in trial.stages)
        if not broken:
            work = sum(stage.seconds + stage.pieces for stage in stages)
            assert executor.now <= work / slots + _critical_path(stages)
            assert sorted(executor.order) == sorted(number for own in numbers.values() for number in own)
            assert not list(Path(folder).glob("piece/*"))
            assert [store.cost(stage).get("pieces", 0) for stage in stages] == [stage.pieces for stage in stages]


def test_with_one_slot_stages_run_in_the_order_of_the_trials(tmp_path: Path) -> None:
    shared = Made(0, 1, ())
    first, second = Made(2, 1, (shared,)), Made(1, 1, (shared,))
    store = Store(tmp_path)
    executor = Simulated(store, 1, frozenset())
    trials: list[Any] = [MadeTrial("a", (shared, first)), MadeTrial("b", (shared, second))]
    schedule.run(trials, store, lambda: executor, lambda _: None, lambda *_: None, lambda _: None)
    assert executor.order == [0, 2, 1]


def test_what_runs_is_shown_with_the_time_left(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ends = [Made(number, 3, ()) for number in range(4)]
    shown: list[schedule.Progress] = []
    trials: list[Any] = [MadeTrial(f"trial {end.number}", (end,)) for end in ends]
    executor = Simulated(store, 2, frozenset())
    schedule.run(trials, store, lambda: executor, shown.append, lambda *_: None, lambda _: None)
    assert [(one.done, one.total) for one in shown] == [(0, 4), (0, 4), (1, 4), (2, 4)]
    assert [one.label.count(" | ") for one in shown] == [0, 1, 1, 1]
    assert [one.number for one in shown] == [1, 2, 3, 4]
    assert [one.begins for one in shown] == [f"trial {end.number}: {end.label}" for end in ends]


class OfAnother(Simulated):
    """An executor beside another process, which makes ``theirs`` until the ``after``th stage is waited for here."""

    def __init__(self, store: Store, theirs: Made, after: int) -> None:
        super().__init__(store, 1, frozenset())
        self._theirs, self._after = theirs, after
        self._held = ExitStack()
        self._held.enter_context(Store(store.root).lease(theirs.key).hold())

    def wait(self) -> Outcome:
        self._after -= 1
        if self._after == 0:
            self._held.close()
            self.store.ensure(self._theirs)
        return super().wait()


def test_a_stage_of_another_process_is_not_said_to_begin(tmp_path: Path) -> None:
    """It is counted when it is there, and all numbers are different."""
    store = Store(tmp_path)
    ends = [Made(number, 1, ()) for number in range(4)]
    trials: list[Any] = [MadeTrial(f"trial {end.number}", (end,)) for end in ends]
    shown: list[schedule.Progress] = []
    executor = OfAnother(store, ends[0], 2)
    schedule.run(trials, store, lambda: executor, shown.append, lambda *_: None, lambda _: None)
    assert executor.order == [1, 2, 3]
    assert [one.begins for one in shown] == [f"trial {number}: {ends[number].label}" for number in (1, 2, 3)]
    assert [one.number for one in shown] == [1, 2, 4]
    assert all(store.has(end) for end in ends)
