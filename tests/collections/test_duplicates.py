"""Groups of documents against every pair compared."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negbench.collections.duplicates import groups, normalised

WORDS = ["sun", "frost", "rain", "wind", "soil", "root", "leaf", "seed", "bloom", "stem"]


def shingles(text: str) -> set[tuple[str, ...]]:
    words = normalised(text).split()
    return {tuple(words[at : at + 3]) for at in range(max(1, len(words) - 2))}


def by_hand(texts: list[str], threshold: float) -> list[int]:
    """Chains of pairs that overlap by the threshold; the smallest row names a group."""
    leader = list(range(len(texts)))
    for one in range(len(texts)):
        for other in range(one):
            if not normalised(texts[one]) or not normalised(texts[other]):
                continue
            mine, theirs = shingles(texts[one]), shingles(texts[other])
            same = normalised(texts[one]) == normalised(texts[other])
            if same or len(mine & theirs) >= threshold * len(mine | theirs):
                low, high = sorted((leader[one], leader[other]))
                leader = [low if row == high else row for row in leader]
    return leader


@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join), max_size=12))
def test_equal_words_make_a_group(texts: list[str]) -> None:
    found = groups(texts, 1.0)
    assert found.dtype == np.int32
    for row, text in enumerate(texts):
        same = [other for other in range(len(texts)) if normalised(texts[other]) == normalised(text)]
        assert found[row] == (same[0] if normalised(text) else row)


def test_case_punctuation_spaces_and_compatible_letters_do_not_matter() -> None:
    texts = ["Give  water!", "give, WATER", "ｇｉｖｅ water", "give watering", "", "", "...", "ﬁne soil", "fine soil"]
    assert groups(texts, 1.0).tolist() == [0, 0, 0, 3, 4, 5, 6, 7, 7]


@given(st.text(st.characters(max_codepoint=127)) | st.text())
def test_the_words_of_a_text_are_runs_of_letters_digits_and_underscores(text: str) -> None:
    folded = unicodedata.normalize("NFKC", text).casefold()
    assert normalised(text) == " ".join(re.findall(r"\w+", folded))


@pytest.mark.parametrize("threshold", [0.75, 0.5, 0.3])
def test_near_duplicates_are_those_of_all_pairs(threshold: float) -> None:
    """Texts of 60 words with none to 30 of them changed: far from the threshold MinHash overlooks none."""
    rng = np.random.default_rng(0)
    texts = []
    for _ in range(12):
        base = rng.choice(2000, 60)
        for changed in (0, 0, 1, 30):
            words = base.copy()
            words[rng.choice(60, changed, replace=False)] = rng.choice(2000, changed)
            texts.append(" ".join(f"w{word}" for word in words))
    assert groups(texts, threshold).tolist() == by_hand(texts, threshold)
