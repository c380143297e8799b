"""Methods: named points on the axes (candidates, filters, selection, loss, ...), one YAML file each."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from negbench import registry, spelling
from negbench.encoders.spec import EncoderSpec
from negbench.methods import alias, method_file
from negbench.methods.axes import AXES, LISTS, Axes
from negbench.methods.overrides import differences, override, replace
from negbench.methods.sources import CandidateSources
from negbench.numbers import not_booleans
from negbench.requirements import CacheTargets, PoolPart, find
from negbench.retrieval import Retriever
from negbench.samplers.softmax import Softmax
from negbench.teachers import Teacher
from negbench.teachers.score_fusion import ScoreFusion
from negbench.training.recipe import Recipe

Form = Literal["fixed", "faithful", "interpretation"]


class Phase(BaseModel):
    """A phase of a method's training, written as the method that it trains by: ``random(work=0.2)``.

    work: its share of the steps of a whole training; phases take them one after another, so that a method in phases
    sees the rows that any other sees, in the same order. candidates_from: the encoder that finds dense candidates, as
    the stage before left it or as all began; what the start finds is shared with other methods, and a miner finds the
    same in each phase. weights_from: the weights that it goes on with; from those of the start, rows come from the
    beginning again, too. pairs: the labels, or ``crops``, pairs made of the corpus alone (``collections.crops``).
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
        """The phase in the canonical short form: its method and each field that is not at its default."""
        own = {name: getattr(self, name) for name in PHASE}
        changed = {name: value for name, value in own.items() if value != type(self).model_fields[name].default}
        return spelling.write(self.method.name, {**changed, **self.method.overrides})


PHASE = ("work", "candidates_from", "weights_from", "pairs")


def _phase(value: object) -> object:
    if isinstance(value, Phase):
        return value
    name, given = spelling.parse(value)
    own = {key: given.pop(key) for key in PHASE if key in given}
    return Phase(method=resolve({name: given}), **own)


