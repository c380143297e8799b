"""Groups of documents against every pair compared."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negbench.collections.duplicates import equal_texts, groups, normalised

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
    assert groups([*texts, " ..."], 1.0).tolist() == [0, 0, 0, 3, 4, 5, 6, 7, 7, 6]  # the same, though no words


@given(st.text(st.characters(max_codepoint=0x2FF)))
def test_the_words_of_a_text_are_runs_of_letters_digits_and_underscores(text: str) -> None:
    """In Latin letters, of which only marks that stand by themselves and the soft hyphen are optional."""
    folded = unicodedata.normalize("NFKC", text.replace("\u00ad", "")).casefold().replace("i\u0307", "i")
    plain = unicodedata.normalize("NFKC", folded)
    if not any(unicodedata.combining(letter) for letter in plain):
        assert normalised(text) == " ".join(re.findall(r"\w+", plain))


DIFFERENT = [
    ("\u0926\u093f\u0928", "\u0926\u093e\u0928"),  # Hindi: day, gift
    ("\u0995\u09b2\u09be", "\u0995\u09b2\u09bf"),  # Bengali: banana, age
    ("\u0b95\u0bb2\u0bcd", "\u0b95\u0bb2"),  # Tamil: stone, and without the sign that ends the syllable
    ("\u0e14\u0e35", "\u0e14\u0e39"),  # Thai: good, to look
    ("\u0e1b\u0e48\u0e32", "\u0e1b\u0e49\u0e32"),  # Thai: forest, aunt
    ("\u1019\u1031", "\u1019\u102c"),  # Burmese
    ("\u1791\u17b8", "\u1791\u17bc"),  # Khmer
    ("\u30cf", "\u30d0"),  # kana with and without a voicing mark
    ("\u0451", "\u0435"),  # Cyrillic
    ("...", "???"),
    ("\U0001f355", "\U0001f697"),
]
SAME = [
    ("cafe\u0301", "CAF\u00c9"),
    ("\u30cf\u3099", "\uff8a\uff9e"),  # kana, composed and of half width
    ("\u0643\u064e\u0644\u0650\u0645\u064e\u0629", "\u0643\u0644\u0645\u0629"),  # Arabic with and without vowel points
    ("\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd", "\u05e9\u05dc\u05d5\u05dd"),  # Hebrew
    ("\u0967\u0968", "12"),
    ("so\u00adft", "soft"),
    ("\u2665", " \u2665"),  # without words, what stands there counts
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_a_mark_makes_another_word(one: str, other: str) -> None:
    assert equal_texts([f"a {one}", f"a {other}", one, other]).tolist()[2:] == [2, 3]
    if any(letter.isalpha() for letter in one):
        assert equal_texts([f"a {one}", f"a {other}"]).tolist() == [0, 1]


SIGNS = [
    ("c++", "c#"),
    ("c", "c#"),
    ("c", "c++"),
    ("at -5 \u00b0C", "at 5 \u00b0C"),
    ("5 \u20ac", "5 $"),
    ("50 %", "50"),
    ("x < y", "x > y"),
    ("a \u00d7 b", "a \u00f7 b"),
    ("good \U0001f44d", "good \U0001f44e"),
    ("from \U0001f1eb\U0001f1f7", "from \U0001f1e9\U0001f1ea"),
    ("1 + 2 = 3", "1 2 + 3 ="),
]
NO_SIGNS = [
    ("# Heading", "Heading"),
    ("- one item", "one item"),
    ("\u25a0 one item", "\u2022 one item"),
    ("| a | b |", "a b"),
    ("3-5 eggs", "3\u20135 eggs"),
    ("\u00bd cup", "1/2 cup"),
    ("Brand\u00ae \u2122", "brand"),
    ("at \u22125 \u00b0C", "at -5 \u2103"),
    ("\uff0b1", "+1"),
    ("good \U0001f44d\U0001f3fd", "good \U0001f44d"),
    ("don't", "don\u2019t"),
]


@pytest.mark.parametrize(("one", "other"), SIGNS)
def test_a_sign_makes_another_text_of_the_same_words(one: str, other: str) -> None:
    assert equal_texts([one, other]).tolist() == [0, 1]


@pytest.mark.parametrize(("one", "other"), NO_SIGNS)
def test_other_punctuation_makes_no_other_text(one: str, other: str) -> None:
    assert equal_texts([one, other]).tolist() == [0, 0]


def told(text: str) -> list[str]:
    """Words and signs of a text, character by character."""
    text = unicodedata.normalize("NFKC", text).casefold()
    found = [""]
    for place, letter in enumerate(text):
        before, after = text[:place][-1:], text[place + 1 :][:1]
        if letter.isalnum():
            found[-1] += letter
        elif letter in "-\u2212":
            found += ["-", ""] if after.isdigit() and not before.isalnum() else [""]
        elif letter == "#":
            found += ["#", ""] if before.isalnum() else [""]
        elif letter in "+<=\u20ac%\u00b0\u2665":
            found += [letter, ""]
        else:
            found += [""]
    return [part for part in found if part]


@given(st.lists(st.text("ab1-#+<=|*~ \u2212\u20ac%\u00b0\u2665\u25a0", max_size=5), max_size=12))
def test_texts_are_equal_where_a_reading_letter_by_letter_finds_the_same(texts: list[str]) -> None:
    read = [told(text) or [" ".join(text.split())] for text in texts]
    expected = [read.index(own) if own != [""] else row for row, own in enumerate(read)]
    assert equal_texts(texts).tolist() == expected


@pytest.mark.parametrize(("one", "other"), SAME)
def test_forms_of_a_word_are_one(one: str, other: str) -> None:
    assert equal_texts([one, other]).tolist() == [0, 0]


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
