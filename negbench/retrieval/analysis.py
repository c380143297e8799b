"""From text to terms: letter forms, words, scripts without spaces, stop words and stemmers by language."""

from __future__ import annotations

import heapq
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, Literal

from negbench.letters import fold, marks, ranges
from negbench.retrieval import segmenters
from negbench.retrieval.segmenters import Segmenter

Language = Literal[
    "auto", "none",
    "ar", "ca", "da", "de", "el", "en", "es", "et", "eu", "fi", "fr", "ga", "hi", "hu", "hy", "id", "it",
    "lt", "ne", "nl", "no", "pt", "ro", "ru", "sr", "sv", "ta", "tr", "yi",
    "ja", "km", "ko", "lo", "my", "th", "zh",
]  # fmt: skip
"""``auto``, ``none``, or the ISO 639-1 code of a language that Snowball stems or whose script has no spaces."""

_SNOWBALL = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "et": "estonian", "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian",
    "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch",
    "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish",
    "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip

_STOP_WORDS = {
    "da": "DANISH", "de": "GERMAN", "en": "EN", "es": "SPANISH", "fr": "FRENCH", "it": "ITALIAN", "nl": "DUTCH",
    "no": "NORWEGIAN", "pt": "PORTUGUESE", "ru": "RUSSIAN", "sv": "SWEDISH", "tr": "TURKISH",
}  # fmt: skip
"""The lists of bm25s; the English one is Lucene's 33 words."""

_SAMPLE = 300
"""Number of documents from which the language of a collection is detected."""

_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F),  # Burmese
    (0x1100, 0x11FF), (0xAC00, 0xD7FF),  # Hangul
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF), (0x1A20, 0x1AAF),  # Tai
    (0x3005, 0x3007), (0x3021, 0x3029), (0x3038, 0x303B), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),  # Han
    (0x3041, 0x30FF), (0x31F0, 0x31FF), (0x1B000, 0x1B16F),  # kana
    (0x3100, 0x312F), (0x31A0, 0x31BF),  # Bopomofo
)  # fmt: skip
"""Scripts that leave no spaces between words; and Hangul, which joins particles to them."""

_WORDS = ("CJK", "HANGUL SYLLABLE")
"""Prefixes of the Unicode names of characters that can be words by themselves."""

_TURKISH = {ord("I"): "ı", ord("İ"): "i"}


Segment = Callable[[str], list[str]]
"""A function from the letters of a script without spaces to words."""


def split(text: str, shortest: int = 1, segment: Segment | None = None) -> list[str]:
    """Return the words of folded ``text`` with at least ``shortest`` letters, in order.

    Of scripts without spaces, and of Hangul, come the pairs of adjacent characters, as in Lucene's CJKAnalyzer; of
    Han and Hangul, where one character can be a word, also each by itself. A character that stands alone is a term.
    ``segment`` cuts into words instead, except of Hangul, whose words have spaces between them.
    """
    if text.isascii() or not any(map(_special, set(text))):
        return _plain(shortest).findall(text)
    terms: list[str] = []
    end = 0
    for run in _unspaced().finditer(text):
        terms += _words(shortest).findall(text[end : run.start()])
        letters = run.group()
        terms += (
            _grams(letters) if segment is None or "HANGUL" in unicodedata.name(letters[0], "") else segment(letters)
        )
        end = run.end()
    return terms + _words(shortest).findall(text[end:])


def parts(word: str) -> list[str]:
    """Return folded ``word`` as one term, or, where some of it is in a script without spaces, what ``split`` makes of
    that, and what stands between as it is.
    """
    terms: list[str] = []
    end = 0
    for run in () if word.isascii() else _unspaced().finditer(word):
        terms += [word[end : run.start()], *_grams(run.group())]
        end = run.end()
    return [term for term in (*terms, word[end:]) if term]


def _grams(run: str) -> list[str]:
    """Return the terms of letters in scripts without spaces, marks included."""
    characters = _characters().findall(run)
    if len(characters) == 1:
        return [run]
    grams: list[str] = []
    for character, following in pairwise([*characters, ""]):
        grams += [character] if unicodedata.name(character[0], "").startswith(_WORDS) else []
        grams += [character + following] if following else []
    return grams


