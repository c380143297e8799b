"""Spellings: ``simans(a=0.5, depth=100)`` is at once how a part is written, named and identified.

Grammar: ``name`` or ``name(key=value, ...)``. A value is a number, ``true``, ``false``, ``null``, a bare word,
a "quoted string", a list in brackets, or another spelling. YAML's long form ``{simans: {a: 0.5}}`` says the
same.
"""

from __future__ import annotations

import json
import re
from typing import Any

_NAME = re.compile(r"[a-z0-9][a-z0-9._/-]*", re.IGNORECASE)
_QUOTED_MAPPING = re.compile(r"[^\s(]+: *\{")
_BARE = re.compile(r"[^\s,=()\[\]{}\"'#]+")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_CLOSING = {"(": ")", "[": "]"}

MOST_DEPTH = 12
"""Most brackets within one another; a part within a part is spelled in its spelling, and each level is read again."""


def parse(value: object) -> tuple[str, dict[str, Any]]:
    """Split a part's short form (text) or long form (a mapping with one key) into its name and parameters.

    Raises ValueError with a one-line reason.
    """
    if isinstance(value, str):
        return _parse_text(value.strip())
    if isinstance(value, dict) and len(value) == 1:
        name, parameters = next(iter(value.items()))
        if isinstance(name, str) and (parameters is None or isinstance(parameters, dict)):
            if odd := [field for field in parameters or {} if not isinstance(field, str)]:
                raise ValueError(f"expected a name for each parameter of {name}, found {odd[0]!r}; quote it")
            return name, dict(parameters or {})
    raise ValueError(f"expected a name, name(key=value) or a mapping {{name: {{key: value}}}}, found {value!r}")


def _parse_text(text: str) -> tuple[str, dict[str, Any]]:
    name, bracket, rest = text.partition("(")
    if not _NAME.fullmatch(name):
        hint = "; a comma inside [...] splits it: quote the whole of it" if ")" in text else ""
        if _QUOTED_MAPPING.match(text):
            hint = "; a mapping is written without quotes"
        raise ValueError(f"expected a name or name(key=value), found {text!r}{hint}")
    if not bracket:
        return name, {}
    if not rest.endswith(")"):
        raise ValueError(
            f'{text!r} has no closing bracket; inside a YAML list in [...] quote it, as in ["simans(a=0.5, depth=100)"]'
        )
    parameters: dict[str, Any] = {}
    for item in _split(rest[:-1]):
        field, equals, value = item.partition("=")
        field = field.strip()
        if not equals or not _NAME.fullmatch(field):
            raise ValueError(f"expected key=value inside {name}(...), found {item.strip()!r}")
        if field in parameters:
            raise ValueError(f"{field} is given twice in {text!r}; keep one")
        parameters[field] = _parse_value(value.strip())
    return name, parameters


def _split(text: str) -> list[str]:
    """Split at the commas that stand outside brackets and quotes."""
    items, start = [], 0
    quoted = escaped = False
    stack: list[str] = []
    for position, letter in enumerate(text):
        if quoted:
            quoted = letter != '"' or escaped
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            quoted = True
        elif letter in _CLOSING:
            stack.append(_CLOSING[letter])
            if len(stack) > MOST_DEPTH:
                raise ValueError(f"more than {MOST_DEPTH} brackets within one another in {text:.60}...; write fewer")
        elif stack and letter == stack[-1]:
            stack.pop()
        elif letter in ")]":
            raise ValueError(f"{letter!r} without its opening bracket in {text!r}; add or remove one")
        elif letter == "," and not stack:
            items.append(text[start:position])
            start = position + 1
    if quoted or stack:
        raise ValueError(f"a bracket or quote is not closed in {text!r}; add it")
    items.append(text[start:])
    return [item for item in items if item.strip()]


def _parse_value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text.startswith('"'):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{text} is not a valid quoted string; write it as in JSON") from error
    if text.startswith("[") and text.endswith("]"):
        return [_parse_value(item.strip()) for item in _split(text[1:-1])]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if not text or ("(" not in text and not _BARE.fullmatch(text)):
        raise ValueError(f"expected a value, found {text!r}; quote text with spaces or brackets")
    return text


def value(thing: object) -> str:
    """Write one parameter's value so that ``parse`` gives it back."""
    if hasattr(thing, "spelling"):
        text = str(thing.spelling)
        return text if _reads_back(text) else json.dumps(text, ensure_ascii=False)
    if isinstance(thing, bool) or thing is None:
        return json.dumps(thing)
    if isinstance(thing, int | float):
        return repr(thing)
    if isinstance(thing, list | tuple):
        return "[" + ", ".join(value(item) for item in thing) + "]"
    text = str(thing)
    return text if "(" not in text and _reads_back(text) else json.dumps(text, ensure_ascii=False)


def _reads_back(text: str) -> bool:
    """Return whether ``text``, as a value among others, is read as the same text."""
    try:
        return _split(text) == [text] and _parse_value(text) == text
    except ValueError:
        return False


def write(name: str, parameters: dict[str, Any]) -> str:
    """Write a name and its parameters in the short form."""
    if not parameters:
        return name
    return f"{name}({', '.join(f'{field}={value(thing)}' for field, thing in parameters.items())})"
