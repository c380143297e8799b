"""A checkpoint against the model that it is loaded into: no tensor missing or left over, all values finite."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from negbench.encoders.checkpoint import embedded_tokens, not_finite
from negbench.errors import InputError

if TYPE_CHECKING:
    from torch import nn

T = TypeVar("T")

_OTHER_HEADS = re.compile(r"(^|\.)pooler\.|^cls\.|^lm_head\.")
"""Unexpected tensors that no score rests on: a pooler that the model does not use, heads of pretraining."""


@dataclass(frozen=True)
class LoadReport:
    """What transformers found when it read one checkpoint into a model.

    ``prefix``: the body's name within the model, "bert" say. ``names``: the model's tensors. ``mismatched`` holds the
    shapes in the checkpoint and in the model by name.
    """

    prefix: str
    names: frozenset[str]
    missing: frozenset[str]
    unexpected: frozenset[str]
    mismatched: dict[str, tuple[list[int], list[int]]]

    def problem(self, new_head: bool, kept_layers: int | None) -> str | None:
        """Return in words what is wrong; None where nothing is. For the parameters see ``load_checked``."""
        if self.mismatched:
            shapes = [f"{name} is {shape}, not {wanted}" for name, (shape, wanted) in sorted(self.mismatched.items())]
            return f"the checkpoint has tensors of other shapes: {_listed(shapes)}"
        missing = [name for name in self.missing if not (new_head and self._is_head(name))]
        if missing:
            return f"the checkpoint lacks {_listed(missing)}, which would be drawn at random"
        unexpected = [name for name in self.unexpected if self._counts(name, new_head, kept_layers)]
        if unexpected:
            return f"the checkpoint has {_listed(unexpected)}, which the model that config.json describes does not read"
        return None

    def _is_head(self, name: str) -> bool:
        return bool(self.prefix) and (not name.startswith(f"{self.prefix}.") or "pooler" in name)

    def _counts(self, name: str, new_head: bool, kept_layers: int | None) -> bool:
        if kept_layers is not None and any(int(number) >= kept_layers for number in re.findall(r"\.(\d+)\.", name)):
            return False
        if _OTHER_HEADS.search(name):
            return False
        known = {_pattern(known.removeprefix(f"{self.prefix}.")) for known in self.names}
        of_body = name.startswith(f"{self.prefix}.") or _pattern(name) in known
        return of_body or not new_head


def _pattern(name: str) -> str:
    return re.sub(r"\.\d+\.", ".*.", name)


def _listed(names: Iterable[str]) -> str:
    first, *others = sorted(names)
    return first + (f" and {len(others)} more" if others else "")


def load_checked(who: str, load: Callable[[], T], new_head: bool = False, kept_layers: int | None = None) -> T:
    """Return what ``load`` returns; InputError, which begins with ``who``, where it fails or a checkpoint does not fit.

    Tensors that the checkpoint lacks would be drawn at random, and those that the model does not read are lost. Only
    with ``new_head`` may what follows the body be missing or be another one. ``kept_layers``: layers from this one on
    are left out on purpose.
    """
    with _reports() as reports:
        try:
            loaded = load()
        except InputError:
            raise
        except Exception as error:  # each library that reads a part of the folder has errors of its own
            reason = next((said for report in reports if (said := report.problem(new_head, kept_layers))), None)
            raise InputError(
                f"{who}: cannot be loaded: {reason or first_line(error)}; check its files, or give another model"
            ) from error
    for report in reports:
        if said := report.problem(new_head, kept_layers):
            raise InputError(f"{who}: {said}; use a complete checkpoint that matches its config.json")
    return loaded


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its kind where it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def _reports() -> Iterator[list[LoadReport]]:
    """Collect the reports that transformers would log, which ``from_pretrained`` hands to direct callers alone."""
    from transformers import modeling_utils

    reports: list[LoadReport] = []

    def keep(model: Any, loading_info: Any, **_: Any) -> None:
        mismatched = {name: (list(stored), list(here)) for name, stored, here in loading_info.mismatched_keys}
        missing, unexpected = frozenset(loading_info.missing_keys), frozenset(loading_info.unexpected_keys)
        reports.append(
            LoadReport(model.base_model_prefix, frozenset(model.state_dict()), missing, unexpected, mismatched)
        )
        failed = [*loading_info.error_msgs, *loading_info.conversion_errors.values()]
        if failed or mismatched:
            raise RuntimeError(failed[0] if failed else "tensors of other shapes")

    original = modeling_utils.log_state_dict_report
    modeling_utils.log_state_dict_report = keep
    try:
        yield reports
    finally:
        modeling_utils.log_state_dict_report = original


def require_finite(model: nn.Module, who: str) -> None:
    """Raise InputError, which begins with ``who`` and names tensors, where the model holds NaN or infinity."""
    if broken := not_finite(model):
        raise InputError(f"{who}: {broken}")


def require_vocabulary(tokenizer: Any, model: nn.Module, who: str) -> None:
    """Raise InputError where the tokenizer knows no words, as without its files, or more than have an embedding."""
    known = tokenizer.get_vocab()
    if not set(known) - set(tokenizer.all_special_tokens):
        raise InputError(
            f"{who}: its tokenizer has only special tokens; check that its files are there (tokenizer.json)"
        )
    rows = embedded_tokens(model)
    if rows is not None and (last := max(known.values())) >= rows:
        raise InputError(
            f"{who}: its tokenizer has ids up to {last}, but the model has {rows} embeddings; check its files"
        )


def positions(model: nn.Module) -> int | None:
    """Return how many tokens the learned positions of a transformer suffice for; None where it has none.

    RoBERTa and its kin begin to count after the padding's own position: 514 embeddings are 512 tokens.
    """
    from torch import nn

    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding) and name.endswith(("position_embeddings", "wpe")):
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    return None
