"""How near the estimators come that ask nobody, and whether they order samplers right.

python experiments/estimators/label_free.py OUT.parquet

The labels that are hidden are drawn anew in every redraw, where chance hides them, and negatives are mined anew.
An estimator sees what is left of the labels, never the truth; ``transfer`` sees the truth of the other worlds, and
those that are told the frequency know what share of the relevant pairs is labelled, which nobody knows in practice.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import worlds
from audits import write
from sklearn.linear_model import LogisticRegression

from negbench.evaluation.false_negatives import Pairs
from negbench.evaluation.false_negatives.calibration import FOLDS, folds
from negbench.evaluation.false_negatives.held_out import natural
from negbench.evaluation.false_negatives.mixture import Mixture
from negbench.evaluation.false_negatives.propensity import Propensity
from negbench.evaluation.false_negatives.rank_bins import count_labelled
from negbench.methods import Method
from negbench.store import Store
from negbench.types import CandidatePool, Float64

HIDDEN = 0.5
"""The share of the visible labels that the held-out pass hides."""
ASSUMED = 0.5
"""The share of relevant pairs that is labelled, where an estimator has to be told and is not."""


def features(pairs: Pairs) -> Float64:
    """Return what a classifier sees of a pair: the judge's score and the logarithm of its rank."""
    assert pairs.judge is not None
    return np.stack([pairs.judge, np.log1p(np.where(pairs.ranks < 0, 1000, pairs.ranks))], axis=1)


