"""What parts of other packages require: refused by the plan while no stage provides it, run when one does."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from child_process import negbench
from pools import candidate_pool, with_features

from negbench.errors import PartError
from negbench.features import PerCandidate, PerRank
from negbench.filters.denoise import Denoise
from negbench.requirements import PositiveSimilarity, Provider, RelevanceByRank, TeacherScores, merged, providers
from negbench.samplers.top import Top
from negbench.stages.mining.pool_features import FeatureStage, ScorePool
from negbench.stages.training.targets import TargetStage
from negbench.teachers.bi_encoder import BiEncoder
from negbench.types import CandidatePool

PARTS = '''
"""A loss that learns how much longer a document is than its query, and a sampler that draws the shortest."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from negbench.features import PerCandidate
from negbench.losses import Loss, ScoredBatch
from negbench.requirements import PairTarget, PoolFeature
from negbench.samplers import Sampler, gumbel


@dataclass(frozen=True)
class LengthRatio(PairTarget):
    """Characters of the document for one of the query."""


class LengthLoss(Loss):
    name: ClassVar[str] = "length-ratio"

    @property
    def requires(self) -> tuple[LengthRatio]:
        return (LengthRatio(),)

    def rows(self, batch: ScoredBatch) -> torch.Tensor:
        ratio = self.target_scores(batch, LengthRatio)
        assert (ratio[~ratio.isnan()] > 0).all()
        return ((batch.scores - ratio.nan_to_num()) ** 2).mean(1)


@dataclass(frozen=True)
class Length(PoolFeature[PerCandidate]):
    """Characters of each candidate: float32 [Q, K]."""


class Shortest(Sampler):
    name: ClassVar[str] = "shortest"

    @property
    def requires(self) -> tuple[Length]:
        return (Length(),)

    def draw(self, pool: Any, k: int, rng: Any) -> Any:
        return gumbel.best(-self.feature(pool, Length).candidates.astype(np.float64), pool.available(), k)
