"""One method in detail, and the listing of parts: what a user may set, and what is true of it."""

from __future__ import annotations

import annotated_types
import pytest

import negbench as nb
from negbench.errors import InputError
from negbench.methods import catalogue, resolve
from negbench.registry import KINDS, registered


@pytest.mark.parametrize("name", catalogue())
def test_every_parameter_can_be_set_by_its_key(name: str) -> None:
    """Given its own value, the method stays what it is."""
    details = nb.describe_method(name)
    method = catalogue()[name]
    assert details.data["spelling"] == method.spelling == name
    assert details.data["summary"] == method.summary
    for row in details.data["parameters"]:
        path = row["part"].partition(":")[0]
        part = method.part_paths()[path]
        assert resolve({name: {row["key"]: part.parameters[row["name"]]}}) == method
    assert name in details.table
    assert len(details.to_pandas()) == len(details.data["parameters"])


def test_changes_and_forms_are_shown() -> None:
    details = nb.describe_method("margin(margin=0.1)")
    (row,) = [row for row in details.data["parameters"] if row["key"] == "margin"]
    assert (row["value"], row["default"], row["part"]) == (0.1, 0.05, "filters.margin: margin")
    assert "margin(as=faithful)" in details.table
    faithful = nb.describe_method("dpr(as=faithful)").data
    assert (faithful["form"], faithful["train"]["epochs"]) == ("faithful", 40)
    assert nb.describe_method("rounds").data["phases"] == ["rocketqa(work=0.5)"] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_is_listed_with_its_bounds(kind: str) -> None:
    listed = {part["name"]: part for part in nb.list_parts(kind).data if part["kind"] == kind}
    assert list(listed) == list(registered(kind))
    for name, part in registered(kind).items():
        said = {it["name"]: it for it in listed[name]["parameters"]}
        assert list(said) == list(part.model_fields)
        for field, info in part.model_fields.items():
            assert said[field]["description"]
            for bound in info.metadata:
                if isinstance(bound, annotated_types.Ge):
                    assert f">= {bound.ge:g}" in said[field]["bounds"]


def test_a_part_or_a_kind_goes_by_name() -> None:
    (simans,) = nb.list_parts("simans").data
    assert simans["key"] == "selection"
    assert nb.list_parts("selection").data == nb.list_parts("sampler").data
    assert len(nb.list_parts().data) == sum(len(registered(kind)) for kind in KINDS)
    assert nb.list_parts("sampler").to_pandas()["part"].nunique() == len(registered("sampler"))
    with pytest.raises(InputError, match="did you mean sampler"):
        nb.list_parts("smapler")
    with pytest.raises(InputError, match="did you mean simans"):
        nb.describe_method("simnas")
    with pytest.raises(InputError, match="did you mean depth"):
        nb.describe_method("simans(dept=3)")
