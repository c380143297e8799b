"""What every teacher owes. A new teacher is in this suite by being registered.

It is asked with its defaults, or as ``made`` has it; one whose model is not here is skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from chat_server import Server

from negbench.errors import InputError
from negbench.registry import registered
from negbench.teachers import Teacher

PAIRS = [
    (f"how do i water my {plant}", f"{plant if n % 2 else 'moss'} likes water, number {n}")
    for n in range(7)
    for plant in ("rose", "fern")
]


@pytest.fixture(scope="module")
def cross_encoder(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder with random weights."""
    import torch

    from negbench.teachers.cross_encoder import load

    folder = tmp_path_factory.mktemp("cross")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        load(tiny_encoder, 64, new_head=True).save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="module")
def distilled(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a distilled cross-encoder, as it is before training, and equal weights."""
    from negbench.teachers import joint_cosine
    from negbench.teachers.bi_encoder import BiEncoder
    from negbench.teachers.corpus_scores import CorpusScores

    folder = tmp_path_factory.mktemp("distilled")
    joint_cosine.save(joint_cosine.load(tiny_encoder, 64), folder)
    texts = sorted({text for _, text in PAIRS})
    encoder = BiEncoder(model=str(tiny_encoder), max_length=64)
    CorpusScores.of(texts, np.arange(len(texts)), encoder, "float32").save(folder)
    (folder / "weights.json").write_text("[0, 0.1, 1, 1]")
    return folder


@pytest.fixture(scope="module")
def fused(distilled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a score fusion with equal weights."""
    folder = tmp_path_factory.mktemp("fused")
    for name in ("corpus.npz", "terms.json"):
        shutil.copy(distilled / name, folder)
    (folder / "weights.json").write_text("[0, 1, 1]")
    return folder


Made = Callable[[str], tuple[Teacher, Path | None]]


@pytest.fixture
def made(
    cross_encoder: Path, distilled: Path, fused: Path, tiny_encoder: Path, tiny_causal: Path, server: Server
) -> Made:
    """Return a tiny teacher by name, and the folder of its copy if it is trained here."""
    server.behave = lambda text, times: (200, f"score: {sum(map(ord, text)) % 4}")
    fields: dict[str, tuple[dict[str, object], Path | None]] = {
        "cross-encoder": ({"model": str(cross_encoder), "max_length": 64}, None),
        "trained-cross-encoder": ({"model": str(cross_encoder), "max_length": 64}, cross_encoder),
        "coupled-cross-encoder": ({"model": str(cross_encoder), "max_length": 64}, cross_encoder),
        "distilled-cross-encoder": ({"model": str(tiny_encoder), "max_length": 64}, distilled),
        "score-fusion": ({"model": str(tiny_encoder), "max_length": 64}, fused),
        "bi-encoder": ({"model": str(tiny_encoder), "max_length": 64}, None),
        "llm": ({"model": "m", "server": server.url, "key": "SECRET"}, None),
        "after-umbrela": ({"model": "m", "server": server.url, "key": "SECRET"}, None),
        "local-llm": ({"model": str(tiny_causal), "max_length": 1000, "batch_size": 3}, None),
    }
    both = [{name: fields[name][0]} for name in ("bi-encoder", "llm")]
    fields["ensemble"] = {"judges": both}, None
    fields["query-likelihood"] = fields["local-llm"]
    fields["rank-fusion"] = {"judges": [{name: fields[name][0]} for name in ("query-likelihood", "local-llm")]}, None

    def by(name: str) -> tuple[Teacher, Path | None]:
        chosen, folder = fields.get(name, ({}, None))
        teacher = Teacher.model_validate({name: chosen})
        try:
            teacher.fingerprint()
        except (InputError, OSError) as error:
            pytest.skip(f"its model is not here, and its own tests have to bring it: {error}")
        return teacher, folder

    return by


NAMES = [name for name, kind in registered("teacher").items() if kind.__module__.startswith("negbench.")]


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_shares_one_a_pair(name: str, made: Made) -> None:
    teacher, folder = made(name)
    scores = teacher.score(PAIRS, folder, "float32")
    assert (scores.shape, scores.dtype) == ((len(PAIRS),), np.float32)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert len(set(scores.tolist())) > 1
    np.testing.assert_array_equal(teacher.score(PAIRS, folder, "float32"), scores)


@pytest.mark.parametrize("name", NAMES)
def test_a_pair_s_score_does_not_depend_on_its_company(name: str, made: Made) -> None:
    teacher, folder = made(name)
    scores = teacher.score(PAIRS, folder, "float32")
    order = np.random.default_rng(0).permutation(len(PAIRS))[:5]
    if teacher.listwise:  # all pairs of one query, then
        order = np.array([at for at, (query, _) in enumerate(PAIRS) if query == PAIRS[1][0]])[::-1]
    some = teacher.score([PAIRS[at] for at in order], folder, "float32")
    np.testing.assert_allclose(some, scores[order], atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_asked_is_nothing_said(name: str, made: Made) -> None:
    teacher, folder = made(name)
    assert teacher.score([], folder, "float32").shape == (0,)


@pytest.mark.parametrize("name", NAMES)
def test_its_fingerprint_is_a_digest_of_what_it_rests_on(name: str, made: Made) -> None:
    teacher, _ = made(name)
    assert teacher.fingerprint() == teacher.fingerprint()
    assert len(teacher.fingerprint()) >= 16
    assert 0 <= teacher.training_folds <= 20
    assert all(member.members == (member,) for member in teacher.members)
