"""A recipe and training rows of the small garden, for tests of the loop."""

from __future__ import annotations

import numpy as np
from pools import mined

from negbench.training.data import Instances, instances
from negbench.training.recipe import Recipe
from negbench.types import Collection

RECIPE = Recipe(
    epochs=2,
    batch_size=16,
    learning_rate=3e-3,
    warmup=0.3,
    weight_decay=0.1,
    max_grad_norm=4.0,
    max_length=16,
    precision="float32",
)


def rows_with(garden: Collection, k: int, recipe: Recipe | None = None) -> Instances:
    """Return the training rows with ``k`` negatives a query: the next documents that are not labelled."""
    positives = garden.qrels["train"].by_query()
    queries = garden.split_queries("train")
    chosen = [
        [row % 60 for row in range(7 * query, 7 * query + 60) if row % 60 not in positives[query]][:k]
        for query in queries.tolist()
    ]
    table = np.array(chosen, np.int32).reshape(len(queries), k)
    drawn = mined(table, queries=queries)
    return instances(garden, "train", drawn, recipe or RECIPE)