class Seen:
    """What an estimator sees of a cell: its labels, pools, and a mining pass with half of the labels hidden."""

    def __init__(self, cell: worlds.Cell, redraw: int) -> None:
        self.cell, self.redraw = cell, redraw
        self.pool = cell.pools()
        shown = worlds.hide(cell.world, cell.labelled, "random", 1 - HIDDEN, 1000 + redraw)
        self.hidden = 1 - len(shown) / len(cell.labelled)
        self.frequency = len(cell.labelled) / len(cell.relevant)
        self.thinned = replace(cell, labelled=shown)
        self.thinned_pool = self.thinned.pools()
        self._models: dict[str, tuple[list[LogisticRegression], float]] = {}

    def held_out(self, method: Method) -> float:
        """Return the rate of hidden labels among what is drawn without them."""
        pairs = self.thinned.mined(method, self.thinned_pool(method), self.redraw)
        return float(self.cell.labelled.contains(pairs.queries, pairs.documents).mean())

    def elkan_noto(self, method: Method, pairs: Pairs) -> tuple[float, float]:
        """Return the rate by a classifier of labelled pairs (Elkan and Noto 2008), and the label frequency it finds."""
        pool = self.pool(method)
        key = str(pool.documents[0, :20].tolist()) + str(pool.depth)
        if key not in self._models:
            self._models[key] = self._classifiers(pool)
        models, frequency = self._models[key]
        fold = folds(pairs.queries)
        x = features(pairs)
        p = np.zeros(len(x))
        for part, model in enumerate(models):
            if (fold == part).any():
                p[fold == part] = model.predict_proba(x[fold == part])[:, 1]
        return float(np.clip((1 - frequency) / frequency * p / (1 - p), 0, 1).mean()), frequency

    def _classifiers(self, pool: CandidatePool) -> tuple[list[LogisticRegression], float]:
        """Return P(labelled | judge, rank) on the pool's first 100 ranks, cross-fitted by query.

        The frequency is its mean on the labelled ones: right only where the classes do not overlap.
        """
        rows, columns = np.nonzero(pool.documents[:, :100] >= 0)
        queries, documents = pool.queries[rows], pool.documents[rows, columns]
        nothing = np.zeros(len(rows))
        judge = self.cell.world.judge(queries, documents)
        x = features(
            Pairs(
                queries=queries,
                documents=documents,
                weights=nothing,
                ranks=columns.astype(np.int32),
                scores=nothing,
                positive_scores=nothing,
                judge=judge,
            )
        )
        labelled, fold = pool.known[rows, columns], folds(queries)
        models, shown = [], np.zeros(len(x))
        for part in range(FOLDS):
            learn = np.flatnonzero(fold != part)[:: max(1, len(x) // 10_000)]  # two features need no more
            model = LogisticRegression(C=10.0, max_iter=1000).fit(x[learn], labelled[learn])
            shown[fold == part] = model.predict_proba(x[fold == part])[:, 1]
            models.append(model)
        return models, float(shown[labelled].mean()) if labelled.any() else np.nan


def estimates(seen: Seen, method: Method, taught: list[LogisticRegression]) -> tuple[float, dict[str, float]]:
    """Return the truth and every estimate."""
    cell, pool = seen.cell, seen.pool(method)
    pairs = cell.mined(method, pool, seen.redraw)
    hits, share = seen.held_out(method), seen.hidden
    by_classifier, frequency = seen.elkan_noto(method, pairs)
    size = len(cell.world.collection.document_ids)
    found = {
        "held-out": hits,
        "held-out, half labelled": natural(hits, ASSUMED, share) if share > 0 else np.nan,
        "propensity, half labelled": Propensity(frequency=ASSUMED).of(pairs, count_labelled(pool, size)).rate,
        "propensity, frequency told": Propensity(frequency=seen.frequency).of(pairs, count_labelled(pool, size)).rate,
        "held-out, frequency told": natural(hits, seen.frequency, share) if share > 0 else np.nan,
        "elkan-noto": by_classifier,
        "held-out, elkan-noto's frequency": natural(hits, frequency, share) if share > 0 and frequency > 0 else np.nan,
        "mixture of the judge's scores": Mixture(apart=0).of(pairs).rate,
        "mixture of distances": Mixture(apart=0).of(replace(pairs, judge=None)).rate,
    }
    if taught:
        x = features(pairs)
        found["transfer"] = float(np.mean([model.predict_proba(x)[:, 1].mean() for model in taught]))
    return float(cell.false(pairs).mean()), found


def teach(cell: worlds.Cell, methods: dict[str, Method]) -> LogisticRegression:
    """Return P(relevant | judge, rank) fitted on the truth of a cell, negatives of all samplers together."""
    pool_of = cell.pools()
    mined = [cell.mined(method, pool_of(method)) for method in methods.values()]
    x = np.concatenate([features(pairs) for pairs in mined])
    y = np.concatenate([cell.false(pairs) for pairs in mined])
    return LogisticRegression(C=10.0, max_iter=1000).fit(x, y)


def main(out: Path) -> None:
    """Run everything."""
    methods = worlds.chosen(worlds.CELLS["configurations"])
    made = {name: worlds.world(name, Store.default()) for name in worlds.CELLS["worlds"]}
    known = {}
    for name, world in made.items():
        if name != "nfcorpus":
            half = {"helpdesk": "random-60", "cranfield": "random-50"}[name]
            known[name] = teach(next(cell for cell in worlds.cells(world) if cell.name == half), methods)
    rows: list[dict[str, object]] = []
    for name, world in made.items():
        taught = [model for other, model in known.items() if other != name]
        for redraw in range(worlds.CELLS["redraws"]):
            for cell in worlds.cells(world, redraw):
                spec = worlds.CELLS["worlds"][name]["cells"][cell.name]
                if redraw and spec.get("how", "pooling") == "pooling":
                    continue
                seen = Seen(cell, redraw)
                for spelling, method in methods.items():
                    truth, found = estimates(seen, method, taught)
                    rows += [
                        {
                            "cell": f"{name}/{cell.name}",
                            "redraw": redraw,
                            "sampler": spelling,
                            "estimator": estimator,
                            "labels": 0,
                            "truth": truth,
                            "estimate": value,
                        }
                        for estimator, value in found.items()
                    ]
            print(name, redraw, len(rows), flush=True)
    write(rows, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
