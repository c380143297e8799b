from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from negbench.rng import CounterRNG, key, keys

# All seeds are fixed: the tests below that look at chance give the same figures each time.
COUNT = 20_000
WORD = 2**64


def independent_bits(seed: int, part: str, round_: int, *counters: int) -> int:
    """The same function in Python's own integers, written from the definition of splitmix64's finaliser."""

    def mix(bits: int) -> int:
        bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 % WORD
        bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB % WORD
        return bits ^ (bits >> 31)

    golden = 0x9E3779B97F4A7C15
    name = f"{seed}\x1f{part}\x1f{round_}".encode()
    state = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little")
    for counter in counters:
        state = mix(((state + golden) % WORD) ^ mix((counter + golden) % WORD))
    return state


def counter_for(rng: CounterRNG, wanted: int) -> np.uint64:
    """The counter that makes ``rng`` give the bits ``wanted``: the mixing is a bijection, so go backwards."""

    def unmix(bits: int) -> int:
        for shift, factor in ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9), (30, 1)):
            whole = bits
            for _ in range(64 // shift):
                whole = bits ^ (whole >> shift)
            bits = whole * pow(factor, -1, WORD) % WORD
        return bits

    golden = 0x9E3779B97F4A7C15
    state = (int(rng.bits()) + golden) % WORD
    return np.uint64((unmix(unmix(wanted) ^ state) - golden) % WORD)


@given(
    st.integers(0, 2**40),
    st.text(max_size=8),
    st.integers(0, 99),
    st.lists(st.integers(0, 2**63 - 1) | st.integers(0, WORD - 1), max_size=3),
)
def test_bits_are_splitmix64(seed: int, part: str, round_: int, counters: list[int]) -> None:
    assert int(CounterRNG(seed, part, round_).bits(*counters)) == independent_bits(seed, part, round_, *counters)


def test_golden_values() -> None:
    """A change of these changes every draw: raise the version of all that draws, and only then these numbers."""
    assert key("") == 0xB4B2797457A0A6E4
    assert key("q1") == 0x6880E20EA57A83E7
    rng = CounterRNG(0, "simans", 1)
    assert int(rng.bits()) == 0xF899F001F0842C13
    expected = [0xCA4734CA737BA338, 0x2B1D25316A68BEF0, 0xDF37BC30B8AB5DCB]
    assert rng.bits(np.uint64(5), np.arange(3)).tolist() == expected
    assert rng.uniform(7) == 0.03727575645464892
    assert rng.gumbel(7, 8) == pytest.approx(0.07215566639746962, rel=1e-14)  # the last bit is libm's
    assert rng.order(np.arange(8)).tolist() == [4, 7, 2, 3, 0, 5, 1, 6]


@given(st.lists(st.integers(0, WORD - 1), min_size=1, max_size=8), st.lists(st.integers(0, 2**31 - 1), max_size=8))
def test_broadcast_equals_one_by_one(queries: list[int], documents: list[int]) -> None:
    rng = CounterRNG(3, "uniform")
    table = rng.bits(np.array(queries, np.uint64)[:, None], np.array(documents, np.int32))
    assert table.dtype == np.uint64
    assert table.shape == (len(queries), len(documents))
    assert table.tolist() == [[int(rng.bits(query, document)) for document in documents] for query in queries]


def test_neither_order_nor_batch_nor_neighbours_matter() -> None:
    rng = CounterRNG(3, "uniform")
    queries, documents = keys([f"q{at}" for at in range(20)]), keys([f"d{at}" for at in range(30)])
    whole = rng.gumbel(queries[:, None], documents)
    some, mixed = np.array([17, 2, 9]), np.random.default_rng(0).permutation(30)
    rng.uniform(1, 2, 3)  # what was asked before leaves no trace
    assert np.array_equal(rng.gumbel(queries[some, None], documents[mixed]), whole[some][:, mixed])


def test_equal_ids_of_different_types_are_one_counter() -> None:
    rng = CounterRNG(1, "x")
    for one in (5, np.int32(5), np.uint64(5), np.array(5), np.int64(5)):
        assert rng.bits(one) == rng.bits(5)
    assert rng.bits(np.int32(-1)) == rng.bits(np.uint64(WORD - 1))


def test_the_order_of_counters_matters() -> None:
    rng = CounterRNG(1, "x")
    assert rng.bits(1, 2) != rng.bits(2, 1)
    assert len({int(rng.bits(*[0] * count)) for count in range(5)}) == 5


STREAMS: dict[str, Callable[[], np.ndarray]] = {
    "consecutive": lambda: CounterRNG(0, "a").uniform(np.arange(COUNT)),
    "multiples": lambda: CounterRNG(0, "a").uniform(np.arange(COUNT) * 2**32),
    "hashes": lambda: CounterRNG(1, "b").uniform(keys([str(at) for at in range(COUNT)])),
    "second counter": lambda: CounterRNG(0, "a").uniform(7, np.arange(COUNT)),
    "grid": lambda: CounterRNG(0, "a").uniform(np.arange(100)[:, None], np.arange(200)).ravel(),
    "seeds": lambda: np.array([CounterRNG(seed, "a").uniform(0) for seed in range(2000)]),
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_uniform(stream: Callable[[], np.ndarray]) -> None:
    drawn = stream()
    assert ((drawn > 0) & (drawn < 1)).all()
    assert len(np.unique(drawn)) == len(drawn)
    assert stats.kstest(drawn, "uniform").pvalue > 0.001
    assert stats.chisquare(np.histogram(drawn, bins=64, range=(0, 1))[0]).pvalue > 0.001
    pairs, _, _ = np.histogram2d(drawn[:-1], drawn[1:], bins=8, range=[[0, 1], [0, 1]])
    assert stats.chisquare(pairs.ravel()).pvalue > 0.001  # neighbours do not hang together


def test_every_bit_is_fair() -> None:
    bits = CounterRNG(0, "a").bits(np.arange(COUNT))
    for place in range(64):
        ones = int(((bits >> np.uint64(place)) & np.uint64(1)).sum())
        assert stats.binomtest(ones, COUNT).pvalue > 1e-4, place


@pytest.mark.parametrize(
    "other",
    [
        CounterRNG(1, "a"),
        CounterRNG(0, "b"),
        CounterRNG(0, "a", 1),
        CounterRNG(10, "a"),
        CounterRNG(0, "a0"),
        CounterRNG(0, "a\x1f0"),
    ],
)
def test_streams_of_other_names_are_uncorrelated(other: CounterRNG) -> None:
    one, two = CounterRNG(0, "a").uniform(np.arange(COUNT)), other.uniform(np.arange(COUNT))
    assert not (one == two).any()
    assert stats.spearmanr(one, two).pvalue > 0.001
    pairs, _, _ = np.histogram2d(one, two, bins=8, range=[[0, 1], [0, 1]])
    assert stats.chisquare(pairs.ravel()).pvalue > 0.001


def test_seed_part_and_round_do_not_run_together() -> None:
    assert (
        len({int(CounterRNG(seed, part, 1).bits()) for seed, part in ((1, "1a"), (11, "a"), (1, "a"), (11, "1a"))}) == 4
    )


def test_gumbel_numbers_are_standard() -> None:
    drawn = CounterRNG(0, "a").gumbel(np.arange(COUNT))
    assert np.isfinite(drawn).all()
    assert stats.kstest(drawn, "gumbel_r").pvalue > 0.001


@pytest.mark.parametrize("logits", [[0.0, 0.0, 0.0], [0.0, 1.0, 2.5, -1.0], [3.0, -3.0]])
def test_the_largest_of_log_weight_plus_gumbel_is_a_draw_by_softmax(logits: list[float]) -> None:
    weights = np.array(logits)
    drawn = CounterRNG(5, "softmax").gumbel(np.arange(COUNT)[:, None], np.arange(len(weights)))
    chosen = np.bincount((weights + drawn).argmax(axis=1), minlength=len(weights))
    share = np.exp(weights) / np.exp(weights).sum()
    assert stats.chisquare(chosen, COUNT * share).pvalue > 0.001


def test_the_extremes_of_the_bits_stay_strictly_between_0_and_1() -> None:
    rng = CounterRNG(0, "edges")
    for wanted in (0, WORD - 1, WORD // 2, 2**11 - 1):
        counter = counter_for(rng, wanted)
        assert int(rng.bits(counter)) == wanted
        drawn = float(rng.uniform(counter))
        assert 0 < drawn < 1
        assert drawn == pytest.approx(wanted / WORD, abs=2**-50)
        assert np.isfinite(rng.gumbel(counter))


def test_order_is_a_permutation_that_follows_the_ids() -> None:
    rng, ids = CounterRNG(0, "order"), keys([f"d{at}" for at in range(50)])
    order = rng.order(ids)
    assert sorted(order.tolist()) == list(range(50))
    assert order.tolist() != list(range(50))
    shuffled = np.random.default_rng(0).permutation(50)
    assert np.array_equal(ids[shuffled][rng.order(ids[shuffled])], ids[order])


def test_order_is_uniform() -> None:
    counts: dict[tuple[int, ...], int] = {}
    for seed in range(2400):
        found = tuple(CounterRNG(seed, "order").order(np.arange(4)).tolist())
        counts[found] = counts.get(found, 0) + 1
    assert len(counts) == 24
    assert stats.chisquare(list(counts.values())).pvalue > 0.001


def test_keys_are_blake2b_of_the_text() -> None:
    texts = ["", "q1", "q2", "ünï", "q1"]
    assert keys(texts).tolist() == [
        int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") for text in texts
    ]
    assert keys([]).shape == (0,)
    assert keys(texts).dtype == np.uint64


def test_nothing_touches_global_random_state() -> None:
    np.random.seed(7)
    before = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    CounterRNG(0, "a").gumbel(np.arange(10))
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index, union-attr]
