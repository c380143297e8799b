"""Methods that another model mines for: whom their sources name, and what is taken where no source was downloaded."""

from __future__ import annotations

import pytest

from negbench.encoders.spec import EncoderSpec
from negbench.methods import Method, catalogue, named, resolve


def miner(method: Method) -> EncoderSpec | None:
    assert method.candidates is not None
    return method.candidates.miner


def test_a_method_by_its_name_mines_with_the_model_that_is_installed() -> None:
    mined = {name: it.miners for name, it in catalogue().items() if it.miners}
    assert mined == dict.fromkeys(
        ("arctic", "denseon", "e5-mistral", "nv-retriever", "sfr"), (EncoderSpec(model="all-MiniLM-L6-v2"),)
    )


def test_nv_retriever_is_percent_with_e5_mistral_as_its_teacher() -> None:
    faithful, percent = resolve("nv-retriever(as=faithful)"), resolve("percent(as=faithful)")
    assert (faithful.filters, faithful.selection, faithful.negatives) == (percent.filters, percent.selection, 4)
    (rule,) = faithful.filters
    assert (rule.parameters["unit"], 1 - rule.parameters["margin"]) == ("percent", 0.95)
    teacher = miner(faithful)
    assert teacher is not None
    assert teacher.model == "intfloat/e5-mistral-7b-instruct"
    assert teacher.query_prompt is not None
    assert teacher.query_prompt.startswith("Instruct: ")
    assert teacher.query_prompt.endswith("\nQuery: ")
    assert teacher.document_prompt is None
    offline = resolve("nv-retriever(as=faithful, encoder=all-MiniLM-L6-v2)")
    assert miner(offline) == EncoderSpec(model="all-MiniLM-L6-v2")
    assert (offline.form, offline.negatives) == ("faithful", 4)


@pytest.mark.parametrize("name", ["arctic", "sfr"])
def test_what_no_source_settles_is_an_interpretation(name: str) -> None:
    assert named(name).form == "interpretation"
    with pytest.raises(ValueError, match=f"{name} has no form 'faithful': .*; give one of interpretation"):
        resolve(f"{name}(as=faithful)")


class TestRagatouille:
    @pytest.mark.parametrize(
        ("language", "model"),
        [
            ("en", "BAAI/bge-small-en-v1.5"),
            ("zh", "thenlper/gte-small-zh"),
            ("fr", "OrdalieTech/Solon-embeddings-base-0.1"),
            ("de", "intfloat/multilingual-e5-small"),
        ],
    )
    def test_its_small_model_of_each_language(self, language: str, model: str) -> None:
        band = resolve({"rank-band": {"as": "faithful", "encoder": {"language": language, "size": "small"}}})
        found = miner(band)
        assert found is not None
        assert found.model == model
        if language == "en":
            assert band == resolve("rank-band(as=faithful)")

    def test_its_index_is_voyager_s_own_and_is_asked_for_the_band_alone(self) -> None:
        from voyager import Index, Space

        band = resolve("rank-band(as=faithful)")
        assert band.retriever is not None
        index, fields = Index(Space.Cosine, 4), band.retriever.parameters
        assert (fields["m"], fields["ef_construction"]) == (index.M, index.ef_construction)
        assert (fields["depth"], fields["query_ef"]) == (110, max(110, index.ef))
        (rule,) = band.filters
        assert [rule.parameters[name] for name in ("low", "high", "divisor")] == [10, 110, 10]
        assert band.negatives == 10
