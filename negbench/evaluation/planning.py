"""How many more seeds or queries a paired difference would need to be told from nothing.

The variance of the mean difference is the sum of a part that falls with the number of seeds and a part that falls with
the number of queries (``significance``). More seeds shrink the first one alone, so where the second is too large no
number of seeds is enough, and only more queries help.
"""

from __future__ import annotations

import math
from dataclasses import replace

from negbench.evaluation.significance import Estimate, detectable, estimate
from negbench.types import Float64

MOST_SEEDS = 50
MOST_QUERIES = 100_000


def seeds_needed(differences: Float64, least: float) -> int | None:
    """Return the smallest number of seeds that would detect a true difference of ``least``, or None.

    ``differences`` [S, Q] are paired values by seed and query, S at least 2. Power is 80 % at 5 %, as in
    ``significance.detectable``. The variances are taken for those of the seeds at hand, and the queries stay the same.
    """
    found, seeds = estimate(differences), len(differences)
    for wanted in range(2, MOST_SEEDS + 1):
        parts = tuple(
            (part * seeds / wanted, float(wanted - 1)) if freedom == seeds - 1 else (part, freedom)
            for part, freedom in found.parts
        )
        if detectable(replace(found, parts=parts)) <= least:
            return wanted
    return None


def queries_needed(differences: Float64, least: float) -> int | None:
    """Return about how many queries would detect a true difference of ``least`` with as many seeds, or None.

    Both parts of the variance are divided by the factor by which the queries grow. This is too hopeful where seeds
    differ by more than the queries explain, so the result is a lower limit.
    """
    found, queries = estimate(differences), differences.shape[1]
    reach = detectable(found)
    if not reach > 0:
        return None
    wanted = math.ceil(queries * (reach / least) ** 2)
    return wanted if wanted <= MOST_QUERIES else None


def known(found: Estimate) -> bool:
    """Whether an estimate can be planned with: it is over several seeds and something varies."""
    return found.tested and found.error > 0
