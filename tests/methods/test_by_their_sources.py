"""Methods as their sources say: losses, candidates, stages, recipes and names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pools import candidate_pool

from negbench.config.grid import read
from negbench.errors import InputError
from negbench.filters.sieve import Sieve
from negbench.losses.dual_margin_mse import DualMarginMSE
from negbench.methods import catalogue, listing, named, resolve
from negbench.plan import similarity
from negbench.requirements import TeacherScores, find
from negbench.rng import CounterRNG
from negbench.samplers import Sampler
from negbench.stages.mining.draw import DrawNegatives
from negbench.types import CandidatePool

CONFIGS = Path(__file__).parents[2] / "configs"


def cosines(count: int = 60, depth: int = 100) -> CandidatePool:
    """A pool as a sentence encoder's: candidates at 0.3 to 0.6, the positive at 0.6."""
    rng = np.random.default_rng(0)
    return candidate_pool(
        -np.sort(-rng.uniform(0.3, 0.6, (count, depth)).astype(np.float32), axis=1),
        positives=np.full((count, 1), count * depth),
        positive_scores=np.full((count, 1), 0.6),
        similarity=np.full((count, depth), 0.9),
    )


def test_tas_balanced_learns_the_teacher_s_margins() -> None:
    assert named("tas-balanced").loss.name == "margin-mse"
    dual = named("tas-balanced-dual").loss
    assert isinstance(dual, DualMarginMSE)
    assert dual.weight == 0.75
    # the same batches and draws under labels are another method, which says so
    assert named("tas-balanced-infonce").loss.name == "infonce"
    assert named("tas-balanced-infonce").form == "interpretation"
    same = [(it.candidates, it.selection, it.batching) for it in map(named, ("tas-balanced", "tas-balanced-infonce"))]
    assert same[0] == same[1]


def test_a_curriculum_of_ten_epochs_has_two_in_batch_three_of_bm25_and_five_denoised() -> None:
    phases = named("curriculum").phases
    assert [it.method.name for it in phases] == ["in-batch", "bm25", "denoised"]
    assert [10 * it.work for it in phases] == pytest.approx([2, 3, 5])


def test_stable_has_a_margin_in_the_loss_of_all_that_it_mines() -> None:
    mined = [it.method for it in named("stable").phases if it.method.candidates is not None]
    assert len(mined) == 2
    for method in mined:
        assert method.loss.name == "additive-margin"
        assert method.loss.parameters["margin"] > 0


def test_the_cross_encoder_filters_what_bm25_found() -> None:
    method = named("cross-encoder-filter")
    assert method.candidates is not None
    assert method.candidates.name == "bm25"
    assert [rule.name for rule in method.filters] == ["denoise"]


@pytest.mark.parametrize(("arxiv", "methods"), [("2010.12523", {"multi-stage"}), ("2207.02578", {"listwise-kl"})])
def test_papers_go_by_their_numbers(arxiv: str, methods: set[str]) -> None:
    assert {name for name, method in catalogue().items() if arxiv in method.paper} == methods
    assert not any("2207.02278" in method.paper for method in catalogue().values())  # of another paper


def test_one_temperature_draws_from_the_cache_and_divides_the_loss() -> None:
    method = resolve("negative-cache(temperature=0.1)")
    assert method.selection is not None
    assert (method.selection.parameters["temperature"], method.loss.parameters["temperature"]) == (0.1, 0.1)
    assert method.spelling == "negative-cache(temperature=0.1)"
    for alone in ("loss.temperature=0.1", "selection.temperature=0.1", "selection=uniform", "negatives=2"):
        with pytest.raises(ValueError, match="drawn from a cache by the softmax that it stands for"):
            resolve(f"negative-cache({alone})")


@pytest.mark.parametrize("name", [name for name, method in catalogue().items() if "depth" in method.parameters])
def test_a_method_s_depth_moves_all_that_ask_its_teacher(name: str) -> None:
    def asked(spelled: str) -> set[int]:
        found = [find(part.requires, TeacherScores) for part in resolve(spelled).pool_parts]
        return {scores.depth for scores in found if scores is not None}

    before, after = asked(name), asked(f"{name}(depth=37)")
    assert after in (before, {37})
    assert len(after) <= 1


