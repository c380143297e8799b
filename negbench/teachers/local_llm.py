"""A causal language model that runs here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from negbench.encoders import weights
from negbench.encoders.precision import Precision
from negbench.errors import InputError
from negbench.teachers import Teacher, causal
from negbench.teachers.checkpoint import positions
from negbench.teachers.llm import HIGHEST, INSTRUCTIONS
from negbench.types import Float32


class LocalLanguageModel(Teacher):
    """A causal model through transformers, read at the one word that matters: the grade after ``score:``.

    The score is the expected grade over 3, by the probabilities of the four digits as the next token. Nothing is
    generated, so every pair has a score and the same one each time.
    """

    name: ClassVar[str] = "local-llm"
    version: ClassVar[int] = 2

    model: str = Field(
        default="Qwen/Qwen3-0.6B",
        min_length=1,
        description="Causal language model: a hub id or folder with safetensors weights.",
    )
    max_length: int = Field(default=1024, ge=32, description="Tokens per prompt; the passage is cut to fit.")
    batch_size: int = Field(default=8, ge=1, description="Prompts per batch.")

    def check_usable(self) -> None:
        self._load()

    def fingerprint(self) -> str:
        return weights.fingerprint(self.model, None)

    def _load(self) -> tuple[Any, Any, list[int]]:
        """Return the tokenizer, the model in float32, and the tokens of the grades.

        Raises InputError where the model cannot be loaded whole (``load_checked``), or a digit is no token of it.
        """
        who = f"teacher {self.spelling}"
        tokenizer, model = causal.load(self.model, who)
        digits = [tokenizer.encode(str(grade), add_special_tokens=False) for grade in range(HIGHEST + 1)]
        if any(len(tokens) != 1 for tokens in digits):
            raise InputError(f"{who}: its tokenizer splits the digits 0 to {HIGHEST}; use another model")
        return tokenizer, model, [tokens[0] for tokens in digits]

    def score(self, pairs: Sequence[tuple[str, str]], folder: Path | None, precision: Precision) -> Float32:
        """Return expected grades over 3.

        Raises InputError as ``_load`` does, and where a prompt has no place in the model even without its passage.
        """
        import torch

        tokenizer, model, digits = self._load()
        room = positions(model)
        model = causal.placed(model, precision)
        columns = torch.tensor(digits, device=model.device)
        grades = torch.arange(HIGHEST + 1, device=model.device) / HIGHEST
        head = tokenizer.encode(f"{INSTRUCTIONS}\n\nQuery: ")
        tail = tokenizer.encode("\n\nscore:", add_special_tokens=False)
        length = self.max_length if room is None else min(self.max_length, room)
        prompts = [_prompt(tokenizer, length, head, tail, query, passage) for query, passage in pairs]
        causal.check_room(prompts, room, f"teacher {self.spelling}")
        scores = np.zeros(len(pairs), np.float32)
        with torch.inference_mode():
            for some, inputs in causal.batches(prompts, self.batch_size, model.device):
                logits = model(**inputs).logits[:, -1]  # where the grade comes
                expected = (logits[:, columns].float().softmax(dim=1) * grades).sum(dim=1)
                scores[some] = expected.cpu().numpy()
        return scores


def _prompt(tokenizer: Any, length: int, head: list[int], tail: list[int], query: str, passage: str) -> list[int]:
    asked = tokenizer.encode(f"{query}\n\nPassage: ", add_special_tokens=False)
    left = max(0, length - len(head) - len(asked) - len(tail))
    return [*head, *asked, *tokenizer.encode(passage, add_special_tokens=False)[:left], *tail]
