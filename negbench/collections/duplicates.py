"""Groups of duplicate documents: equal after normalisation, or near-duplicates."""

from __future__ import annotations

import hashlib
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from negbench import letters
from negbench.types import Collection, Int32, Qrels

SHINGLE = 3
"""Words per shingle."""

_ASCII_WORDS = {code: chr(code).lower() if re.match(r"\w", chr(code)) else " " for code in range(128)}
"""What ``normalised`` makes of each ASCII character."""
_LOWER = bytes(range(256)).lower()
_NO_LETTERS = bytes(code for code, letter in _ASCII_WORDS.items() if letter == " ")
"""ASCII characters that belong to no word."""

MINUS = "\u2212"
_NO_SIGNS = f"|~\u2044{MINUS}\u00a9\u00ae\u2117"
"""Symbols that say nothing of their own: bars, the line of a fraction (``1/2`` is written with and without), marks of
copyright. A minus counts in front of a number alone: elsewhere it is written as a hyphen or a dash."""
_BULLETS = range(0x2500, 0x2600)
"""Lines, blocks and geometric shapes."""


def equal_texts(texts: Sequence[str]) -> Int32:
    """Return for each text [N] the row of the first whose ``words_of`` is the same; an empty text is alone."""
    leaders = np.arange(len(texts), dtype=np.int32)
    for rows in _same_letters(texts):
        first: dict[str, int] = {}
        for row in rows:
            if words := words_of(texts[row]):
                leaders[row] = first.setdefault(words, row)
    return leaders


def _same_letters(texts: Iterable[str]) -> Iterable[list[int]]:
    """Return the rows, two or more and ascending, of texts whose words are equal when written without spaces.

    Texts with the same words are among them, and few others; to cut a text into words takes several times as long.
    """
    first: dict[bytes, int] = {}
    groups: dict[int, list[int]] = {}
    for row, text in enumerate(texts):
        letters = text.encode().translate(_LOWER, _NO_LETTERS) if text.isascii() else _letters(text)
        digest = hashlib.blake2b(letters, digest_size=16).digest()  # a corpus of digests fits into memory
        leader = first.setdefault(digest, row)
        if leader != row:
            groups.setdefault(leader, [leader]).append(row)
    return groups.values()


def _letters(text: str) -> bytes:
    return normalised(text).replace(" ", "").encode()


def unlabelled_copies(collection: Collection, split: str) -> Qrels:
    """Return the pairs of a query and a document that is no labelled positive but has the text of one."""
    labels = collection.qrels[split].at_least(1)
    both = labels.with_copies(collection.copies())
    return both.where(~labels.contains(both.queries, both.documents))


def with_copies_in_truth(collection: Collection) -> Collection:
    """Return the collection with copies of relevant documents in its truth, where those of positives are known.

    Mining takes no copy of a positive for a negative, so one of another relevant document is a false negative.
    """
    if not (collection.truth and collection.copies_known and (copies := collection.copies())):
        return collection
    truth = {
        split: Qrels.both(judged.at_least(1).with_copies(copies), judged) for split, judged in collection.truth.items()
    }
    return replace(collection, truth=truth)


def groups(texts: Sequence[str], threshold: float) -> Int32:
    """Return for each text [N] the row of the first text that it belongs with.

    With ``threshold`` 1 that is one whose ``words_of`` is the same; below, one whose shingles of three words overlap by
    that much or more (Jaccard), directly or by a chain. Candidates come from MinHash signatures (datasketch's
    MinHashLSH, 128 permutations) and every pair is then checked, so none is grouped wrongly; one that is just above the
    threshold may be overlooked.
    """
    leader = equal_texts(texts)

    def find(row: int) -> int:
        while leader[row] != row:
            leader[row] = leader[leader[row]]
            row = int(leader[row])
        return row

    def join(one: int, other: int) -> None:
        one, other = sorted((find(one), find(other)))
        leader[other] = one

    if threshold < 1:
        words = {row: _words_and_signs(texts[row]) for row in np.unique(leader).tolist()}
        shingles = {row: _shingles(of_text) for row, of_text in words.items() if of_text}  # an empty text says nothing
        for one, other in _similar(shingles, threshold):
            join(one, other)
    return np.array([find(row) for row in range(len(texts))], np.int32)


def normalised(text: str) -> str:
    """Return the words of a text in one form for each letter (``letters.fold``), without punctuation and spaces."""
    if text.isascii():  # the same words, several times faster
        return " ".join(text.translate(_ASCII_WORDS).split())
    return " ".join(letters.words(letters.fold(text)))


def words_of(text: str) -> str:
    """Return the words and signs of a text, by which copies are told; without any, what stands there.

    Words are as in ``normalised``. Signs make another text of the same words: ``C++`` and ``C#``, ``-5 °C`` and
    ``5 °C``, ``5 €`` and ``5 $``, ``x < y`` and ``x > y``. They are the symbols of money and mathematics, pictures,
    per cent, ``#`` after a letter or digit and a minus before a number. Other punctuation, bars, bullets and the marks
    of copyright are left out, so that one text in two layouts is one.
    """
    return " ".join(_words_and_signs(text)) or folded(text)


def _words_and_signs(text: str) -> list[str]:
    if text.isascii():  # the same, several times faster
        return normalised(_signs(128).sub(_as_word, text)).split()
    return letters.words(_signs(sys.maxunicode + 1).sub(_as_word, letters.fold(text)))


def _as_word(sign: re.Match[str]) -> str:
    return f" sign{ord(sign.group().replace(MINUS, '-')):x} "


@cache
def _signs(end: int) -> re.Pattern[str]:
    """Return the pattern of a sign in a text of characters below ``end``, once for all: it looks at each of them."""
    symbols = (code for code in range(end) if unicodedata.category(chr(code)) in {"Sc", "Sm", "So"})
    counted = letters.ranges(code for code in symbols if chr(code) not in _NO_SIGNS and code not in _BULLETS)
    return re.compile(rf"(?<=\w)#|(?<!\w)[-{MINUS}](?=\d)|[%\u2030{counted}]")


def folded(text: str) -> str:
    """Return the text with every run of white space as one space."""
    return " ".join(text.split())


def _shingles(words: Sequence[str]) -> frozenset[str]:
    if len(words) <= SHINGLE:
        return frozenset([" ".join(words)])
    return frozenset(" ".join(words[start : start + SHINGLE]) for start in range(len(words) - SHINGLE + 1))


def _similar(shingles: dict[int, frozenset[str]], threshold: float) -> Iterable[tuple[int, int]]:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=threshold, num_perm=128)
    for row, own in shingles.items():
        signature = MinHash(num_perm=128, seed=1)
        signature.update_batch([shingle.encode() for shingle in sorted(own)])
        for other in index.query(signature):
            theirs = shingles[other]
            if len(own & theirs) >= threshold * len(own | theirs):
                yield other, row
        index.insert(row, signature)
