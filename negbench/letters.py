"""Letters of all scripts: one form for each, and the marks that belong to them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

_DROPPED = re.compile(
    "[\u00ad\u034f\u0640\u200c\u200d\u2060\ufeff"  # soft hyphen, joiners, tatweel
    "\u064b-\u0652\u0670\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"  # vowel points, Arabic and Hebrew
    "\ufe00-\ufe0f]"  # variation selectors
)
"""Characters that may be left out of a word without making it another word."""

_TRADE = re.compile("[\u2120\u2122]")
"""The signs of service and trade marks, which NFKC would turn into letters of the word before them."""

_DIGIT = re.compile(r"(?![0-9])\d")
"""Digits of scripts other than Latin."""


def fold(text: str, case: bool = True) -> str:
    """Return ``text`` with one form for each letter and digit: NFKC, folded ``case``, no optional marks.

    So full-width letters, ligatures, composed and combining accents and the digits of all scripts are told apart no
    more. Accents stay: in many languages they make another word. ASCII is only put in lower case.
    """
    if text.isascii():
        return text.lower() if case else text
    text = unicodedata.normalize("NFKC", _TRADE.sub(" ", _DROPPED.sub("", text)))
    if case:
        text = unicodedata.normalize("NFKC", text.casefold()).replace("i\N{COMBINING DOT ABOVE}", "i")
    return _DIGIT.sub(lambda digit: str(unicodedata.decimal(digit.group())), text)


def words(text: str) -> list[str]:
    """Return the words of folded ``text``: runs of letters, digits and underscores, with the marks on them.

    Marks are vowels in the scripts of India, in Thai and others: without them, different words would be equal.
    """
    return _words().findall(text)


@cache
def _words() -> re.Pattern[str]:
    return re.compile(rf"\w[\w{marks()}]*")


@cache
def marks() -> str:
    """Return all combining marks, as they stand between the brackets of a regular expression."""
    return ranges(code for code in range(0x300, 0x1F000) if unicodedata.category(chr(code))[0] == "M")


def ranges(codes: Iterable[int]) -> str:
    """Return ascending ``codes`` as what stands between the brackets of a regular expression."""
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)
