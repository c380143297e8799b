"""Words of scripts without spaces by ICU's dictionaries: Chinese, Japanese, Thai, Lao, Khmer and Burmese."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from negbench.errors import InputError

Segmenter = Literal["pairs", "icu"]
"""``pairs`` of adjacent characters, or ``icu``: the dictionaries of ICU, which Lucene's ICUTokenizer uses, too."""


def icu() -> Callable[[str], list[str]]:
    """Return a function from letters of one script to its words. Raises InputError where icu4py is not installed."""
    try:
        from icu4py.breakers import WordBreaker
    except ImportError as error:
        raise InputError("segmenter icu: icu4py is not installed; pip install 'negbench[icu]'") from error
    return lambda run: list(WordBreaker(run, "und"))