class Method(Axes):
    """A way to choose negatives and to train with them: a point on the axes, and what is said of it.

    equal_documents: without negatives of its own, take batches so much larger that a step reads as many documents as
    with the grid's number, and so many more epochs that there are as many steps. form: ``fixed`` under equal work for
    all, ``faithful`` to its authors' recipe, ``interpretation`` where the source is unclear. forms: what the other
    forms change. train: keys of the recipe that differ from the grid's, in forms that have a recipe of their own.
    parameters: names for fields that several parts have, as paths; one with several paths changes them together.
    similarity: ``dot`` where the constants are for raw dot products, so that an encoder which compares by cosines is
    refused. differs: what is left out or replaced of the source's recipe; a form may have its own. not_faithful: why
    there is no faithful form. alias: name of its row in the tables of a grid. The rest is for readers.
    """

    name: str
    alias: str | None = None
    summary: str
    paper: str
    year: int
    shows: str
    form: Form = "fixed"
    differs: str = ""
    not_faithful: str = ""
    forms: dict[Form, dict[str, Any]] = Field(default_factory=dict)
    train: dict[str, Any] = Field(default_factory=dict)
    equal_documents: bool = False
    similarity: Literal["any", "dot"] = "any"
    parameters: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    phases: tuple[Annotated[Phase, BeforeValidator(_phase)], ...] = Field(
        default=(),
        validation_alias=AliasChoices("phases", "stages"),
        description="Trainings one after another, each by a method of its own; then the axes are theirs to say.",
    )

    def model_post_init(self, _: object) -> None:
        if self.phases:
            self._check_phases()
            return
        if (self.candidates is None) != (self.selection is None):
            raise ValueError("candidates and selection go together: give both or neither")
        if self.candidates is None and (self.filters or self.labels or self.written or self.negatives != 0):
            raise ValueError("a method without candidates has no filters, no labels and negatives: 0; add candidates")
        if self.candidates is None and self.loss.mined_only:
            raise ValueError(f"loss {self.loss.name} learns from mined negatives alone: give candidates and selection")
        if isinstance(self.candidates, CandidateSources) and (self.labels or self.written):
            what = f"labels {self.labels[0].name}" if self.labels else f"written {self.written}"
            raise ValueError(f"candidates {self.candidates}: {what} goes with one retriever; give one, or leave it out")
        if self.equal_documents and self.negatives != 0:
            raise ValueError("equal_documents is for a method without mined negatives; leave it out")
        if self.refresh.is_dynamic:
            self._check_refresh()
        if self.fill == "drop":
            self._check_drop()
        if (cached := find(self.loss.requires, CacheTargets)) is not None:
            self._check_cache(cached.temperature)
        for axis in LISTS:
            names = [rule.name for rule in getattr(self, axis)]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(
                    f"{axis} has {twice[0]} twice; a path such as {axis}.{twice[0]} must mean one of them: keep one"
                )

    def _check_phases(self) -> None:
        """Check that axes are set by the phases alone, and that the phases fit into a training."""
        for axis in AXES:
            if not self.at_rest(axis):
                raise ValueError(f"a method has phases or {axis}, not both; give {axis} in its phases")
        end = 0.0
        for phase in self.phases:
            if phase.method.phases:
                raise ValueError(f"phase {phase.method.name} has phases of its own; give these instead")
            if isinstance(phase.method.candidates, CandidateSources):
                raise ValueError(f"phase {phase.method.name} draws from several retrievers; give one of them")
            end = phase.work if phase.weights_from == "start" else end + phase.work
            if end > 1 + 1e-9:
                raise ValueError(f"the phases take {end:g} of a training; let their work add up to 1")
        work = sum(phase.work for phase in self.phases)
        if self.form == "fixed" and abs(work - 1) > 1e-9:
            raise ValueError(f"the phases do {work:g} of a training's work; in a fixed form all do 1: set their shares")

    @property
    def trained_phases(self) -> tuple[Phase, ...]:
        """The phases of its training; a method without any is its own only phase."""
        return self.phases or (Phase(method=self, work=1.0),)

    def _check_refresh(self) -> None:
        """Check that an encoder which has moved finds other candidates, and that all is known of these."""
        if self.candidates is None:
            raise ValueError(
                f"refresh {self.refresh}: without candidates there is nothing to search again; leave refresh out"
            )
        if isinstance(self.candidates, CandidateSources):
            raise ValueError(f"refresh {self.refresh}: needs one retriever; give one of {self.candidates}, or never")
        if self.candidates.miner is not None and self.refresh.mode != "redraw":
            raise ValueError(
                f"refresh {self.refresh}: compares and searches with the encoder that is trained, not with "
                f"{self.candidates.miner.model}; leave out the encoder of {self.candidates.name}, or give refresh=never"
            )
        if self.refresh.searches:
            self._check_search()
        elif self.refresh.mode == "when-easy" and (not self.candidates.needs_vectors or self.written):
            raise ValueError(
                f"refresh {self.refresh}: scores negatives with the encoder; give candidates dense, voyager or hybrid, "
                "and nothing written"
            )
        if self.detector is not None:
            raise ValueError(
                f"refresh {self.refresh}: rows would change by it and by detector {self.detector.name}; give "
                "refresh=never, or detector=null"
            )
        if not all(requirement.in_training for requirement in self.loss.requires):
            raise ValueError(
                f"refresh {self.refresh}: loss {self.loss.name} is told about the first negatives alone; give another "
                "loss, or refresh=never"
            )

    def _check_drop(self) -> None:
        """Check that the rows which are left out are known before the training, and that a sampler leaves no slots."""
        if self.candidates is None:
            raise ValueError("fill drop: without candidates no row is short of negatives; leave it out")
        if self.written is not None:
            raise ValueError("fill drop: written negatives would stand in for mined ones; give written=null")
        if self.selection is not None and self.selection.leaves_slots:
            raise ValueError(
                f"fill drop: selection {self.selection.name} leaves slots empty on purpose, and their rows would be "
                "dropped; give another selection, or fill=corpus"
            )
        if self.refresh.is_dynamic or self.detector is not None:
            what = f"refresh {self.refresh}" if self.detector is None else f"detector {self.detector.name}"
            raise ValueError(
                f"fill drop: {what} needs the same rows all through the training; take it out, or give fill=corpus"
            )

    def _check_search(self) -> None:
        """Check that candidates can be searched for again with the encoder as it stands."""
        assert isinstance(self.candidates, Retriever)
        moving = self.refresh.mode == "cached-vectors"
        if self.refresh.per_batch and ((self.trains == "both") != moving or self.labels or self.written):
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
                "move with it are dense, voyager and hybrid: give one"
            )
        for part in self.pool_parts:
            for why in [requirement.beside_refresh for requirement in part.requires if requirement.beside_refresh]:
                raise ValueError(f"refresh {self.refresh}: {part.name} {why}; take it out, or give refresh=never")

    def _check_cache(self, temperature: float) -> None:
        """Check that one negative is drawn from a cache by the very softmax that the loss says it stands for."""
        drawn = isinstance(self.selection, Softmax) and self.selection.temperature == temperature
        if not (self.refresh.mode == "cached-vectors" and drawn and self.negatives in (None, 1)):
            raise ValueError(
                "its loss wants one negative, drawn from a cache by the softmax that it stands for; give "
                f"refresh=cache, negatives=1 and selection=softmax with temperature={temperature:g}, the loss's own"
            )

    @property
    def retriever(self) -> Retriever | None:
        """The candidates' retriever, made as deep as filters and selection need; None where there is not just one."""
        if not isinstance(self.candidates, Retriever) or self.selection is None:
            return None
        depth = max([self.candidates.depth, *(part.needed_depth for part in self.pool_parts)])
        return self.candidates.model_copy(update={"depth": depth})

    @property
    def miners(self) -> tuple[EncoderSpec, ...]:
        """The models other than the encoder trained that find candidates, of all phases."""
        sources = [one.retriever for phase in self.trained_phases for one in phase.method.by_source]
        found = (None if retriever is None else retriever.miner for retriever in sources)
        return tuple(miner for miner in found if miner is not None)

    @property
    def by_source(self) -> tuple[Method, ...]:
        """The method with each of its candidate sources alone; itself where there are not several."""
        if not isinstance(self.candidates, CandidateSources):
            return (self,)
        return tuple(self.model_copy(update={"candidates": one}) for one in self.candidates.retrievers)

    @property
    def pool_parts(self) -> tuple[PoolPart, ...]:
        """The parts that look at the pool, in the order in which they do."""
        return (*self.labels, *self.filters, *([] if self.selection is None else [self.selection]))

    @property
    def overrides(self) -> dict[str, Any]:
        """The axes and parameters that differ from the method file of that name, as ``override`` takes them."""
        own = named(self.name)
        form = {} if self.form == own.form else {"as": self.form}
        return {**form, **differences(in_form(own, self.form), self)}

    @property
    def spelling(self) -> str:
        """The canonical short form: the name and whatever differs from the named point."""
        return spelling.write(self.name, self.overrides)

    @property
    def label(self) -> str:
        """What a grid's tables call the method: the name that the grid gives it, else its spelling."""
        return self.spelling if self.alias is None else self.alias