@pytest.mark.parametrize("name", [name for name, method in catalogue().items() if "teacher" in method.parameters])
def test_a_method_s_teacher_is_that_of_all_its_parts(name: str) -> None:
    method = resolve({name: {"teacher": "cross-encoder(model=other)"}})
    parts = [*method.pool_parts, method.loss]
    told = [str(part.parameters["teacher"]) for part in parts if "teacher" in type(part).model_fields]
    assert len(told) > 1
    assert all("other" in teacher for teacher in told)
    assert "teacher=cross-encoder(model=other)" in method.spelling


def test_the_mean_of_the_sieve_has_the_positive_in_it() -> None:
    """Against the paper's rule in its own words: -log p of a softmax, and what lies below its mean goes."""
    pool = cosines()
    out = Sieve(depth=30).reject(pool)
    moved = 0
    for row in range(len(pool.queries)):
        passages = np.append(pool.scores[row, :30], pool.positive_scores[row]).astype(np.float64)
        surprise = -np.log(np.exp(passages) / np.exp(passages).sum())
        np.testing.assert_array_equal(out[row, :30], surprise[:-1] < surprise.mean())
        moved += int((out[row, :30] != (surprise[:-1] < surprise[:-1].mean())).sum())
    assert moved > 0  # without it others would go
    assert out[:, 30:].all()


def test_the_sieve_leaves_one_where_all_lie_above_the_mean() -> None:
    pool = cosines()
    low = replace(pool, positive_scores=pool.positive_scores - 50)
    kept = ~Sieve(depth=30).reject(low)
    assert kept.sum(axis=1).tolist() == [1] * len(pool.queries)
    assert kept[:, 29].all()  # the lowest of those it looks at


@pytest.mark.parametrize("spelled", ["simans", "trisampler"])
def test_what_is_shaped_by_scores_is_not_flat_on_cosines(spelled: str) -> None:
    pool = cosines()

    def size(scale: str) -> float:
        sampler = Sampler.model_validate(f"{spelled}{scale}")
        return float(np.median(sampler.draw(pool, 1, CounterRNG(0, "s")).effective_size))

    raw = size("(scale=raw)")
    assert size("(scale=zscore)") < 0.9 * raw
    assert spelled != "simans" or raw > 99  # all hundred are as likely as one another
    method = named(spelled)
    assert method.selection is not None
    assert method.selection.parameters["scale"] == "zscore"


