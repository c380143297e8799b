from __future__ import annotations

import re
from importlib.resources import files
from typing import Any, get_args

import annotated_types
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from negbench import spelling
from negbench.methods import Method, catalogue, named, resolve
from negbench.methods.axes import AXES, LISTS, PARTS, VALUES, Axes
from negbench.methods.overrides import KEYS
from negbench.registry import Part, registered

NAMES = list(catalogue())


def test_every_file_is_a_method() -> None:
    found = {path.name.removesuffix(".yaml") for path in files("negbench.methods").iterdir() if ".yaml" in path.name}
    assert found == set(NAMES)
    assert {"in-batch", "random", "bm25", "rank-band", "simans", "denoised"} <= found


@pytest.mark.parametrize("name", NAMES)
def test_every_method_says_where_it_is_from_and_what_it_shows(name: str) -> None:
    method = named(name)
    assert method.name == name
    assert 1990 <= method.year <= 2030
    for text in (method.summary, method.paper, method.shows):
        assert len(text) > 15
        assert "\n" not in text
    assert method.summary.endswith(".")
    assert method.shows.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_a_method_is_its_name(name: str) -> None:
    assert named(name).spelling == name
    for form in (name, f"{name}()", {name: None}, {name: {}}):
        assert resolve(form) == named(name)


@pytest.mark.parametrize("name", NAMES)
def test_every_alias_leads_to_a_parameter_of_the_method(name: str) -> None:
    for alias, targets in named(name).parameters.items():
        for target in [targets] if isinstance(targets, str) else targets:
            path, _, field = target.rpartition(".")
            assert field in type(named(name).part_paths()[path]).model_fields
        assert alias not in KEYS


def samples(field: FieldInfo) -> st.SearchStrategy[Any]:
    """Values of a field's type, mostly within its bounds."""
    kinds = get_args(field.annotation) or (field.annotation,)
    low = max([bound.ge for bound in field.metadata if isinstance(bound, annotated_types.Ge)], default=0)
    found = []
    for kind in kinds:
        if kind is bool:
            found.append(st.booleans())
        elif kind is int:
            found.append(st.integers(int(low), int(low) + 40))
        elif kind is float:
            found.append(st.floats(low, low + 1, exclude_min=True) | st.sampled_from([0.25, 1.0, 1e-6]))
        elif isinstance(kind, str):  # of a Literal
            found.append(st.just(kind))
        elif kind is type(None):
            found.append(st.none())
    return st.one_of(found) if found else st.nothing()


@st.composite
def parts_of(draw: st.DrawFn, kind: str) -> str:
    """The spelling of a part with some of its parameters changed."""
    part = draw(st.sampled_from(list(registered(kind).values())))
    fields = [name for name, field in part.model_fields.items() if not samples(field).is_empty]
    chosen = draw(st.lists(st.sampled_from(fields), unique=True, max_size=3)) if fields else []
    return spelling.write(part.name, {name: draw(samples(part.model_fields[name])) for name in chosen})


def on_axis(axis: str) -> st.SearchStrategy[Any]:
    """What a grid may put on an axis, as the axis declares it."""
    field = Axes.model_fields[axis]
    if axis in VALUES:
        return samples(field)
    kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
    (part,) = [parts_of(kind.kind) for kind in kinds if issubclass(kind, Part)]
    if axis in LISTS:
        return st.lists(part, max_size=2)
    return st.none() | part if axis in ("detector", "written") else part


