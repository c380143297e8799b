"""A grid of a file, and one of a mapping whose collection has a truth."""

from __future__ import annotations

from pathlib import Path

GRID = """\
name: garden
collection: garden
encoder: tiny
methods: [in-batch, bm25]
seeds: [0]
negatives: 2
baseline: in-batch
train: {epochs: 1, batch_size: 8, max_length: 64, precision: float32}
"""
PAPER = """\
title: How gardens grow
authors: Mint and Basil
year: 2020
arxiv: "2001.00001"
reported:
  table-1: {place: Table 1, data: Garden, metric: R@100, values: {bm25: 1.0}}
"""
EXPECT = """\
grids: {grid: ../garden.yaml}
evaluations: {lexical: {encoder: bm25, collection: garden}}
statements:
  bm25-finds: {says: R@100(lexical) = 1 ± 0, answers: table-1, differs: nothing, fair: true}
  trained: {says: bm25 > in-batch on nDCG@10, answers: table-1, differs: a tiny encoder, fair: false}
"""
HELPDESK = {
    "name": "costs",
    "collection": "helpdesk(articles=100, queries=24, dev=6, test=12)",
    "encoder": Path("tiny"),
    "methods": ["bm25"],
    "negatives": 3,
    "train": {"epochs": 1, "batch_size": 8, "max_length": 64, "precision": "float32"},
}
