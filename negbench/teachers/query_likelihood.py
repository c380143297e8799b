"""How likely a causal language model that runs here is to ask the query after reading the passage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.encoders import weights
from negbench.encoders.precision import Precision
from negbench.teachers import Teacher, causal
from negbench.teachers.checkpoint import positions
from negbench.types import Float32

BEFORE = "Passage: "
BETWEEN = "\n\nA search query that this passage answers:"
"""What the model reads before the passage and before the query."""


class QueryLikelihood(Teacher):
    """A causal model through transformers that reads the passage and is asked how likely the query is to follow.

    The score is the geometric mean of the probabilities of the query's tokens, each after those before it: of one
    query's passages it is highest where log p(query | passage) is. Sachan et al. 2022, arXiv 2204.07496; one of the two
    ways in which Gecko, Lee et al. 2024, arXiv 2403.20327, ranks passages. Scores of different queries say nothing of
    one another, since common words are likely after any passage.

    Differs from the papers in: the instruction is our own; Gecko also shows examples, which it does not give.
    """

    name: ClassVar[str] = "query-likelihood"
    version: ClassVar[int] = 1

    model: str = Field(
        default="Qwen/Qwen3-0.6B",
        min_length=1,
        description="Causal language model: a hub id or folder with safetensors weights.",
    )
    max_length: int = Field(
        default=1024, ge=32, description="Tokens per prompt with its query; the passage is cut to fit."
    )
    batch_size: int = Field(default=8, ge=1, description="Prompts per batch.")

    def check_usable(self) -> None:
        causal.load(self.model, f"teacher {self.spelling}")

    def fingerprint(self) -> str:
        return weights.fingerprint(self.model, None)

    def score(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        """Return geometric means of probabilities; 1 for a query without tokens.

        Raises InputError as ``causal.load`` does, and where a prompt has no place in the model even without a passage.
        """
        import torch

        tokenizer, model = causal.load(self.model, f"teacher {self.spelling}")
        room = positions(model)
        model = causal.placed(model, precision)
        length = self.max_length if room is None else min(self.max_length, room)
        head = tokenizer.encode(BEFORE)
        middle, *asked = [
            tokenizer.encode(text, add_special_tokens=False) for text in (BETWEEN, *(f" {query}" for query, _ in pairs))
        ]
        prompts = []
        for (_, passage), query in zip(pairs, asked, strict=True):
            left = max(0, length - len(head) - len(middle) - len(query))
            prompts.append([*head, *tokenizer.encode(passage, add_special_tokens=False)[:left], *middle, *query])
        causal.check_room(prompts, room, f"teacher {self.spelling}")
        scores = np.ones(len(pairs), np.float32)
        with torch.inference_mode():
            for some, inputs in causal.batches(prompts, self.batch_size, model.device):
                kept = max(len(asked[index]) for index in some)
                # of the last tokens alone: a table of all words for every token of a passage is large
                said = model(**inputs, logits_to_keep=kept + 1).logits
                ids = inputs["input_ids"]
                last = ids[:, ids.shape[1] - kept :, None]
                chosen = said[:, :-1].float().log_softmax(2).gather(2, last)[:, :, 0].cpu()
                for row, index in enumerate(some):
                    if asked[index]:
                        scores[index] = chosen[row, kept - len(asked[index]) :].mean().exp().item()
        return scores
