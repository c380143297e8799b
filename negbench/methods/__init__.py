"""Methods: named points on the axes (candidates, filters, selection, loss, ...), one YAML file each."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from negbench import parts, spelling
from negbench.asks import Asking, AverageTargets, CacheTargets, TeacherScores
from negbench.batching import Batching
from negbench.batching.random import Random
from negbench.detectors import Detector
from negbench.filters import Filter
from negbench.labels import LabelRule
from negbench.losses import Loss
from negbench.losses.infonce import InfoNCE
from negbench.methods.overrides import AXES, LISTS, differences, override, replace
from negbench.mining import Fill
from negbench.numbers import not_booleans
from negbench.parts import Part
from negbench.refresh import Refresh
from negbench.refresh.cache import Cache
from negbench.refresh.never import Never
from negbench.retrieval import Retriever
from negbench.samplers import Sampler
from negbench.samplers.softmax import Softmax
from negbench.teachers import Teacher
from negbench.training.recipe import Recipe
from negbench.writers import Writer

Form = Literal["fixed", "faithful", "interpretation"]


class Phase(BaseModel):
    """A stage of a method's training, written as the method that it trains by: ``random(work=0.2)``.

    work: its share of the steps of a whole training; stages take them one after another, so that a method in stages
    sees the rows that any other sees, in the same order. candidates_from: the encoder that finds dense candidates, as
    the stage before left it or as all began; what the start finds is shared with other methods. weights_from: the
    weights that it goes on with; from those of the start, rows come from the beginning again, too. pairs: the labels,
    or ``crops``, pairs made of the corpus alone (``collections.crops``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    _numbers = not_booleans

    method: Method
    work: float = Field(gt=0, le=1)
    candidates_from: Literal["previous", "start"] = "previous"
    weights_from: Literal["previous", "start"] = "previous"
    pairs: Literal["labels", "crops"] = "labels"

    @property
    def spelling(self) -> str:
        """The canonical short form."""
        own = {name: getattr(self, name) for name in PHASE}
        told = {name: value for name, value in own.items() if value != type(self).model_fields[name].default}
        return spelling.write(self.method.name, {**told, **self.method.overrides})


PHASE = ("work", "candidates_from", "weights_from", "pairs")


def _phase(value: object) -> object:
    if isinstance(value, Phase):
        return value
    name, given = spelling.parse(value)
    own = {key: given.pop(key) for key in PHASE if key in given}
    return Phase(method=resolve({name: given}), **own)


class Method(BaseModel):
    """A way to choose negatives and to train with them.

    candidates: the retriever whose pool is drawn from, null for in-batch negatives alone. labels: rules that change
    what counts as a positive. filters: applied in order. selection: the sampler. draws: ``each-epoch`` draws and
    fills anew for every epoch, ``once`` for the whole training; a refresh before each step draws anew at each. fill:
    where a shortfall is made up. written: who writes negatives that take the place of mined ones. refresh: when
    candidates are searched again with the encoder as it then stands. trains: ``both`` sides, or ``queries`` alone,
    over documents as the starting weights have them. batching: who sits in a batch with whom. detector: which pairs
    are taken for mismatched as training goes on, null for none. loss: what is asked of the scores. negatives:
    negatives a row, null for the grid's number. growing: begin with one negative a row and end with all.
    equal_documents: without negatives of its own, take batches so much larger that a step reads as many documents as
    with the grid's number, and so many more epochs that there are as many steps. form: ``fixed`` under equal work for
    all, ``faithful`` to its authors' recipe, ``interpretation`` where the source is unclear. forms: what the other
    forms change. train: keys of the recipe that differ from the grid's, in forms that have a recipe of their own.
    parameters: names for fields that several parts have, as paths; one with several paths changes them together.
    stages: trainings one after another, each by a method of its own; then all of the above is theirs to say.
    similarity: ``dot`` where the constants are for raw dot products, so that an encoder which compares by cosines is
    refused. differs: what is left out or replaced of the source's recipe; a form may have its own. not_faithful: why
    there is no faithful form. The rest is for readers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    _numbers = not_booleans

    name: str
    summary: str
    paper: str
    year: int
    shows: str
    form: Form = "fixed"
    differs: str = ""
    not_faithful: str = ""
    forms: dict[Form, dict[str, Any]] = {}
    train: dict[str, Any] = {}
    candidates: Retriever | None = None
    labels: tuple[LabelRule, ...] = ()
    filters: tuple[Filter, ...] = ()
    selection: Sampler | None = None
    draws: Literal["each-epoch", "once"] = "each-epoch"
    fill: Fill = "corpus"
    written: Writer | None = None
    refresh: Refresh = Field(default_factory=Never)
    trains: Literal["both", "queries"] = "both"
    batching: Batching = Field(default_factory=Random)
    detector: Detector | None = None
    loss: Loss = Field(default_factory=InfoNCE)
    negatives: int | None = Field(default=None, ge=0)
    growing: bool = False
    equal_documents: bool = False
    similarity: Literal["any", "dot"] = "any"
    parameters: dict[str, str | tuple[str, ...]] = {}
    stages: tuple[Annotated[Phase, BeforeValidator(_phase)], ...] = ()

    def model_post_init(self, _: object) -> None:
        """Check that the axes fit together."""
        if self.stages:
            self._check_stages()
            return
        if (self.candidates is None) != (self.selection is None):
            raise ValueError("candidates and selection go together: give both or neither")
        if self.candidates is None and (self.filters or self.labels or self.written or self.negatives != 0):
            raise ValueError("a method without candidates has no filters, no labels and negatives: 0")
        if self.candidates is None and self.loss.mined_only:
            raise ValueError(f"loss {self.loss.name} learns from mined negatives alone: give candidates and selection")
        if self.equal_documents and self.negatives != 0:
            raise ValueError("equal_documents is for a method without mined negatives")
        if self.refresh.moves:
            self._check_refresh()
        if isinstance(self.loss.asks, CacheTargets):
            self._check_cache(self.loss.asks.temperature)
        for axis in LISTS:
            names = [rule.name for rule in getattr(self, axis)]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{axis} has {twice[0]} twice; a path such as {axis}.{twice[0]} must mean one of them")

    def _check_stages(self) -> None:
        """Check that stages alone speak, and that they fit into a training."""
        rest = type(self)(name="rest", summary="", paper="", year=0, shows="", negatives=0)
        for axis in AXES:
            if axis not in ("stages", "negatives") and getattr(self, axis) != getattr(rest, axis):
                raise ValueError(f"a method has stages or {axis}, not both; say {axis} in its stages")
        end = 0.0
        for phase in self.stages:
            if phase.method.stages:
                raise ValueError(f"stage {phase.method.name} has stages of its own; write these instead")
            end = phase.work if phase.weights_from == "start" else end + phase.work
            if end > 1 + 1e-9:
                raise ValueError(f"the stages take {end:g} of a training; let their work add up to 1")
        work = sum(phase.work for phase in self.stages)
        if self.form == "fixed" and abs(work - 1) > 1e-9:
            raise ValueError(f"the stages do {work:g} of a training's work; in a fixed form all do 1")

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The stages; a method without any is the only one of its own."""
        return self.stages or (Phase(method=self, work=1.0),)

    def _check_refresh(self) -> None:
        """Check that an encoder which has moved finds other candidates, and that all is known of these."""
        if self.candidates is None:
            raise ValueError(f"refresh {self.refresh}: without candidates there is nothing to search again")
        if self.refresh.searches:
            self._check_search()
        if self.detector is not None:
            raise ValueError(
                f"refresh {self.refresh}: rows would change by it and by detector {self.detector.name}; give "
                "refresh=never, or detector=null"
            )
        if self.loss.asks is not None and not isinstance(self.loss.asks, AverageTargets | CacheTargets):
            raise ValueError(
                f"refresh {self.refresh}: loss {self.loss.name} is told about the first negatives alone; give another "
                "loss, or refresh=never"
            )

    def _check_search(self) -> None:
        """Check that candidates can be searched for again with the encoder as it stands."""
        assert self.candidates is not None
        moving = isinstance(self.refresh, Cache)
        if not self.refresh.whole and ((self.trains == "both") != moving or self.labels or self.written):
            over, trains = ("are trained", "both") if moving else ("stay", "queries")
            raise ValueError(
                f"refresh {self.refresh}: searches over documents that {over}; give trains={trains}, no labels and "
                "nothing written"
            )
        if moving and self.candidates.name != "dense":
            raise ValueError(f"refresh {self.refresh}: vectors that always change need no index; give candidates=dense")
        if not self.candidates.needs_vectors:
            raise ValueError(
                f"refresh {self.refresh}: {self.candidates.name} finds the same whatever the encoder; candidates that "
                "move with it are dense, voyager and hybrid"
            )
        for part in self.asking:
            if any(isinstance(ask, TeacherScores) for ask in part.asks):
                raise ValueError(
                    f"refresh {self.refresh}: {part.name} asks a teacher, who scored the first candidates alone; "
                    "take it out, or give refresh=never"
                )

    def _check_cache(self, temperature: float) -> None:
        """Check that one negative is drawn from a cache by the very softmax that the loss says it stands for."""
        drawn = isinstance(self.selection, Softmax) and self.selection.temperature == temperature
        if not (isinstance(self.refresh, Cache) and drawn and self.negatives in (None, 1)):
            raise ValueError(
                "its loss wants one negative, drawn from a cache by the softmax that it stands for; give "
                f"refresh=cache, negatives=1 and selection=softmax with temperature={temperature:g}, the loss's own"
            )

    @property
    def retriever(self) -> Retriever | None:
        """The candidates' retriever, made as deep as filters and selection need."""
        if self.candidates is None or self.selection is None:
            return None
        depth = max([self.candidates.depth, *(part.needed_depth for part in self.asking)])
        return self.candidates.model_copy(update={"depth": depth})

    @property
    def asking(self) -> tuple[Asking, ...]:
        """The parts that look at the pool, in the order in which they do."""
        return (*self.labels, *self.filters, *([] if self.selection is None else [self.selection]))

    def part_paths(self) -> dict[str, Part]:
        """Return the method's parts by path: ``candidates``, ``filters.NAME``, ``selection``, ``loss``, ..."""
        found: dict[str, Part] = {f"{axis}.{rule.name}": rule for axis in LISTS for rule in getattr(self, axis)}
        for axis in ("candidates", "selection", "written", "refresh", "batching", "detector", "loss"):
            if (part := getattr(self, axis)) is not None:
                found[axis] = part
        return found

    @property
    def overrides(self) -> dict[str, Any]:
        """Whatever differs from the named point."""
        own = named(self.name)
        form = {} if self.form == own.form else {"as": self.form}
        return {**form, **differences(in_form(own, self.form), self)}

    @property
    def spelling(self) -> str:
        """The canonical short form: the name and whatever differs from the named point."""
        return spelling.write(self.name, self.overrides)


@cache
def names() -> tuple[str, ...]:
    """Return the name of every method that ships."""
    found = (path.name for path in files("negbench.methods").iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml")))


def catalogue() -> dict[str, Method]:
    """Return every method that ships, by name."""
    return {name: named(name) for name in names()}


def named(name: str) -> Method:
    """Return the method called ``name``; ValueError names the nearest ones."""
    if name not in names():
        raise ValueError(parts.unknown("method", name, list(names())))
    return _read(name)


@cache  # one by one: a method in stages names others
def _read(name: str) -> Method:
    from ruamel.yaml import YAML

    text = (files("negbench.methods") / f"{name}.yaml").read_text(encoding="utf-8")
    return Method(name=name, **YAML(typ="safe", pure=True).load(text))


def resolve(value: object) -> Method:
    """Turn a grid's entry, ``simans(a=1)`` or ``{simans: {a: 1}}``, into a method; ValueError says what is wrong.

    ``as`` names another of the method's forms: ``dpr(as=faithful)``.
    A key is an axis (``selection``), a path (``selection.depth``), or the bare name of a field that exactly one of
    the method's parts has.
    """
    name, overrides = spelling.parse(value)
    method = named(name)
    if "as" in overrides:
        method = in_form(method, overrides.pop("as"))
    return override(method, overrides)


def in_form(method: Method, form: str) -> Method:
    """Return a method in another of its forms; ValueError names those that it has."""
    if form == method.form:
        return method
    known = [method.form, *method.forms]
    if form not in known:
        why = f": {method.not_faithful}" if form == "faithful" and method.not_faithful else ""
        raise ValueError(f"{method.name} has no form {form!r}{why}; it has {', '.join(known)}")
    changes = dict(method.forms[form])
    recipe = Recipe.model_validate(changes.pop("train", {}))
    train = {key: getattr(recipe, key) for key in sorted(recipe.model_fields_set)}
    told: dict[str, Any] = {key: changes.pop(key) for key in ("differs", "similarity") if key in changes}
    return override(replace(method, {**told, "form": form, "forms": {}, "train": train}), changes)


def with_teacher(method: Method, teacher: Teacher | None) -> Method:
    """Return the method with ``teacher`` in all parts that ask one and do not say whom."""
    if method.stages:
        told = [it.model_copy(update={"method": with_teacher(it.method, teacher)}) for it in method.stages]
        return replace(method, {"stages": tuple(told)})
    for path, part in method.part_paths().items() if teacher is not None else ():
        field = type(part).model_fields.get("teacher")
        if field is not None and part.parameters["teacher"] == field.get_default(
            call_default_factory=True, validated_data={}
        ):
            method = override(method, {f"{path}.teacher": teacher})
    return method
