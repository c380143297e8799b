"""The files that follow from the code: ``make golden`` writes them anew, and a test fails while one is behind.

What changed is then read in the difference: a stage key that moved means that stored results are not found again.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # a script finds only what lies beside it
from sampler_draws import golden_draw, samplers

from negbench.config.grid import read
from negbench.config.schema import grid_schema
from negbench.methods import catalogue, listing
from negbench.plan.trials import trials

ROOT = Path(__file__).parents[2]
DRAWS = ROOT / "tests/golden/draws.json"
CONFIGS = ROOT / "configs"
NEED_MORE = {"live", "given", "syneg", "causalneg"}
"""Methods that no grid can run as it is: they want a run file, a collection with negatives, or a server."""


def stage_keys() -> str:
    """Return the key of every stage of every grid in ``configs/`` for seed 0, in order.

    Small made collections stand for those that a grid names, so that only the plan decides, and float32 for ``auto``.
    """
    lines: list[str] = []
    with _named_collections("scifact", "nfcorpus", "cranfield"):
        for path in sorted(CONFIGS.glob("*.yaml")):
            grid = read(path, ["seeds=[0]", "train.precision=float32"])
            found = {stage.key: stage.kind for trial in trials(grid) for stage in trial.stages}
            lines += [f"{path.stem} {kind} {key}" for key, kind in found.items()]
    return "\n".join(lines) + "\n"


@contextmanager
def _named_collections(*names: str) -> Iterator[None]:
    before = os.environ.get("NEGBENCH_DATA")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NEGBENCH_DATA"] = folder
        try:
            for name in names:
                _write_collection(Path(folder) / name)
            yield
        finally:
            os.environ.pop("NEGBENCH_DATA")
            if before is not None:
                os.environ["NEGBENCH_DATA"] = before


def _write_collection(folder: Path) -> None:
    (folder / "qrels").mkdir(parents=True)
    (folder / "extra").mkdir()
    documents = [{"_id": f"d{row}", "title": "", "text": f"{folder.name} document {row}"} for row in range(9)]
    queries = [{"_id": f"q{row}", "text": f"question {row}"} for row in range(6)]
    for stem, records in (("corpus", documents), ("queries", queries)):
        (folder / f"{stem}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    for split, rows in (("train", range(3)), ("dev", range(3, 4)), ("test", range(4, 6))):
        judged = "query-id\tcorpus-id\tscore\n" + "".join(f"q{row}\td{row}\t1\n" for row in rows)
        (folder / f"qrels/{split}.tsv").write_text(judged)
        (folder / f"extra/{split}.3-2-1.tsv.gz").write_bytes(gzip.compress(judged.encode(), mtime=0))


def schema() -> str:
    """Return the JSON schema of a grid, which editors read."""
    return json.dumps(grid_schema(), indent=1) + "\n"


def methods_page() -> str:
    """Return the page of all methods."""
    return listing.page(catalogue().values())


def quickstart() -> str:
    """Return ``configs/quickstart.yaml``, which the package has, too, so that it runs outside of a checkout."""
    return (CONFIGS / "quickstart.yaml").read_text(encoding="utf-8")


def grid_of_all_methods() -> str:
    """Return ``configs/methods.yaml`` with a line for each method that ships, those that stand there as they are."""
    text = (CONFIGS / "methods.yaml").read_text(encoding="utf-8")
    head, begin, rest = text.partition("methods:\n")
    lines = rest.splitlines(keepends=True)
    end = next(number for number, line in enumerate(lines) if not line.startswith("  "))
    wanted = {name for name in catalogue() if name not in NEED_MORE}
    kept = [line for line in lines[:end] if (name := _name(line)) is None or name in wanted]
    missing = sorted(wanted - {_name(line) for line in kept})
    return head + begin + "".join([*kept, *(f"  - {name}\n" for name in missing), *lines[end:]])


def _name(line: str) -> str | None:
    """Return the method that a line of the list begins; None for a comment, or a line that goes on."""
    found = re.match(r'  - "?([\w-]+)', line)
    return found[1] if found else None


class ChangedDrawError(ValueError):
    """A sampler draws otherwise than before, under the same version."""


def draws() -> str:
    """Return ``draws.json`` with a digest for each new sampler and each new version of one.

    Raises ChangedDrawError where an entry that stands there would change.
    """
    before = json.loads(DRAWS.read_text(encoding="utf-8"))
    after: dict[str, dict[str, str]] = {}
    for sampler in samplers().values():
        known, version = before.get(sampler.spelling, {}), str(sampler.version)
        digest = golden_draw(sampler)
        if known.get(version, digest) != digest:
            raise ChangedDrawError(
                f"{sampler.spelling} draws otherwise than its version {version} did: raise the sampler's version, "
                "so that stored draws are not taken for new ones"
            )
        after[sampler.spelling] = {**known, version: digest}
    return json.dumps(after, indent=1, sort_keys=True) + "\n"


MADE: dict[Path, Callable[[], str]] = {
    CONFIGS / "grid.schema.json": schema,
    CONFIGS / "methods.md": methods_page,
    CONFIGS / "methods.yaml": grid_of_all_methods,
    ROOT / "negbench/quickstart.yaml": quickstart,
    ROOT / "tests/golden/stage_keys.txt": stage_keys,
    DRAWS: draws,
}
"""The files, and what each holds; one that is read by another stands before it."""


def main() -> None:
    """Write each file that is behind; exit with a line where a sampler has changed under its old version."""
    for path, make in MADE.items():
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        try:
            after = make()
        except ChangedDrawError as error:
            sys.exit(str(error))
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"rewrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
