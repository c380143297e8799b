"""Bad command lines: commands, options and arguments that are not there, and values that they do not take."""

from __future__ import annotations

from collections.abc import Iterator

from case import Case, grid

WRONG = {
    "no such command": (("frobnicate",), "frobnicate"),
    "a command in markup": (("[INST]",), "[INST]"),
    "a command with a line end": (("a\nb",), "No such command"),
    "no such option": (("plan", "grid.yaml", "--sead", "3"), "--sead"),
    "no grid": (("plan",), "grid"),
    "two grids": (("plan", "grid.yaml", "other.yaml"), "other.yaml"),
    "an option without a value": (("plan", "grid.yaml", "--set"), "--set"),
    "no such kind of models": (("run", "grid.yaml", "--models", "some"), "--models"),
    "labels that are a word": (("audit", "x", "--labels", "many"), "--labels"),
    "labels in markup": (("audit", "x", "--labels", "[INST]"), "--labels"),
    "labels of 5,000 digits": (("audit", "x", "--labels", "9" * 5000), "--labels"),
    "one label": (("audit", "x", "--labels", "1"), "--labels"),
    "a width of 2": (("audit", "x", "--width", "2"), "--width"),
    "a seed below 0": (("audit", "x", "--seed", "-1"), "--seed"),
    "no collection": (("evaluate", "--encoder", "bm25"), "--collection"),
    "a maximum length of 1": (
        ("evaluate", "--encoder", "bm25", "--collection", "x", "--max-length", "1"),
        "--max-length",
    ),
    "no such method": (("methods", "simnas"), "simans"),
    "a method that is broken": (("methods", "simans(a="), "simans(a="),
    "a method in markup": (("methods", "[INST]"), "[INST]"),
    "no such part": (("parts", "smapler"), "smapler"),
    "a part in markup": (("parts", "[/INST]"), "[/INST]"),
    "no such paper": (("reproduce", "nobody"), "nobody"),
    "a paper in markup": (("reproduce", "[INST]"), "[INST]"),
    "a size that is a word": (("store", "prune", "--keep-under", "much"), "much"),
    "a size below 0": (("store", "prune", "--keep-under", "-5GB"), "-5GB"),
    "no store command": (("store", "empty"), "empty"),
    "no such method to mine": (("mine", "simnas", "--collection", "helpdesk"), "simans"),
    "no such collection to mine": (("mine", "bm25", "--collection", "nowhere"), "nowhere"),
    "no such format": (("mine", "bm25", "--collection", "helpdesk", "--out", "x.jsonl", "--format", "xml"), "xml"),
    "a thousand and one negatives": (
        ("mine", "bm25", "--collection", "helpdesk", "--negatives", "1001"),
        "--negatives",
    ),
    "no such collection to advise on": (("advise", "nowhere"), "nowhere"),
    "a parameter of a method": (("methods", "simans(a=x)"), "simans(a=x): a: expected a number"),
    "a parameter of a judge": (
        ("audit", "mined.jsonl", "--labels", "2", "--judge", "llm(letters=1)"),
        "--judge: letters: expected at least 100",
    ),
    "several seeds to mine": (
        ("mine", "bm25", "--collection", "../shared/socks", "--encoder", "../shared/weights", "--set", "seeds=[0, 1]"),
        "one seed",
    ),
    "a number of negatives to mine, twice": (
        ("mine", "bm25", "--collection", "helpdesk", "--negatives", "3", "--set", "negatives=2"),
        "--set negatives=2",
    ),
    "a format to mine, and no file": (
        ("mine", "bm25", "--collection", "helpdesk", "--format", "trec"),
        "--format trec",
    ),
    "a format to export, and no file": (("export", "grid.yaml", "random", "--format", "trec"), "--format trec"),
    "a length for bm25": (
        ("evaluate", "--encoder", "bm25", "--collection", "helpdesk", "--max-length", "32"),
        "--max-length: bm25",
    ),
    "arithmetic for bm25": (
        ("evaluate", "--encoder", "bm25", "--collection", "helpdesk", "--precision", "float32"),
        "--precision: bm25",
    ),
    "a revision of a folder": (
        ("evaluate", "--encoder", "../shared/weights(revision=main)", "--collection", "helpdesk"),
        "revision",
    ),
    "one method as a page": (("methods", "simans", "--markdown"), "--markdown"),
    "methods as a page and as JSON": (("methods", "--markdown", "--json"), "--markdown"),
    "negatives without a name": (("mine", "bm25", "--collection", "helpdesk", "--out", "."), "has no name"),
    "negatives below a file": (("mine", "bm25", "--collection", "helpdesk", "--out", "grid.yaml/x.jsonl"), "--out"),
    "a sheet below a file": (("audit", "mined.jsonl", "--labels", "3", "--out", "grid.yaml/x"), "cannot be written"),
    "a collection to begin with that is empty": (("init", "", "--out", "new.yaml"), "collection"),
    "an unknown parameter of a search": (
        ("evaluate", "--encoder", "bm25(depht=3)", "--collection", "helpdesk"),
        "did you mean depth?",
    ),
    "an unknown key of an encoder": (
        ("evaluate", "--encoder", "weights(keep_layer=3)", "--collection", "helpdesk"),
        "did you mean keep_layers",
    ),
    "no such method to export": (("export", "grid.yaml", "simnas"), "simnas"),
    "no such measure": (
        ("evaluate", "--encoder", "bm25", "--collection", "helpdesk", "--measures", "nDGC@10"),
        "nDGC@10",
    ),
    "no measure": (("evaluate", "--encoder", "bm25", "--collection", "helpdesk", "--measures", ""), "--measures"),
    "a report without results": (("report", "grid.yaml"), "no results.json"),
    "an inspection without results": (("inspect", "grid.yaml", "q17"), "this grid"),
}


def command_lines() -> Iterator[Case]:
    """Commands and options that do not exist, and values that they do not take."""
    for name, (arguments, named) in WRONG.items():
        yield Case(name=name, arguments=arguments, named=(named,), files={"grid.yaml": grid(), "other.yaml": grid()})


PAPERS = {
    "no expectations": ({"paper/paper.yaml": "title: x\n"}, "expect.yaml"),
    "a date in a paper": (
        {"paper/paper.yaml": "title: 2020-01-01\n", "paper/expect.yaml": "rows: {}\n"},
        "paper.yaml:1",
    ),
    "an expansion in a paper": (
        {"paper/paper.yaml": "a: &a [*a]\n", "paper/expect.yaml": "rows: {}\n"},
        "paper.yaml:1",
    ),
    "a paper that is a list": ({"paper/paper.yaml": "- a\n", "paper/expect.yaml": "rows: {}\n"}, "paper.yaml:1"),
}


def papers() -> Iterator[Case]:
    """Folders of a paper whose files are missing or broken."""
    for name, (files, named) in PAPERS.items():
        yield Case(name=name, arguments=("reproduce", "paper"), named=(named,), files=files)