@st.composite
def overrides(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A method with some axes replaced and some parameters changed, by path, bare name or alias."""
    method = named(draw(st.sampled_from(NAMES)))
    given_axes: dict[str, Any] = {}
    if method.forms and draw(st.booleans()):
        given_axes["as"] = draw(st.sampled_from(list(method.forms)))
    for axis in AXES:
        if draw(st.integers(0, 3)) == 0:
            given_axes[axis] = draw(on_axis(axis))
    try:
        method = resolve({method.name: given_axes})
    except ValueError:
        assume(False)
    fields: dict[str, Any] = {}
    for path, part in method.part_paths().items():
        for name, field in type(part).model_fields.items():
            if not samples(field).is_empty and draw(st.integers(0, 5)) == 0:
                owners = [other for other in method.part_paths().values() if name in type(other).model_fields]
                bare = len(owners) == 1 and name not in method.parameters and draw(st.booleans())
                fields[name if bare else f"{path}.{name}"] = draw(samples(field))
    return method.name, {**given_axes, **fields}


@given(overrides())
def test_a_method_s_spelling_resolves_to_it(asked: tuple[str, dict[str, Any]]) -> None:
    try:
        method = resolve({asked[0]: asked[1]})
    except ValueError:
        assume(False)
    again = resolve(method.spelling)
    assert again == method
    assert again.spelling == method.spelling
    # the long form of the same spelling
    name, parameters = spelling.parse(method.spelling)
    assert resolve({name: parameters}) == method
    # everything that was asked for is there
    for key, value in asked[1].items():
        path, _, field = key.rpartition(".")
        if path in method.part_paths():
            assert getattr(method.part_paths()[path], field) == value


@given(overrides())
def test_the_retriever_is_as_deep_as_anything_looks(asked: tuple[str, dict[str, Any]]) -> None:
    try:
        method = resolve({asked[0]: asked[1]})
    except ValueError:
        assume(False)
    if method.candidates is None:
        assert method.retriever is None
        return
    assert method.selection is not None
    assert method.retriever is not None
    looks = [part.needed_depth for part in (*method.labels, *method.filters, method.selection)]
    assert method.retriever.depth == max(method.candidates.depth, *looks)
    assert method.retriever.model_copy(update={"depth": method.candidates.depth}) == method.candidates


@pytest.mark.parametrize(
    ("spelled", "depth"),
    [
        ("simans", 200),
        ("simans(depth=500)", 500),
        ("simans(depth=500, candidates.depth=20)", 500),
        ("simans(candidates.depth=20)", 100),
        ("rank-band(low=10, high=900)", 900),
        ("rank-band(depth=1000)", 1000),
        ("denoised(depth=300)", 300),
        ("bm25(depth=7)", 200),
        ("bm25(selection=mixture(of=softmax(depth=700)))", 700),
        ("bm25(filters=[rank-band(high=210), denoise(depth=220)])", 220),
        ("random(candidates.depth=5)", 5),
    ],
)
def test_depths(spelled: str, depth: int) -> None:
    retriever = resolve(spelled).retriever
    assert retriever is not None
    assert retriever.depth == depth


FORMS = [(name, form) for name in NAMES for form in named(name).forms]


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_another_form_is_spelled_and_differs(name: str, form: str) -> None:
    other = resolve(f"{name}(as={form})")
    assert (other.form, other.spelling) == (form, f"{name}(as={form})")
    assert resolve(other.spelling) == other
    assert other != named(name)
    changed = resolve({name: {"as": form, "growing": True}} if other.candidates else {name: {"as": form}})
    assert resolve(changed.spelling) == changed


def test_in_batch_has_no_retriever() -> None:
    assert named("in-batch").retriever is None
    assert named("in-batch").negatives == 0


@pytest.mark.parametrize(
    ("asked", "canonical"),
    [
        ("simans(a=0.5, depth=100)", "simans"),
        ("simans(selection.a=1)", "simans(a=1.0)"),
        ("simans(selection=simans(a=1))", "simans(a=1.0, scale=raw)"),
        ("simans(a=0.5, scale=zscore)", "simans"),
        ("simans(selection=top)", "simans(selection=top)"),
        ("simans(selection=top, depth=3)", "simans(selection=top(depth=3))"),
        ("simans(loss.temperature=1)", "simans(loss.temperature=1.0)"),
        ("random(temperature=1)", "random(temperature=1.0)"),
        ("random(candidates.depth=9)", "random(candidates.depth=9)"),
        ("bm25(candidates=bm25(k1=1.2))", "bm25(k1=1.2)"),
        ("bm25(candidates=dense)", "bm25(candidates=dense)"),
        ("rank-band(filters=[rank-band(low=1)])", "rank-band(low=1, divisor=null)"),
        ("rocketqa(depth=9)", "rocketqa(depth=9)"),
        ("rocketqa(labels.promote.depth=9, filters.denoise.depth=9)", "rocketqa(depth=9)"),
        ("rocketqa(labels.promote.depth=9)", "rocketqa(labels.promote.depth=9)"),
        ("rocketqa(labels.promote.depth=9, depth=7)", "rocketqa(labels.promote.depth=9, filters.denoise.depth=7)"),
        ("rocketqa(labels=[], depth=9)", "rocketqa(labels=[], depth=9)"),
        ("rank-band(filters=[])", "rank-band(filters=[])"),
        ("rank-band(filters=[denoise])", "rank-band(filters=[denoise])"),
        ("rank-band(filters=[denoise, rank-band])", "rank-band(filters=[denoise, rank-band])"),
        ("denoised(depth=9)", "denoised(depth=9)"),
        ("denoised(filters=[], selection.depth=9)", "denoised(filters=[], selection.depth=9)"),
        (
            "in-batch(candidates=dense, selection=top, negatives=2)",
            "in-batch(negatives=2, candidates=dense, selection=top)",
        ),
        (
            "simans(candidates=null, selection=null, negatives=0)",
            "simans(negatives=0, candidates=null, selection=null)",
        ),
        ("simans(negatives=3)", "simans(negatives=3)"),
        ("simans(refresh=never)", "simans"),
        ("simans(refresh=every(steps=9))", "simans(refresh=every(steps=9))"),
        ("ance(refresh=every(steps=9), steps=5)", "ance(refresh=every(steps=5))"),
        ("ance(as=faithful, steps=5)", "ance(as=faithful, steps=5)"),
    ],
)
def test_spellings(asked: str, canonical: str) -> None:
    assert resolve(asked).spelling == canonical
    assert resolve(canonical) == resolve(asked)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("top", "no method is called 'top'; known: abs, adaptive-margin"),
        ("siman", "no method is called 'siman'; did you mean simans"),
        ("simans(as=faithful)", "simans has no form 'faithful'; give one of fixed"),
        ("dpr(as=interpretation)", "dpr has no form 'interpretation'; give one of fixed, faithful"),
        ("simans(dpth=3)", "no parameter of simans is called 'dpth'; did you mean depth?"),
        (
            "simans(zzz=3)",
            "no parameter of simans is called 'zzz'; known: a, b, batching, candidates, depth, detector, draws",
        ),
        ("simans(filters.rank-band.low=3)", "no parameter of simans is called 'filters.rank-band.low'"),
        ("in-batch(depth=3)", "no parameter of in-batch is called 'depth'"),
        (
            "simans(temperature=3)",
            "simans has several parameters called temperature: say which of loss.temperature, sel",
        ),
        (
            "random(depth=3)",
            "random has several parameters called depth: say which of candidates.depth, selection.depth",
        ),
        # the alias leads to a filter that has been taken out: the bare name is ambiguous then
        (
            "denoised(filters=[], depth=9)",
            "denoised has several parameters called depth: say which of candidates.depth",
        ),
        ("simans(selection=null)", "candidates and selection go together: give both or neither"),
        ("in-batch(candidates=dense)", "candidates and selection go together: give both or neither"),
        ("in-batch(negatives=1)", "a method without candidates has no filters, no labels and negatives: 0"),
        ("in-batch(filters=[rank-band])", "a method without candidates has no filters, no labels and negatives: 0"),
        ("rank-band(filters=[rank-band, rank-band(low=1)])", "filters has rank-band twice"),
        ("rank-band(low=500)", "low=500 must be below high=110"),
        ("simans(selection=top(depth=3), a=1)", "no parameter of simans is called 'a'"),
        ("simans(a=-1)", "a\n  Input should be greater than or equal to 0"),
        ("simans(negatives=-1)", "negatives\n  Input should be greater than or equal to 0"),
        ("simans(candidates=simans)", "no retriever is called 'simans'"),
    ],
)
def test_what_does_not_fit_is_refused(asked: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        resolve(asked)


def test_resolving_leaves_the_catalogue_alone() -> None:
    before = {name: method.model_dump_json() for name, method in catalogue().items()}
    asked = {"simans": {"a": 3, "selection": "top"}}
    with pytest.raises(ValueError):
        resolve(asked)
    assert asked == {"simans": {"a": 3, "selection": "top"}}
    resolve("simans(a=3, candidates=bm25, filters=[rank-band])")
    assert {name: method.model_dump_json() for name, method in catalogue().items()} == before


def test_kinds_of_axes() -> None:
    """What each takes is read off its type."""
    assert LISTS == ("labels", "filters")
    assert PARTS == ("candidates", "selection", "written", "refresh", "batching", "detector", "loss")
    assert VALUES == ("trains", "negatives", "growing", "draws", "fill")
    with pytest.raises(ValidationError):
        Method(name="x", summary="x", paper="x", year=2000, shows="x", candidates="top", selection="top")  # type: ignore[arg-type]


def test_every_axis_is_described_in_a_sentence() -> None:
    for key in KEYS:
        told = Method.model_fields[key].description or ""
        assert re.fullmatch(r"[A-Z`].{15,}\.", told), key
    assert set(AXES) < set(KEYS)


def test_a_method_in_stages_has_nothing_on_an_axis_of_its_own() -> None:
    unused = {"draws": "once", "fill": "below-filters"}  # by the methods that ship
    for axis in AXES:
        moved = [getattr(method, axis) for method in catalogue().values() if not method.at_rest(axis)]
        with pytest.raises(ValueError, match=f"a method has phases or {axis}, not both"):
            resolve({"curriculum": {axis: moved[0] if moved else unused[axis]}})