class TestFaithful:
    def test_ance_and_rance_search_again_while_they_train(self) -> None:
        for name, negatives in (("ance", 1), ("rance", 5)):
            method = resolve(f"{name}(as=faithful)")
            assert method.refresh.spelling == "every(steps=10000, lag=10000)"
            assert method.loss.spelling == "pairwise-nll(temperature=1.0)"
            assert (method.negatives, method.train["batch_size"], method.train["learning_rate"]) == (
                negatives,
                64,
                1e-6,
            )

    def test_rocketqa_trains_on_its_denoised_negatives_alone(self) -> None:
        """Its pseudo-labels are for further queries; a batch is that of eight devices, 512 each."""
        method = resolve("rocketqa(as=faithful)")
        assert method.labels == ()
        assert [rule.spelling for rule in method.filters] == ["denoise"]
        assert (method.negatives, method.fill, method.train["batch_size"]) == (4, "below-filters", 8 * 512)

    def test_star_trains_for_fifty_thousand_steps_of_ms_marco(self) -> None:
        train = resolve("star(as=faithful)").train
        steps = train["epochs"] * 532_761 / train["batch_size"]
        assert steps == pytest.approx(50_000, rel=0.01)
        assert steps * train["warmup"] == pytest.approx(1000, rel=0.01)

    def test_what_cannot_be_faithful_is_refused_with_the_reason(self) -> None:
        with pytest.raises(ValueError, match=r"cl-drd has no form 'faithful': it goes on from TAS-B.*interpretation"):
            resolve("cl-drd(as=faithful)")

    @pytest.mark.parametrize("name", [name for name, method in catalogue().items() if "faithful" in method.forms])
    def test_what_is_left_out_is_told(self, name: str) -> None:
        form = resolve(f"{name}(as=faithful)")
        if form.train.get("learning_rate") or form.similarity == "dot":
            assert form.differs
            assert f"faithful: {form.differs}" in listing.differs(named(name))
            assert form.differs in (CONFIGS / "methods.md").read_text(encoding="utf-8")

    @pytest.mark.parametrize("name", ["dpr", "ance", "star", "adore", "rocketqa", "rance", "margin-mse", "repbert"])
    def test_raw_dot_products_are_not_read_into_cosines(self, name: str, tmp_path: Path) -> None:
        from negbench.encoders.spec import EncoderSpec

        encoder = EncoderSpec(model=str(tmp_path))
        (tmp_path / "config_sentence_transformers.json").write_text('{"similarity_fn_name": "cosine"}')
        with pytest.raises(InputError, match=rf"method {name}\(as=faithful\): its paper's constants are for raw dot"):
            similarity.check(resolve(f"{name}(as=faithful)"), encoder)
        with pytest.raises(InputError, match="constants are for raw dot products"):
            similarity.check(resolve({"curriculum": {"phases": [f"{name}(work=1, as=faithful)"]}}), encoder)
        similarity.check(named(name), encoder)  # the fixed form has a temperature for cosines
        (tmp_path / "config_sentence_transformers.json").write_text('{"similarity_fn_name": "dot"}')
        similarity.check(resolve(f"{name}(as=faithful)"), encoder)
        (tmp_path / "modules.json").write_text('[{"type": "sentence_transformers.models.Normalize"}]')
        with pytest.raises(InputError, match="whose dot products are cosines; give one without a Normalize module"):
            similarity.check(resolve(f"{name}(as=faithful)"), encoder)

    def test_a_temperature_of_one_asks_for_dot_products(self) -> None:
        for name, method in catalogue().items():
            for form in method.forms:
                told = resolve(f"{name}(as={form})")
                if told.loss.parameters.get("temperature") == 1.0:
                    assert told.similarity == "dot", name


class TestRankBand:
    def test_it_searches_by_voyager_and_has_an_exact_twin(self) -> None:
        band, twin = named("rank-band"), named("rank-band-exact")
        assert band.candidates is not None
        assert twin.candidates is not None
        assert (band.candidates.name, twin.candidates.name) == ("voyager", "dense")
        assert (band.filters, band.selection) == (twin.filters, twin.selection)

    @pytest.mark.parametrize("grid", ["quickstart", "scifact", "nfcorpus", "methods"])
    def test_both_stand_in_the_grids_that_ship(self, grid: str) -> None:
        points = read(CONFIGS / f"{grid}.yaml", ["collection=helpdesk", "evaluate_on=[]"]).points
        spelled = {method.spelling for method in points[0][1].methods}
        assert {"rank-band", "rank-band-exact"} <= spelled


def test_random_is_in_batch_with_as_many_documents_and_the_same_pairs(tmp_path: Path, tiny_encoder: Path) -> None:
    """The control that tells documents from labelled pairs, beside in-batch-wide, which has more of both."""
    from negbench.plan.trials import trials

    text = f"""\
name: g
collection: helpdesk
encoder: {{model: {tiny_encoder}}}
methods: [in-batch, in-batch-wide, random]
negatives: 3
train: {{epochs: 2, batch_size: 8, precision: float32}}
"""
    (tmp_path / "grid.yaml").write_text(text)
    found = {it.method: it.training for it in trials(read(tmp_path / "grid.yaml")) if it.training is not None}
    pairs = {name: it.recipe.batch_size for name, it in found.items()}
    drawn = {name: it.negatives for name, it in found.items()}
    mined = {name: it.k if isinstance(it, DrawNegatives) else 0 for name, it in drawn.items()}
    documents = {name: pairs[name] * (1 + mined[name]) for name in found}
    assert documents == {"in-batch": 8, "in-batch-wide": 32, "random": 32}
    assert pairs == {"in-batch": 8, "in-batch-wide": 32, "random": 8}
    assert found["random"].recipe == found["in-batch"].recipe
