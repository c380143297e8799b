"""Title and text of documents as an encoder reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload


class Passages(Sequence[str]):
    """What ``Collection.passages`` returns, each put together when it is read.

    A retriever reads each once, and a second copy of a large corpus would double its memory.
    """

    def __init__(self, titles: Sequence[str], texts: Sequence[str]) -> None:
        self._titles = titles
        self._texts = texts

    def __iter__(self) -> Iterator[str]:
        return (f"{title} {text}".strip() for title, text in zip(self._titles, self._texts, strict=True))

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Passages: ...
    def __getitem__(self, index: int | slice) -> str | Passages:
        if isinstance(index, slice):
            return Passages(self._titles[index], self._texts[index])
        return f"{self._titles[index]} {self._texts[index]}".strip()
