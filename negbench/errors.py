"""The one error that users see: a line that says what is wrong, where, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MOST_CHARACTERS = 4_000
"""Most characters of a message; of a longer one the middle is left out, since what to do stands at the end."""

MOST_PROBLEMS = 20
"""Most problems of one error that are listed."""

_LINE_END = re.compile(r"\s*[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]\s*")


class InputError(ValueError):
    """Something the user gave (a file, a key, an id) is wrong.

    The message is one line for each of the ``problems``: the place (file and line, or key), what was found, what was
    expected and what to do. Line ends in a problem, which quotes what the user gave, become spaces. The command line
    prints it without a traceback and exits with code 2.
    """

    def __init__(self, *problems: str) -> None:
        lines = list(dict.fromkeys(map(_one_line, problems)))
        if len(lines) > MOST_PROBLEMS:
            more = f"{len(lines) - MOST_PROBLEMS + 1} more problems like these; mend the first ones"
            lines = [*lines[: MOST_PROBLEMS - 1], more]
        super().__init__("\n".join(lines))


def _one_line(problem: str) -> str:
    line = _LINE_END.sub(" ", problem)
    half = MOST_CHARACTERS // 2
    return line if len(line) <= MOST_CHARACTERS else f"{line[:half]} [...] {line[-half:]}"


class PartError(RuntimeError):
    """A pluggable part returned what it must not: a draw of a known positive, scores that are no numbers.

    The message is one line that begins with the part's kind and spelling. The trial that uses the part fails with it.
    """

    def __init__(self, part: Any, problem: str) -> None:
        super().__init__(f"{part.kind} {part.spelling}: {problem}")


_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text (put quotes around it)",
    "tuple_type": "a list in [...]",
    "list_type": "a list in [...]",
    "too_short": "a list with something in it",
    "model_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
    "string_too_short": "some text",
}


def plainly(issue: Mapping[str, Any]) -> str:
    """Say one of the issues of a pydantic ``ValidationError`` in a user's words: what was expected and found.

    The place (``issue["loc"]``) is left to the caller.
    """
    if issue["type"] == "value_error":
        return str(issue["msg"]).removeprefix("Value error, ")
    if issue["type"] == "missing":
        return "is missing"
    if issue["type"] == "extra_forbidden":
        return "there is no such key"
    expected = _EXPECTED.get(issue["type"])
    if expected is None:
        expected = str(issue["msg"]).removeprefix("Input should be ")
        expected = expected.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
        expected = expected.replace("greater than", "more than")
    return f"expected {expected}, found {_shown(issue['input'])}"


def with_key(issue: Mapping[str, Any]) -> str:
    """Say one of the issues of a pydantic ``ValidationError`` as ``plainly`` does, after the key that it is about."""
    key = ".".join(str(step) for step in issue["loc"] if not str(step).startswith("function-"))
    reason = plainly(issue)
    return f"{key}: {reason.removeprefix(f'{key}: ')}" if key else reason


def _shown(value: Any) -> str:
    """Return the value as YAML would write it, more or less, and not too long."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    return f"{value!r:.60}" if isinstance(value, str | int | float | list | dict) else f"{value!s:.60}"