'''
STAGES = """

from negbench.stages.inputs import LoadCollection, read_collection
from negbench.stages.mining.pool import BuildPool
from negbench.stages.mining.pool_features import FeatureStage
from negbench.stages.training.targets import PairStage


@dataclass(frozen=True, eq=False, kw_only=True)
class MeasureRatios(PairStage):
    kind: ClassVar[str] = "length-ratios"
    provides: ClassVar[Any] = LengthRatio

    @classmethod
    def provide(cls, requirement: LengthRatio, planned: Any) -> "MeasureRatios":
        return cls(collection=planned.collection, split=planned.split, negatives=planned.negatives)

    def run(self, path_of: Any, out: Any) -> dict[str, float]:
        collection, queries, documents = self.pairs(path_of)
        length = np.array([len(text) for text in collection.passages()], np.float32)
        asked = np.array([len(collection.queries[row]) for row in queries.tolist()], np.float32)
        self.save(out, queries, documents, length[np.maximum(documents, 0)] / asked[:, None])
        return {}


@dataclass(frozen=True, eq=False)
class MeasureLengths(FeatureStage):
    kind: ClassVar[str] = "lengths"
    provides: ClassVar[Any] = Length
    collection: LoadCollection

    @classmethod
    def provide(cls, requirement: Length, planned: Any) -> "MeasureLengths":
        return cls(planned.collection)

    def run(self, path_of: Any, out: Any) -> dict[str, float]:
        passages = read_collection(path_of(self.collection)).passages()
        np.save(out / "lengths.npy", np.array([len(text) for text in passages], np.float32))
        return {}

    def read(self, folder: Any, pool: Any) -> PerCandidate:
        lengths = np.load(folder / "lengths.npy")
        return PerCandidate(np.where(pool.documents >= 0, lengths[np.maximum(pool.documents, 0)], np.float32(np.nan)))
"""


def installed(folder: Path, code: str) -> dict[str, str]:
    """An environment with a package of one file, as its installer would leave it."""
    (folder / "their_lengths-1.0.dist-info").mkdir(parents=True)
    (folder / "their_lengths.py").write_text(code)
    (folder / "their_lengths-1.0.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: their-lengths\nVersion: 1.0\n"
    )
    (folder / "their_lengths-1.0.dist-info/entry_points.txt").write_text("[negbench.parts]\nlengths = their_lengths\n")
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[1])])
    return {**os.environ, "PYTHONPATH": path, "NEGBENCH_STORE": str(folder / "store")}


def grid(folder: Path, encoder: Path, *methods: str) -> None:
    named = ", ".join(f'"{method}"' for method in methods)
    (folder / "grid.yaml").write_text(
        f"""
name: theirs
collection: helpdesk(articles=100, queries=20, dev=5, test=8)
encoder: {encoder}
methods: [{named}]
train: {{batch_size: 8, max_length: 16, precision: float32}}
gradient: true
"""
    )


@pytest.mark.parametrize(
    ("method", "part", "requirement"),
    [
        ("bm25(loss=length-ratio)", "loss length-ratio", "LengthRatio"),
        ("bm25(selection=shortest)", "sampler shortest", "Length"),
    ],
)
def test_a_requirement_that_no_stage_provides_is_refused_by_the_plan(
    tmp_path: Path, tiny_encoder: Path, method: str, part: str, requirement: str
) -> None:
    grid(tmp_path, tiny_encoder, method)
    done = negbench(installed(tmp_path / "site", PARTS), tmp_path, "plan", "grid.yaml")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert f"method {method}: {part} requires {requirement}, which no stage provides; install the package" in line


def test_a_package_that_brings_its_stages_runs(tmp_path: Path, tiny_encoder: Path) -> None:
    grid(tmp_path, tiny_encoder, "bm25(loss=length-ratio)", "bm25(selection=shortest, candidates.depth=9)")
    done = negbench(installed(tmp_path / "site", PARTS + STAGES), tmp_path, "run", "grid.yaml", "--json")
    assert done.returncode == 0, done.stderr
    trials = [trial for trial in json.loads(done.stdout)["trials"] if trial["method"] == "bm25"]
    assert [trial["status"] for trial in trials] == ["done", "done"]
    assert [*(tmp_path / "site/store/length-ratios").iterdir()]


@pytest.mark.slow
def test_the_example_of_the_documentation_runs(tmp_path: Path, tiny_encoder: Path) -> None:
    page = (Path(__file__).parents[1] / "docs/adding-a-part.md").read_text(encoding="utf-8")
    (code,) = [
        block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "class MeasureOverlap" in block
    ]
    grid(tmp_path, tiny_encoder, "bm25(loss=overlap)")
    done = negbench(installed(tmp_path / "site", code), tmp_path, "run", "grid.yaml", "--json")
    assert done.returncode == 0, done.stderr
    assert [*(tmp_path / "site/store/word-overlap").iterdir()]


def test_beside_a_refresh_a_feature_that_does_not_say_otherwise_is_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    grid(tmp_path, tiny_encoder, "ance(selection=shortest)", "ance(loss=length-ratio)")
    done = negbench(installed(tmp_path / "site", PARTS + STAGES), tmp_path, "plan", "grid.yaml")
    assert done.returncode == 2
    assert "shortest requires what is known of the first candidates alone; take it out, or give refresh" in done.stderr


def pool() -> CandidatePool:
    return candidate_pool(np.ones((3, 2)), positives=np.full((3, 1), 9))


def test_features_go_with_their_queries() -> None:
    made = with_features(pool(), teacher_scores=np.arange(6).reshape(3, 2), positive_teacher_scores=[[7], [8], [9]])
    made = made.with_feature(RelevanceByRank, PerRank(np.array([0.5, 0.25])))
    some = made.without(made.documents == 5).of_queries(np.array([2, 0]))
    assert some.documents.tolist() == [[4, 5], [0, 1]]
    assert some.available().tolist() == [[True, False], [True, True]]
    scores = Denoise().feature(some, TeacherScores)
    assert (scores.candidates.tolist(), scores.positives.tolist()) == ([[4, 5], [0, 1]], [[9], [7]])
    shares = some.features[RelevanceByRank]
    assert isinstance(shares, PerRank)
    assert shares.ranks.tolist() == [0.5, 0.25]


def test_a_part_gets_what_it_requires_and_nothing_else() -> None:
    made = pool().with_feature(PositiveSimilarity, PerCandidate(np.ones((3, 2))))
    with pytest.raises(PartError, match=r"^sampler top: reads PositiveSimilarity, which it does not require"):
        Top().feature(made, PositiveSimilarity)
    with pytest.raises(PartError, match=r"^filter denoise: requires TeacherScores, and the pool has none"):
        Denoise().reject(made)


def test_a_teacher_is_asked_once_as_deep_as_any_part_requires() -> None:
    shallow, deep, other = (
        TeacherScores(BiEncoder(), 10),
        TeacherScores(BiEncoder(), 40),
        TeacherScores(Denoise().teacher, 5),
    )
    assert merged([shallow, RelevanceByRank(), deep]) == [deep, RelevanceByRank()]
    with pytest.raises(ValueError, match="its parts use different teachers"):
        merged([shallow, other])
    with pytest.raises(ValueError, match="its parts require RelevanceByRank with different parameters"):
        merged([RelevanceByRank("dev"), RelevanceByRank("test")])


def test_a_requirement_has_one_provider() -> None:
    with pytest.raises(TypeError, match="TeacherScores is provided twice"):

        class Again(Provider):
            """Another."""

            provides = TeacherScores

    assert providers(FeatureStage)[TeacherScores] is ScorePool  # type: ignore[type-abstract]


@pytest.mark.parametrize("kind", [*providers(FeatureStage)])  # type: ignore[type-abstract]
def test_a_feature_that_goes_beside_a_refresh_is_computed_again(kind: type) -> None:
    stage = providers(FeatureStage)[kind]  # type: ignore[type-abstract]
    again = stage.compute is not FeatureStage.compute
    assert again == (not kind.beside_refresh)  # type: ignore[attr-defined]


def test_all_targets_of_the_house_have_a_stage_or_come_from_training() -> None:
    from negbench import requirements

    kinds = [
        it for it in vars(requirements).values() if isinstance(it, type) and issubclass(it, requirements.PairTarget)
    ]
    known = providers(TargetStage)  # type: ignore[type-abstract]
    assert len(kinds) == 9
    for kind in kinds[1:]:
        assert kind.in_training != (kind in known)
