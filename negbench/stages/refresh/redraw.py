"""Redraw without a search: new draws from the first candidates, the control of a full refresh."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from negbench.evaluation.overlap import drawn_pairs, overlap
from negbench.stages.refresh.negatives_hook import NegativesHook
from negbench.stages.refresh.rounds import Round, save_round
from negbench.training.hooks import Points
from negbench.training.job import TrainingJob
from negbench.types import Int32, Negatives

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class DrawAgain(NegativesHook):
    """Draws as ``draw`` does from the first candidates."""

    def prepare(self, job: TrainingJob) -> None:
        self._pool = self.draw.candidates(self.path_of)

    def replacement(self, model: SentenceTransformer, number: int, upcoming: Int32) -> tuple[Negatives, Points]:
        """Return the negatives of another draw, and ``refresh_redrawn`` as ``FullSearch`` gives it."""
        drawn = self.draw.choose(self._pool, self.path_of, number)
        save_round(Round.of(drawn, self._pool), self.folder / str(number))
        kept, _ = overlap(drawn_pairs(self.in_use.of_epoch(0)), drawn_pairs(drawn.of_epoch(0)))
        self.in_use = drawn
        self.cost["redraws"] += 1
        return drawn, {"refresh_redrawn": kept} if math.isfinite(kept) else {}
