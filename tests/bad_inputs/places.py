"""Bad paths: what is no file that can be read, in every place where a path is given."""

from __future__ import annotations

import gzip
import os
import socket
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from case import Case, Content, grid


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _circle(path: Path) -> None:
    path.symlink_to(path.name)


def _circle_of_two(path: Path) -> None:
    path.with_name("other").symlink_to(path.name)
    path.symlink_to("other")


def _dangling(path: Path) -> None:
    path.symlink_to("nothing-is-here")


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _unreadable(path: Path) -> None:
    path.symlink_to("/proc/self/mem")  # root may read everything else


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # an address has at most 107 characters
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def _folder(path: Path) -> None:
    path.mkdir()


KINDS: dict[str, Callable[[Path], object]] = {
    "a pipe": _fifo,
    "a link to itself": _circle,
    "two links": _circle_of_two,
    "a link to nothing": _dangling,
    "a device": _device,
    "a file that cannot be read": _unreadable,
    "a socket": _socket,
    "a folder": _folder,
}
"""What may stand where a file is expected."""

NAMES = {
    "a home of nobody": "~nobody-of-this-name/x.yaml",
    "a name of 300 letters": f"{'x' * 300}.yaml",
    "a path of 5,000 letters": f"{'x' * 100}/" * 50 + "x.yaml",
    "a name below a file": "grid.yaml/x.yaml",
    "a name with a line end": "a\nb.yaml",
    "a name in markup": "[bold]x[/bold].yaml",
    "a name with half a character": "\udcff.yaml",
}
"""Names under which no file can be."""

SOCKS: dict[str, Content] = {
    "socks/corpus.jsonl": '{"_id": "d0", "text": "red sock"}\n{"_id": "d1", "text": "blue sock"}\n',
    "socks/queries.jsonl": '{"_id": "q0", "text": "where is red"}\n{"_id": "q1", "text": "where is blue"}\n',
    "socks/qrels/test.tsv": "query-id\tcorpus-id\tscore\nq0\td0\t1\n",
    "socks/qrels/train.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\n",
}
"""A small collection that is right."""

EVALUATE = ("evaluate", "--encoder", "bm25", "--collection")
MINED = '{"anchor": "where is red", "positive": "red sock", "negative": "blue sock"}\n'
ROWS = "query\tpositive\nwhere is red\tred sock\n"

PLACES: dict[str, tuple[tuple[str, ...], str, dict[str, Content]]] = {
    "a grid": (("plan", "PATH"), "grid.yaml", {}),
    "a manifest": (("plan", "PATH"), "manifest.json", {}),
    "a corpus": ((*EVALUATE, "socks"), "socks/corpus.jsonl", SOCKS),
    "a packed corpus": (
        (*EVALUATE, "socks"),
        "socks/corpus.jsonl.gz",
        {name: text for name, text in SOCKS.items() if "corpus" not in name},
    ),
    "queries": ((*EVALUATE, "socks"), "socks/queries.jsonl", SOCKS),
    "judgments": ((*EVALUATE, "socks"), "socks/qrels/test.tsv", SOCKS),
    "fuller judgments": (
        (*EVALUATE, 'beir(path=socks, truth="truth/{split}.tsv")'),
        "socks/truth/test.tsv",
        SOCKS,
    ),
    "pairs": ((*EVALUATE, "pairs.jsonl"), "pairs.jsonl", {}),
    "documents of pairs": ((*EVALUATE, "pairs(path=rows.tsv, corpus=corpus.tsv)"), "corpus.tsv", {"rows.tsv": ROWS}),
    "negatives of an audit": (("audit", "PATH"), "mined.jsonl", {}),
    "answers of an audit": (
        ("audit", "mined.jsonl", "--labels", "3", "--answers", "PATH"),
        "answers.csv",
        {"mined.jsonl": MINED},
    ),
    "a run file": (
        ("plan", "grid.yaml", "--set", "methods=[{bm25: {candidates: {run-file: {path: run.trec}}}}]"),
        "run.trec",
        {"grid.yaml": grid()},
    ),
    "the settings of an encoder": (
        ("plan", "grid.yaml", "--set", "encoder=./model"),
        "model/config.json",
        {"grid.yaml": grid(), "model/model.safetensors": b"weights"},
    ),
    "the weights of an encoder": (
        ("plan", "grid.yaml", "--set", "encoder=./model"),
        "model/model.safetensors",
        {"grid.yaml": grid(), "model/config.json": "{}"},
    ),
}
"""Where a path is given: the command, the path, and what else is there."""

