"""Several sources of candidates, which share the negatives of a row."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from negbench import spelling
from negbench.numbers import not_booleans
from negbench.retrieval import Retriever


class CandidateSource(BaseModel):
    """A retriever with its share of a row's negatives, written as the retriever: ``bm25(share=0.25)``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    _numbers = not_booleans

    retriever: Retriever
    share: float | None = Field(
        default=None, gt=0, lt=1, description="Share of a row's negatives; null for equal shares."
    )

    @property
    def spelling(self) -> str:
        """The retriever in the canonical short form, with its share first."""
        share = {} if self.share is None else {"share": self.share}
        return spelling.write(self.retriever.name, {**share, **self.retriever.written})


class CandidateSources(BaseModel):
    """Two or more retrievers, each with a pool of its own: a row's first negatives come from the first, and so on.

    Either all have a share, and these add up to 1, or none has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[CandidateSource, ...]

    @model_validator(mode="after")
    def _share_the_negatives(self) -> CandidateSources:
        shares = [source.share for source in self.sources if source.share is not None]
        named = [source.retriever.spelling for source in self.sources]
        if twice := [name for name in named if named.count(name) > 1]:
            raise ValueError(f"{twice[0]} is given twice; give each retriever once")
        if shares and len(shares) < len(self.sources):
            raise ValueError("some retrievers have a share and some do not; give one to each, or to none")
        if shares and abs(sum(shares) - 1) > 1e-9:
            raise ValueError(f"the shares add up to {sum(shares):g}; expected 1")
        return self

    @property
    def retrievers(self) -> tuple[Retriever, ...]:
        """The retrievers, in order."""
        return tuple(source.retriever for source in self.sources)

    def counts(self, negatives: int) -> tuple[int, ...]:
        """Return how many of a row's ``negatives`` each source gives; they add up to it.

        What remains after rounding down goes to the largest remainders, and of equal ones to the source named first.
        Raises ValueError where a source would give none.
        """
        wanted = [negatives * (source.share or 1 / len(self.sources)) for source in self.sources]
        counts = [int(number + 1e-9) for number in wanted]
        by_remainder = sorted(range(len(counts)), key=lambda index: round(counts[index] - wanted[index], 9))
        for index in by_remainder[: negatives - sum(counts)]:
            counts[index] += 1
        if 0 in counts:
            raise ValueError(
                f"candidates: {self.sources[counts.index(0)].spelling} gives none of {negatives} negatives a row; ask "
                "for more negatives, or a larger share"
            )
        return tuple(counts)

    @property
    def spelling(self) -> str:
        """The sources as a list, as ``candidates`` takes it."""
        return f"[{', '.join(source.spelling for source in self.sources)}]"

    def __str__(self) -> str:
        return self.spelling


Candidates = Retriever | CandidateSources | None


def read_candidates(value: Any) -> Candidates:
    """Turn what a grid says into a retriever, or into several sources where it is a list of two or more.

    Raises ValueError.
    """
    if value is None or isinstance(value, Retriever | CandidateSources):
        return value
    if not isinstance(value, list | tuple):
        return Retriever.model_validate(value)
    sources = tuple(_source(item) for item in value)
    if not sources:
        raise ValueError("expected a retriever, or a list of several, found an empty list")
    if len(sources) == 1 and sources[0].share is None:
        return sources[0].retriever
    return CandidateSources(sources=sources)


def _source(value: Any) -> CandidateSource:
    if isinstance(value, CandidateSource):
        return value
    name, parameters = spelling.parse(value)
    own: dict[Literal["share"], Any] = {"share": parameters.pop("share")} if "share" in parameters else {}
    return CandidateSource(retriever=Retriever.model_validate({name: parameters}), **own)
