"""A share in percent with its interval, as text."""

from __future__ import annotations

import math

MOST_DIGITS = 6
"""Digits after the point that a share has at most."""


def percent(share: float, low: float | None, high: float | None) -> tuple[str, str]:
    """Return a share in [0, 1] in percent, and its interval in brackets, empty without ends.

    Both have one digit after the point. A share below 1 % has two significant digits, and more where it would read as
    an end of its interval that it is not.
    """
    digits = 1
    while digits < MOST_DIGITS and (_few(share, digits) or any(_alike(share, end, digits) for end in (low, high))):
        digits += 1
    span = "" if low is None or high is None else f"[{_in_percent(low, digits)}, {_in_percent(high, digits)}]"
    return _in_percent(share, digits), span


def _in_percent(share: float, digits: int) -> str:
    return f"{100 * share:.{digits}f}"


def _few(share: float, digits: int) -> bool:
    """Return whether a share that is not 0 has fewer than two significant digits."""
    return 0 < share < 0.01 and len(_in_percent(share, digits).replace(".", "").lstrip("0")) < 2


def _alike(share: float, end: float | None, digits: int) -> bool:
    if end is None or math.isclose(end, share, abs_tol=1e-9):  # the estimate is its end, but for rounding
        return False
    return _in_percent(share, digits) == _in_percent(end, digits)