OTHERWISE_FINE = {("a run file", "a link to nothing")}


def things_that_are_no_file() -> Iterator[Case]:
    """Pipes, sockets, devices, folders, links in a circle and unreadable files in place of files."""
    for place, (arguments, path, files) in PLACES.items():
        for kind, make in KINDS.items():
            if place == "pairs" and kind == "a folder":
                named = path  # a folder may hold a collection, and this one does not
            else:
                named = Path(path).name if kind != "a link to nothing" or "socks" not in path else "socks"
            yield Case(
                name=f"{place}: {kind}",
                arguments=tuple(path if argument == "PATH" else argument for argument in arguments),
                named=(named.partition(".")[0],),
                files={name: content for name, content in files.items() if name != path} | {path: make},
            )


GIVEN: dict[str, tuple[tuple[str, ...], dict[str, Content]]] = {
    "a grid": (("plan", "NAME"), {}),
    "a collection": (("plan", "grid.yaml", "--set", "collection=NAME"), {}),
    "a collection of an evaluation": ((*EVALUATE, "NAME"), {}),
    "an encoder": (("plan", "grid.yaml", "--set", "encoder=./NAME"), {}),
    "negatives of an audit": (("audit", "NAME"), {}),
    "answers of an audit": (("audit", "mined.jsonl", "--labels", "3", "--answers", "NAME"), {"mined.jsonl": MINED}),
    "a store": (("store", "list"), {}),
    "a paper": (("reproduce", "NAME"), {}),
}


def names_of_no_file() -> Iterator[Case]:
    """Names that are too long, of nobody's home, below a file, with markup or half a character."""
    for place, (arguments, files) in GIVEN.items():
        if place == "a store":
            continue
        for kind, name in NAMES.items():
            if "\n" in name and "--set" in arguments:
                continue  # a line end is a space in YAML
            home = name.startswith("~")  # ~ means a home at the beginning alone
            made = tuple(
                argument.replace("./NAME" if home else "NAME", name).replace("NAME", name) for argument in arguments
            )
            yield Case(
                name=f"{place}: {kind}",
                arguments=made,
                named=("b.yaml" if "\n" in name else name[:20].split("\udcff")[0],),
                files={"grid.yaml": grid(), **files},
            )


def _packed(block: bytes) -> Callable[[Path], object]:
    """Return a function that writes what gzip makes of 100 MB of the same block."""

    def write(path: Path) -> None:
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        megabyte = (block * (1 + (1 << 20) // len(block)))[: 1 << 20]
        path.write_bytes(b"".join(packer.compress(megabyte) for _ in range(100)) + packer.flush())

    return write


def packed_files() -> Iterator[Case]:
    """Compressed files that are broken, or expand without end."""
    whole = gzip.compress(b'{"_id": "d0", "text": "red sock"}\n' * 1000, mtime=0)
    broken: dict[str, Content] = {
        "is no gzip": b"red sock\n",
        "is empty": b"",
        "is cut": whole[: len(whole) // 2],
        "has a flipped byte": whole[:-6] + bytes([whole[-6] ^ 16]) + whole[-5:],
        "holds 100 MB of zeros": _packed(b"\0"),
        "holds 100 MB of line ends": _packed(b"\n"),
        "holds 100 MB of one record": _packed(b'{"_id": "d", "text": "red"}\n'),
    }
    others = {name: text for name, text in SOCKS.items() if "corpus" not in name}
    for name, content in broken.items():
        named = "corpus.jsonl.gz"
        yield Case(
            name=f"a corpus {name}",
            arguments=(*EVALUATE, "socks"),
            named=(named,),
            files=others | {f"socks/{named}": content},
        )
        yield Case(
            name=f"pairs: {name}",
            arguments=(*EVALUATE, "pairs.tsv.gz"),
            named=("pairs.tsv.gz",),
            files={"pairs.tsv.gz": content},
        )
        yield Case(
            name=f"an audit: {name}",
            arguments=("audit", "mined.jsonl.gz"),
            named=("mined.jsonl.gz",),
            files={"mined.jsonl.gz": content},
        )
