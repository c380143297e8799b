"""How figures are written on the pages of papers and claims."""

from __future__ import annotations

import pytest

from negbench.papers import page


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.12345, "0.1235"), (-0.000612, "-0.00061"), (4.2e-14, "0.0000"), (None, "unknown"), (float("nan"), "unknown")],
)
def test_a_small_figure_keeps_its_digits_and_rounding_is_none(value: float | None, shown: str) -> None:
    assert page.number(value) == shown