def names() -> tuple[str, ...]:
    """Return the name of every method that ships or that an installed package brings."""
    return tuple(method_file.locate())


def catalogue() -> dict[str, Method]:
    """Return every method that ships or that an installed package brings, by name."""
    return {name: named(name) for name in names()}


def named(name: str) -> Method:
    """Return the method called ``name``; ValueError names the nearest ones."""
    if name not in names():
        raise ValueError(registry.unknown("method", name, list(names())))
    return _read(name)


@cache  # one by one: a method in phases names others
def _read(name: str) -> Method:
    return method_file.read(method_file.locate()[name], name, Method)


def resolve(value: object) -> Method:
    """Turn a grid's entry, ``simans(a=1)`` or ``{simans: {a: 1}}``, into a method; ValueError says what is wrong.

    ``as`` names another of the method's forms: ``dpr(as=faithful)``.
    A key is an axis (``selection``), a path (``selection.depth``), or the bare name of a field that exactly one of
    the method's parts has. A mapping may have a ``name`` beside the method: that of its row in a table.
    """
    value, given = alias.taken_out(value)
    name, overrides = spelling.parse(value)
    method = named(name)
    if "as" in overrides:
        method = in_form(method, overrides.pop("as"))
    method = override(method, overrides)
    return method if given is None else method.model_copy(update={"alias": alias.check(given, names())})


def in_form(method: Method, form: str) -> Method:
    """Return a method in another of its forms; ValueError names those that it has."""
    if form == method.form:
        return method
    known = [method.form, *method.forms]
    if form not in known:
        why = f": {method.not_faithful}" if form == "faithful" and method.not_faithful else ""
        raise ValueError(f"{method.name} has no form {form!r}{why}; give one of {', '.join(known)}")
    changes = dict(method.forms[form])
    recipe = Recipe.model_validate(changes.pop("train", {}))
    train = {key: getattr(recipe, key) for key in sorted(recipe.model_fields_set)}
    kept: dict[str, Any] = {key: changes.pop(key) for key in ("differs", "similarity") if key in changes}
    return override(replace(method, {**kept, "form": form, "forms": {}, "train": train}), changes)


def with_teacher(method: Method, teacher: Teacher | None) -> Method:
    """Return the method with ``teacher`` in all parts that ask one and do not say whom.

    A part that asks no one unless told does not say whom where it asks the default teacher.
    """
    if method.phases:
        phases = [it.model_copy(update={"method": with_teacher(it.method, teacher)}) for it in method.phases]
        return replace(method, {"phases": tuple(phases)})
    for path, part in method.part_paths().items() if teacher is not None else ():
        field = type(part).model_fields.get("teacher")
        if field is None:
            continue
        default = field.get_default(call_default_factory=True, validated_data={})
        if part.parameters["teacher"] == (ScoreFusion() if default is None else default):
            method = override(method, {f"{path}.teacher": teacher})
    return method