def language_of(documents: Sequence[str]) -> str:
    """Return the language whose stop words are most frequent in a sample of ``documents``; the sample has no order.

    ``en`` unless another has at least a tenth of all words and more than twice as many as English; ``none`` where none
    has so many and most words are not in Latin letters. Languages without a list of stop words have to be named.
    """
    sample = heapq.nsmallest(_SAMPLE, set(documents), key=lambda text: (zlib.crc32(text.encode()), text))
    counts = Counter(word for text in sample for word in split(fold(text)))
    shares = {code: sum(counts[word] for word in stop_words(code)) for code in _STOP_WORDS}
    best = max(shares, key=lambda code: shares[code])
    total = counts.total()
    if shares[best] > 2 * shares["en"] and shares[best] >= total / 10:
        return best
    latin = sum(count for word, count in counts.items() if word < "\N{GREEK CAPITAL LETTER ALPHA}")
    return "en" if 2 * latin >= total else "none"


@cache
def stop_words(language: str) -> frozenset[str]:
    """Return the stop words of a language, folded; none where bm25s has no list of them."""
    from bm25s import stopwords

    listed = getattr(stopwords, f"STOPWORDS_{_STOP_WORDS[language]}") if language in _STOP_WORDS else ()
    return frozenset(fold(word) for word in listed)


def note(language: str, chosen: str, stem: bool) -> str:
    """Return a sentence on the ``chosen`` language for ``language``, named or ``auto``; empty for English.

    A script without spaces needs no language.
    """
    if chosen == "en" or language == "none":
        return ""
    if chosen == "none":
        return (
            "no language was recognised: there are neither stop words nor stems, and scripts without spaces are cut "
            "as `segmenter` says; bm25(language=fi) names a language"
        )
    lists = ["stop words"] if chosen in _STOP_WORDS else []
    stems = ["Snowball stems"] if stem and chosen in _SNOWBALL else []
    how = "recognised by its stop words" if language == "auto" else "as named"
    return f"the language is {chosen}, {how}, with {' and '.join(lists + stems) or 'neither stop words nor stems'}"


def tokenizer(language: str, stem: bool, documents: Sequence[str], segmenter: Segmenter = "pairs") -> Any:
    """Return a bm25s tokenizer that knows no term yet, for ``language`` or, if ``auto``, that of ``documents``.

    English drops words of one letter, as bm25s does. Raises InputError for a segmenter that is not installed.
    """
    import Stemmer
    from bm25s.tokenization import Tokenizer

    chosen = language_of(documents) if language == "auto" else language
    stemmer = Stemmer.Stemmer(_SNOWBALL[chosen]) if stem and chosen in _SNOWBALL else None
    segment = segmenters.icu() if segmenter == "icu" else None
    return Tokenizer(
        lower=False, splitter=_splitter(chosen, segment), stopwords=list(stop_words(chosen)), stemmer=stemmer
    )


def _splitter(language: str, segment: Segment | None) -> Callable[[str], list[str]]:
    shortest = 2 if language == "en" else 1
    if language == "tr":
        return lambda text: split(fold(text.translate(_TURKISH)), shortest, segment)
    return lambda text: split(fold(text), shortest, segment)


@cache
def _plain(shortest: int) -> re.Pattern[str]:
    return re.compile(rf"\w{{{shortest},}}")


@cache
def _words(shortest: int) -> re.Pattern[str]:
    return re.compile(rf"(?:\w[{marks()}]*){{{shortest},}}")


@cache
def _special(character: str) -> bool:
    """Return whether a character is a mark or of a script without spaces."""
    return unicodedata.category(character)[0] == "M" or _unspaced().match(character) is not None


@cache
def _characters() -> re.Pattern[str]:
    return re.compile(f"[{_letters()}][{marks()}]*")


@cache
def _unspaced() -> re.Pattern[str]:
    return re.compile(f"(?:{_characters().pattern})+")


@cache
def _letters() -> str:
    inside = (code for first, last in _UNSPACED for code in range(first, last + 1))
    return ranges(code for code in sorted(inside) if unicodedata.category(chr(code))[0] in "LN")
