"""Ids, pairs and visible labels of the generated collection, the same for all of its versions."""

from __future__ import annotations

import numpy as np

from negbench.collections.withholding import Withhold, visible
from negbench.rng import CounterRNG
from negbench.types import Int32, Qrels

LABELLED = ("train", "dev")
"""The splits that lose labels; test keeps all, so that a metric on test measures the truth."""


def split_rows(train: int, dev: int, test: int) -> dict[str, range]:
    """Return the query rows of each split; those of test do not depend on the numbers of the others."""
    return {"train": range(test + dev, test + dev + train), "dev": range(test, test + dev), "test": range(test)}


def pairs(relevant: list[Int32], rows: range) -> Qrels:
    """Return the relevant pairs of the query rows, from the relevant document rows of every query."""
    documents = [relevant[row] for row in rows]
    counts = [len(found) for found in documents]
    return Qrels(
        queries=np.repeat(np.array(rows, np.int32), counts),
        documents=np.concatenate(documents).astype(np.int32),
        grades=np.ones(sum(counts), np.int32),
    )


def with_hidden(
    truth: dict[str, Qrels], how: Withhold, rate: float, texts: tuple[list[str], list[str]], seed: int
) -> dict[str, Qrels]:
    """Return the labels that stay visible: all of test, and a share ``rate`` of train and of dev."""
    qrels = dict(truth)
    for split in LABELLED:
        labels = truth[split]
        luck = CounterRNG(seed, "helpdesk/labels").gumbel(labels.queries, labels.documents)
        qrels[split] = labels.where(visible(labels, how, rate, texts, luck))
    return qrels


def numbered(letter: str, count: int) -> list[str]:
    """Return so many ids: the letter and a number from 1, all of one width."""
    width = max(4, len(str(count)))
    return [f"{letter}{row + 1:0{width}d}" for row in range(count)]
