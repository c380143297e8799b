"""Whether a model has the weights that its files hold, all of them and no others, and whether they are numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from negbench.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

_BUFFERS = ("position_ids", "inv_freq", "masked_bias")
"""What older versions of transformers saved beside the weights; all of it follows from the configuration."""


@dataclass(frozen=True)
class Loaded:
    """A transformer and what transformers told of its loading: names of tensors that the files lack (``missing``) or
    the model does (``unexpected``), and for those that do not fit their shape in the files and in the model.
    """

    transformer: Any
    missing: frozenset[str]
    unexpected: frozenset[str]
    misfits: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]


@contextmanager
def recorded() -> Iterator[list[Loaded]]:
    """Collect what transformers tells of each model that is loaded inside; sentence-transformers does not hand it on.

    Tensors of another shape are told of too, instead of an error that names none.
    """
    from transformers import PreTrainedModel

    own = PreTrainedModel.__dict__["from_pretrained"]
    loaded: list[Loaded] = []

    def recording(cls: Any, *inputs: Any, **named: Any) -> Any:
        named |= {"output_loading_info": True, "ignore_mismatched_sizes": True}
        model, info = own.__func__(cls, *inputs, **named)
        misfits = {name: (tuple(file), tuple(here)) for name, file, here in info["mismatched_keys"]}
        loaded.append(
            Loaded(model, frozenset(info["missing_keys"]), frozenset(info["unexpected_keys"]) - {*misfits}, misfits)
        )
        return model

    PreTrainedModel.from_pretrained = classmethod(recording)
    try:
        yield loaded
    finally:
        PreTrainedModel.from_pretrained = own


def refuse_unfit(found: Loaded, folder: Path | None, output: Tensor | None, name: str) -> None:
    """Raise InputError where the files' tensors are not those that the transformer needs; ``name`` is the encoder's.

    A tensor may be missing that ``output``, the vectors of some text with their graph, does not depend on, such as
    BERT's pooler; it is set to 0. One may be left over that belongs to a head which other models of the same
    architecture have, or that older versions of transformers saved. ``folder`` holds the files, where it is known.
    """
    if found.misfits:
        (tensor, (file, here)), *_ = sorted(found.misfits.items())
        raise InputError(
            f"encoder {name}: {_counted(found.misfits)} of another shape than config.json says: {tensor} is "
            f"{list(file)} in the file and {list(here)} in the model"
            + (f"; also {_named([*found.misfits][1:])}" if len(found.misfits) > 1 else "")
            + "; save the model again"
        )
    needed = found.missing - _unused(found, output)
    if needed:
        raise InputError(
            f"encoder {name}: its files lack {_counted(needed)} that config.json asks for, which would be drawn at "
            f"random: {_named(needed)}; save the model again"
        )
    left = {tensor for tensor in found.unexpected if tensor.rpartition(".")[2] not in _BUFFERS}
    if left:
        left -= _heads(found.transformer)
    if left and folder is not None:
        left = _within_body(found.transformer, folder, left)
    if left:
        raise InputError(
            f"encoder {name}: its files hold {_counted(left)} that config.json does not ask for, which would be left "
            f"out: {_named(left)}"
        )


def _unused(found: Loaded, output: Tensor | None) -> set[str]:
    """Return the names of missing tensors that the output does not depend on; they become 0."""
    import torch

    weights = {name: value for name, value in found.transformer.named_parameters() if name in found.missing}
    unused = {name for name in found.missing if name.rpartition(".")[2] in _BUFFERS}
    if output is None or not weights:
        return unused
    gradients = torch.autograd.grad(output.sum(), [*weights.values()], retain_graph=True, allow_unused=True)
    with torch.no_grad():
        for (name, value), gradient in zip(weights.items(), gradients, strict=True):
            if gradient is None:
                value.zero_()
                unused.add(name)
    return unused


def _heads(transformer: Any) -> set[str]:
    """Return the names of all tensors of transformers' models with a head over this architecture."""
    import torch
    import transformers
    from transformers.models.auto import modeling_auto

    config, names = transformer.config, set()
    of_kind = {
        models[config.model_type]
        for mapping, models in vars(modeling_auto).items()
        if mapping.endswith("_MAPPING_NAMES") and config.model_type in models
    }
    classes = {name for some in of_kind for name in ((some,) if isinstance(some, str) else some)}
    for name in sorted(classes):
        model = getattr(transformers, name, None)
        if model is None:
            continue
        with suppress(Exception), torch.device("meta"):  # some need more than this configuration says
            names |= set(model(config).state_dict())
    return names


def _within_body(transformer: Any, folder: Path, names: set[str]) -> set[str]:
    """Leave out what stands beside the body in files that name the body, as in ``bert.encoder...`` and ``cls...``."""
    from safetensors import safe_open

    prefix = f"{transformer.base_model_prefix}."
    for path in folder.rglob("*.safetensors"):
        with safe_open(path, "pt") as file:
            if any(name.startswith(prefix) for name in file.keys()):  # noqa: SIM118  (the file cannot be iterated)
                return {name for name in names if name.startswith(prefix)}
    return names


def embedded_tokens(transformer: Any) -> int | None:
    """Return how many tokens a transformer has an embedding of; None where it has no table of them, as for hashes."""
    try:
        table = transformer.get_input_embeddings()
    except NotImplementedError:  # CANINE reads characters by their hashes
        return None
    count: int | None = getattr(table, "num_embeddings", None)
    return count


def not_finite(model: nn.Module) -> str:
    """Return which of a model's tensors hold NaN or infinite numbers and how many there are; empty for none.

    So too for weights whose squares add up to more than float32 holds: the length of a vector of such numbers is
    infinite, and normalising turns every text into the vector 0.
    """
    import torch

    with torch.no_grad():
        tensors = {name: value for name, value in model.state_dict().items() if isinstance(value, torch.Tensor)}
        broken = [name for name, value in tensors.items() if not bool(torch.isfinite(value).all())]
        if broken:
            return f"{len(broken)} of {len(tensors)} tensors hold NaN or infinite numbers: {_named(broken)}"
        weights = dict(model.named_parameters())  # a buffer, such as a mask, may hold the largest of all numbers
        norms = {name: torch.linalg.vector_norm(value, dtype=torch.float32) for name, value in weights.items()}
        broken = [name for name, norm in norms.items() if not bool(torch.isfinite(norm))]
    if not broken:
        return ""
    return f"{len(broken)} of {len(weights)} tensors hold numbers too large to be squared in float32: {_named(broken)}"


def _counted(names: Collection[str]) -> str:
    return "1 tensor" if len(names) == 1 else f"{len(names)} tensors"


def _named(names: Collection[str], most: int = 3) -> str:
    shown = sorted(names)[:most]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
