from __future__ import annotations

import random
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from negbench.collections.splits import Triple, carve, carved, complete, normalised


@st.composite
def training(draw: st.DrawFn) -> tuple[list[Triple], list[str], list[str]]:
    ids = draw(st.lists(st.text("abcdef0123", min_size=1, max_size=4), unique=True, min_size=1, max_size=40))
    texts = [draw(st.sampled_from(["a", "A ", " a", "b", "c  d", "C D", "e", "f", "g", "h", "i"])) for _ in ids]
    grades = [draw(st.integers(-1, 2)) for _ in ids]
    return [(row, draw(st.integers(0, 5)), grade) for row, grade in enumerate(grades)], ids, texts


@given(training(), st.floats(0.01, 0.49), st.randoms(use_true_random=False))
def test_carving(world: tuple[list[Triple], list[str], list[str]], share: float, shuffler: random.Random) -> None:
    train, ids, texts = world
    chosen = carve(train, ids, texts, share, "dev")

    groups: dict[str, set[int]] = defaultdict(set)
    for row, text in enumerate(texts):
        groups[" ".join(text.lower().split())].add(row)
    eligible = [rows for rows in groups.values() if any(train[row][2] > 0 for row in rows)]
    assert all(rows <= chosen or not rows & chosen for rows in groups.values())
    taken = sum(rows <= chosen for rows in eligible)
    assert taken == (max(1, round(share * len(eligible))) if len(eligible) > 1 else 0)
    assert chosen <= set().union(*eligible)

    # The order of the query file, and so every row number, and that of the judgments, change nothing.
    order = list(range(len(ids)))
    shuffler.shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    moved = [(place[row], document, grade) for row, document, grade in train]
    shuffler.shuffle(moved)
    again = carve(moved, [ids[old] for old in order], [texts[old] for old in order], share, "dev")
    assert {ids[row] for row in chosen} == {ids[order[row]] for row in again}


@given(training(), st.floats(0.01, 0.49), st.floats(0.01, 0.49))
def test_carved_splits_part_the_queries(
    world: tuple[list[Triple], list[str], list[str]], dev: float, test: float
) -> None:
    train, ids, texts = world
    splits, notes = complete({"train": train}, ids, texts, dev=dev, test=test)
    assert sorted(triple for rows in splits.values() for triple in rows) == sorted(train)
    members = {split: {row for row, _, _ in rows} for split, rows in splits.items()}
    assert sum(map(len, members.values())) == len(ids)
    sides = [{normalised(texts[row]) for row in rows} for rows in members.values()]
    assert sum(map(len, sides)) == len(set().union(*sides))
    assert len(notes) == 2


def world(count: int) -> tuple[list[Triple], list[str], list[str]]:
    return [(row, row, 1) for row in range(count)], [f"q{row}" for row in range(count)], list(map(str, range(count)))


def test_only_what_is_missing_is_carved() -> None:
    train, ids, texts = world(100)
    given_ = {"train": train[:80], "dev": train[80:]}
    splits, notes = complete(given_, ids, texts, dev=0.1, test=0.1)
    assert splits["dev"] == given_["dev"]
    assert (len(splits["test"]), len(splits["train"])) == (8, 72)
    assert notes == ["8 of 80 training queries are set aside as the missing test split"]
    assert carved(notes) == (72, 80)
    assert complete(given_, ids, texts, dev=0.1, test=0) == (given_, [])
    only_test = {"test": train}
    assert complete(only_test, ids, texts, dev=0.1, test=0.1) == (only_test, [])


def test_dev_and_test_are_chosen_apart() -> None:
    train, ids, texts = world(1000)
    dev, test = (carve(train, ids, texts, 0.1, split) for split in ("dev", "test"))
    # Independent tenths of a thousand share about ten queries: a hypergeometric with deviation 2.9.
    assert len(dev) == len(test) == 100
    assert 1 <= len(dev & test) <= 25


def test_too_few_queries_are_left_alone() -> None:
    train, ids, texts = world(1)
    splits, notes = complete({"train": train}, ids, texts, dev=0.1, test=0.1)
    assert splits == {"train": train}
    assert notes == [
        "no test split: train has too few distinct queries to carve one",
        "no dev split: train has too few distinct queries to carve one",
    ]


@st.composite
def linked(draw: st.DrawFn) -> tuple[list[Triple], list[str], list[str]]:
    """Queries with up to three positives among a few documents, so that most shares are chains."""
    count = draw(st.integers(2, 40))
    documents = draw(st.integers(1, 60))
    rows = [(row, draw(st.integers(0, documents)), 1) for row in range(count) for _ in range(draw(st.integers(1, 3)))]
    return rows, [f"q{row}" for row in range(count)], [str(row) for row in range(count)]


def chains(train: list[Triple]) -> list[set[int]]:
    """Return the sets of queries that shared positives link, by joining until nothing changes."""
    sets = [{row} for row in {row for row, _, _ in train}]
    held: dict[int, set[int]] = defaultdict(set)
    for row, document, _ in train:
        held[document].add(row)
    for rows in held.values():
        joined = set().union(*(members for members in sets if members & rows))
        sets = [members for members in sets if not members & rows] + [joined]
    return sets


@given(linked(), st.floats(0.05, 0.49))
def test_queries_of_one_positive_stay_on_one_side(
    world: tuple[list[Triple], list[str], list[str]], share: float
) -> None:
    train, ids, texts = world
    chosen = carve(train, ids, texts, share, "test", "positive")
    wanted = max(1, round(share * len(ids)))
    whole = all(members <= chosen or not members & chosen for members in chains(train))
    assert whole or len(chosen) == wanted  # where they cannot, the share is exact and the overlap is told
    assert 0 < len(chosen) <= wanted
    if max(map(len, chains(train))) == 1:
        assert chosen == carve(train, ids, texts, share, "test")


def test_small_chains_are_never_parted() -> None:
    train = [(row, row // 3, 1) for row in range(90)]
    ids, texts = [f"q{row}" for row in range(90)], list(map(str, range(90)))
    chosen = carve(train, ids, texts, 0.1, "test", "positive")
    assert len(chosen) == 9
    assert len({row // 3 for row in chosen}) == 3
    splits, notes = complete({"train": train}, ids, texts, dev=0.1, test=0.1, together="positive")
    assert not {d for _, d, _ in splits["test"]} & {d for _, d, _ in splits["train"]}
    assert notes[0] == "9 of 90 training queries are set aside as the missing test split"
    assert carved(["other words", *(f"name: {note}" for note in notes)]) == (len(splits["train"]), 90)
    assert carved(["other words"]) is None


def test_an_overlap_is_told() -> None:
    train = [(row, row // 3, 1) for row in range(90)]
    ids, texts = [f"q{row}" for row in range(90)], list(map(str, range(90)))
    splits, notes = complete({"train": train}, ids, texts, dev=0, test=0.1)
    shared = sum(d in {d for _, d, _ in splits["train"]} for _, d, _ in splits["test"])
    assert shared
    assert f"{shared} of them share a positive with training queries: `together: positive`" in notes[0]
    one = [(row, 0, 1) for row in range(90)]
    _, notes = complete({"train": one}, ids, texts, dev=0, test=0.1, together="positive")
    assert "9 of them share a positive with training queries: so many queries are linked" in notes[0]
