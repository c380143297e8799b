from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from negbench.losses import ScoredBatch
from negbench.losses.margin_mse import MarginMSE
from negbench.requirements import TeacherTargets
from negbench.teachers.bi_encoder import BiEncoder, require_bi_encoder

PAIRS = [
    ("how often must i water my basil", "give basil water when the soil feels dry"),
    ("how often must i water my basil", "cut old shoots of tulip"),
    ("where does mint get enough sun", "cut old shoots of tulip"),
]


def cosines(encoder: Path) -> np.ndarray:
    model = SentenceTransformer(str(encoder))
    asked, read = (model.encode([pair[at] for pair in PAIRS], normalize_embeddings=True) for at in (0, 1))
    return np.asarray((asked * read).sum(axis=1), np.float64)


def test_a_score_is_the_cosine(tiny_encoder: Path) -> None:
    found = BiEncoder(model=str(tiny_encoder)).score(PAIRS, None, "float32")
    np.testing.assert_allclose(found, np.clip(cosines(tiny_encoder), 0, 1), atol=1e-6)


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_with_a_temperature_its_log_odds_are_as_far_apart_as_cosines_over_it(
    tiny_encoder: Path, temperature: float
) -> None:
    found = BiEncoder(model=str(tiny_encoder), temperature=temperature).score(PAIRS, None, "float32").astype(np.float64)
    odds = np.log(found / (1 - found))
    wanted = cosines(tiny_encoder) / temperature
    np.testing.assert_allclose(np.diff(odds), np.diff(wanted), atol=1e-2)


def test_a_student_with_the_teachers_own_cosines_has_nothing_to_learn_from_it(tiny_encoder: Path) -> None:
    """Nor has one that scores alike but for a constant; one that is told plain cosines is pulled together."""
    teacher = BiEncoder(model=str(tiny_encoder), temperature=0.05)
    scores = torch.tensor(cosines(tiny_encoder)[None, :2], dtype=torch.float32)
    own = torch.tensor([[False, True]])
    loss = MarginMSE(temperature=0.05)
    for given, learns in ((teacher, False), (teacher.model_copy(update={"temperature": None}), True)):
        told = torch.from_numpy(given.score(PAIRS[:2], None, "float32"))[None]
        batch = ScoredBatch(
            scores=scores - 0.1,
            positive_column=torch.tensor([0]),
            known_mask=torch.eye(1, 2, dtype=torch.bool),
            mined_mask=own,
            targets={TeacherTargets: told},
        )
        assert bool(loss.rows(batch).item() > 1e-3) == learns


def test_a_guide_has_none() -> None:
    assert require_bi_encoder(BiEncoder()) == BiEncoder()
    with pytest.raises(ValueError, match="a guide must give cosines; leave its temperature out"):
        require_bi_encoder(BiEncoder(temperature=0.1))
