"""A teacher whose scores can be worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from negbench.teachers import Teacher


class Parrot(Teacher):
    """Says how long a pair is, and by which copy it was asked; notes all that it was asked."""

    log: Any = None

    def fingerprint(self) -> str:
        return "parrot"

    def score(self, pairs: Any, folder: Path | None, precision: Any) -> np.ndarray:
        self.log.append((folder, list(pairs)))
        return np.array([len(query) * 1000 + len(passage) for query, passage in pairs], np.float32)
