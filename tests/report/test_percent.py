"""Shares in percent, written out by hand."""

from __future__ import annotations

import pytest

from negbench.report.percent import percent


@pytest.mark.parametrize(
    ("share", "low", "high", "shown"),
    [
        (0.0014, 0.0006, 0.0029, ("0.14", "[0.06, 0.29]")),
        (0.14, 0.1075, 0.178, ("14.0", "[10.8, 17.8]")),
        (0.0398, 0.0329, 0.0477, ("4.0", "[3.3, 4.8]")),
        (0.0073, 0.0051, 0.0101, ("0.73", "[0.51, 1.01]")),
        (0.00014, 0.0, 0.0005, ("0.014", "[0.000, 0.050]")),
        (0.2001, 0.1998, 0.2101, ("20.01", "[19.98, 21.01]")),  # with one digit both would read 20.0
        (0.0, 0.0, 0.002, ("0.0", "[0.0, 0.2]")),  # the estimate is its end
        (1.0, 0.97, 1.0, ("100.0", "[97.0, 100.0]")),
        (1.0, 0.97, 1 - 1e-16, ("100.0", "[97.0, 100.0]")),  # but for rounding
        (0.0102, None, None, ("1.0", "")),
        (1e-8, 0.0, 0.01, ("0.000001", "[0.000000, 1.000000]")),
    ],
)
def test_an_estimate_never_reads_as_its_own_bound(
    share: float, low: float | None, high: float | None, shown: tuple[str, str]
) -> None:
    assert percent(share, low, high) == shown
