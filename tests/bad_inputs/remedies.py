"""What to do: the words by which a refusal tells it, and what each kind of refusal must tell."""

from __future__ import annotations

_VERBS = (
    *("add", "ask for", "audit", "check", "choose", "copy", "correct", "draw", "empty", "give", "install", "keep"),
    *("leave", "let", "lower", "look at", "make", "mend", "move", "name", "put", "quote", "raise", "remove", "rename"),
    *("repeat", "restore", "run", "save", "say", "see", "set", "shorten", "start", "take", "train", "upgrade", "use"),
    "write",
)
_DO = rf"(?:{'|'.join(_VERBS)})\b"

REMEDY = (
    r"\bexpected |did you mean |known: |lists what can be given|pip install|"
    rf"; [^;]*\b{_DO}|[:,] (?:or |in [^ ]+ )?{_DO}"
)
"""Pattern of what to do: what was expected, what may have been meant, or a clause that says to do something."""

KINDS: dict[str, tuple[str, str]] = {
    "a sheet that is damaged": (r"a damaged sheet", r"; restore the file, or draw a new sheet"),
    "no such file": (r"no such (file|folder)", r"expected |give "),
    "no file": (r"is a (folder|pipe|socket|device)", r"; (give|choose|expected|leave .* out, or give)"),
    "a path that cannot be followed": (r"cannot be read \(", r"; give the path of a file that can be"),
    "a home of nobody": (r"there is no such home", r"; write the (path|folder) without ~"),
    "a file that is damaged": (r"cannot be read|unreadable from this line on", r"; give a whole copy|; save it again"),
    "a file that expands without end": (r"expands to more than", r"; give the decompressed file"),
    "no UTF-8": (r"not UTF-8 text", r"; save it as UTF-8"),
    "no YAML": (r"not valid YAML", r"; (put quotes|leave the tag out|remove what is no text|quote what)"),
    "no JSON": (r"not valid JSON|(broken|unreadable) JSON", r"; (write|mend|restore)"),
    "a key twice": (r"duplicate key|twice", r"keep one|give (it|each)|once"),
    "a value of no kind": (r"put quotes around it", r"expected text \(put quotes around it\), found ."),
    "a tag of another kind": (r"has the tag of another kind", r"; expected .*, or no tag"),
    "too much": (
        r"more than [\d,]+ (values|lists|digits|characters|bytes|brackets)|and at most [\d,]+|too large for a number",
        r"; (write|shorten|give|expected) ",
    ),
    "an end that never comes": (r"without end", r"; write it out"),
    "half a character": (r"half a character|not valid Unicode", r"; write (the whole one|whole characters)"),
    "too many points": (r"points, and a grid has at most", r"; give fewer values, or write several grids"),
    "a key that is missing": (r"is missing", r"; (a grid|a method file) needs |; add it|; found |; run the grid again"),
    "a key of another place": (r"no key is called .* here", r": put it there"),
    "a name that is not there": (
        r"no \S.* is called|no such|is no known|is not one of",
        r"did you mean|known: |expected|; ",
    ),
    "a key that leads nowhere": (r"leads nowhere", r"; set the whole of .*, or write it as a mapping"),
    "a spelling that is broken": (r"closing bracket|opening bracket|not closed|quoted string", r"; "),
    "an option that is wrong": (r"--help` lists", r"; `.* --help` lists what can be given"),
    "a wrong value": (r"expected ", r"expected .+"),
    "another refusal": (r"", REMEDY),
}
"""Kinds of refusal, the first that fits counts: the pattern by which it is known, and that of what it tells to do."""
