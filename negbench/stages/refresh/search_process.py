"""A process that searches for a refresh: ``python -m negbench.stages.refresh.search_process FOLDER THREADS``.

``FOLDER`` holds the search, and for each number that it is asked for on standard input, the checkpoint to search with.
The negatives of that number are written to the folder of the search; the answer is a line of JSON, an ``Answer``.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from negbench import libraries
from negbench.encoders.load import load
from negbench.errors import InputError, PartError
from negbench.stages.refresh.full_search import SearchRounds
from negbench.stages.refresh.search_files import load_search
from negbench.training.children import answer_lines


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The points of the curves and the cost of a search, or its failure in one line, and where it arose.

    ``failure`` is None for a search that has succeeded; ``is_input`` says whether it was an InputError.
    """

    points: dict[str, float] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    failure: str | None = None
    is_input: bool = False
    traceback: str = ""


@cache
def rounds_of(folder: Path, threads: int) -> SearchRounds:
    """Return the search that lies in a folder, and compute with so many threads from now on."""
    import torch

    torch.set_num_threads(threads)
    return SearchRounds(load_search(folder))


def answer(folder: Path, threads: int, number: int) -> Answer:
    """Search with the checkpoint of a number."""
    try:
        began = time.perf_counter()
        _, points, amounts = rounds_of(folder, threads).replacement(load(folder / str(number)), number)
        return Answer(points=points, cost={**amounts, "refresh_seconds": time.perf_counter() - began})
    except Exception as error:  # any error: the training fails with it
        text = str(error) if isinstance(error, InputError | PartError) else f"{type(error).__name__}: {error}"
        told = "".join(traceback.format_exception(error))
        return Answer(failure=text, is_input=isinstance(error, InputError), traceback=told)


def main() -> None:
    """Answer until standard input ends, with as many threads as the process that asks computes with."""
    libraries.configure()
    folder, threads = Path(sys.argv[1]), int(sys.argv[2])
    answer_lines(lambda line: json.dumps(asdict(answer(folder, threads, int(line)))))


if __name__ == "__main__":
    main()
