"""Parse YAML and JSON of a user's into plain values: text, numbers, true, false, null, lists and mappings.

No tag builds an object, and what a short text expands to is bounded before it is built.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from negbench import user_files
from negbench.errors import InputError

MOST_CHARACTERS = 256_000
"""Most characters of a YAML text."""

MOST_VALUES = 5_000
"""Most values in a YAML text, those that aliases repeat counted each time."""

MOST_DEPTH = 24
"""Most lists and mappings within one another."""

MOST_DIGITS = 300
"""Most characters of a number."""

_KINDS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map", "merge")}

_OTHER_KINDS = {
    **{"timestamp": "a date", "binary": "bytes", "set": "a set"},
    **dict.fromkeys(("omap", "pairs"), "an ordered mapping"),
}
"""Kinds of YAML that no key takes."""


@dataclass(frozen=True)
class Parsed:
    """The plain value of a YAML text, and the same with the lines of its keys (ruamel's round-trip type)."""

    value: Any
    marked: Any


class NotPlainError(ValueError):
    """A text that is no YAML, or holds what has no plain value; ``line`` is where, from 1, None where it is unknown."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.line = line


def yaml(text: str) -> Parsed:
    """Return the value of a YAML 1.2 text. Raises NotPlainError, whose text says what is wrong and what to do."""
    if len(text) > MOST_CHARACTERS:
        raise NotPlainError(f"has {len(text):,} characters, and at most {MOST_CHARACTERS:,} are read; shorten it")
    try:
        _check_size(text)
        reader = _reader("safe")
        root = reader.compose(text)
        for node, key in _nodes(root):
            _check_scalar(node, key, reader)
        value = None if root is None else reader.constructor.construct_document(root)
        return Parsed(value, _reader("rt").load(text))
    except DuplicateKeyError as error:
        what = str(error.problem).split(" with value")[0].removeprefix("found ")
        raise NotPlainError(f"{what}; keep one of them", _line(error.problem_mark)) from error
    except MarkedYAMLError as error:
        what = " ".join(part for part in (error.context, error.problem) if part)
        remedy = "leave the tag out" if "tag" in what else "put quotes around text with special characters"
        raise NotPlainError(f"not valid YAML: {what}; {remedy}", _line(error.problem_mark) or 1) from error
    except YAMLError as error:
        raise NotPlainError(f"not valid YAML: {str(error).splitlines()[0]}; remove what is no text") from error
    except NotPlainError:
        raise
    except (ValueError, TypeError, KeyError, RecursionError, AssertionError, AttributeError, IndexError) as error:
        raise NotPlainError(f"not valid YAML: {_first_line(error)}; quote what is meant as text") from error


def json_value(text: str, finite: bool = True) -> Any:
    """Return the value of a JSON text. Raises NotPlainError, where ``finite`` also for NaN and infinite numbers."""
    try:
        return json.loads(text, parse_constant=_no_constant) if finite else json.loads(text)
    except json.JSONDecodeError as error:
        raise NotPlainError(f"not valid JSON: {error.msg}; write it again, or restore it", error.lineno) from error
    except RecursionError as error:
        raise NotPlainError("not valid JSON: lists or mappings too deep within one another; write fewer") from error
    except ValueError as error:
        raise NotPlainError(f"not valid JSON: {_first_line(error)}; write a number that is finite and short") from error


def json_line(line: bytes) -> Any:
    """Return the value of a line of JSON, as ``json.loads`` does, but refuse texts that hold half a character.

    In less time than ``json.loads`` for UTF-8. Raises ValueError or RecursionError where it is no JSON, NotPlainError
    for half a character.
    """
    value: Any
    if line[:1] < b"\xef" and b"\0" not in line[:4]:  # neither a byte order mark nor wider characters
        text = line.decode("utf-8", "surrogatepass")
        try:
            value, end = _SCAN(text, 0)
        except StopIteration:  # what it says of its reasons is less than what json.loads does
            end = -1
        if end != len(text):
            value = json.loads(text)
    else:
        value = json.loads(line)
    check_texts(value, line)
    return value


_SCAN: Callable[[str, int], tuple[Any, int]] = vars(json.JSONDecoder())["scan_once"]
"""Reads the JSON that begins at a place of a text, and returns the value and where it ends."""


def json_file(path: Path, expected: str, finite: bool = True) -> Any:
    """Return the value of a JSON file. Raises InputError, which asks for a file of the kind ``expected``."""
    try:
        return json_value(user_files.text(path, expected), finite)
    except NotPlainError as error:
        raise at(user_files.shown(path), error) from error


def checked_text(text: str, what: str = "text") -> str:
    """Return the text. Raises NotPlainError where it holds half a character (a lone surrogate), which no file can."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NotPlainError(f"{what} with half a character ({text[error.start]!r}); write the whole one") from error
    return text


def check_texts(value: Any, written: str | bytes) -> None:
    """Refuse a value of JSON, ``written`` as it stands in the file, whose texts hold half a character."""
    if (b"\\u" if isinstance(written, bytes) else "\\u") in written:  # type: ignore[operator]
        checked_text(json.dumps(value, ensure_ascii=False))


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _reader(kind: str) -> YAML:
    return YAML(typ=kind, pure=True)


def _line(mark: Any) -> int | None:
    return None if mark is None else int(mark.line) + 1


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _check_size(text: str) -> None:
    """Refuse a text with too many values, aliases counted as what they repeat, or nested too deep.

    Nothing is built: the events of the parser are counted.
    """
    sizes: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = []
    total = 0
    for event in _reader("safe").parse(text):
        anchor = getattr(event, "anchor", None)
        line = _line(getattr(event, "start_mark", None))
        if isinstance(event, CollectionEndEvent):
            name, before = open_.pop()
            if name is not None:
                sizes[name] = total - before
        elif isinstance(event, CollectionStartEvent):
            open_.append((anchor, total))
            total += 1
            if len(open_) > MOST_DEPTH:
                raise NotPlainError(
                    f"more than {MOST_DEPTH} lists or mappings within one another; write it with fewer", line
                )
        elif isinstance(event, ScalarEvent):
            total += 1
            if anchor is not None:
                sizes[anchor] = 1
        elif isinstance(event, AliasEvent):
            if any(name == anchor for name, _ in open_):
                raise NotPlainError(f"*{anchor} stands inside of &{anchor}, without end; write it out", line)
            total += sizes.get(anchor or "", 1)
        if total > MOST_VALUES:
            raise NotPlainError(f"more than {MOST_VALUES:,} values, aliases written out; write fewer", line)


def _nodes(root: Any) -> Iterator[tuple[Any, str]]:
    """Yield every node once, with its dotted key."""
    waiting, seen = [(root, "")], set()
    while waiting:
        node, key = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        yield node, key
        if isinstance(node, MappingNode):
            if odd := [inner for inner, _ in node.value if not isinstance(inner, ScalarNode)]:
                problem = "a list or mapping as a key; write text before the colon"
                raise NotPlainError(_below(key) + problem, _line(odd[0].start_mark))
            for inner, value in node.value:
                waiting += [(inner, key), (value, f"{_below(key, '.')}{inner.value}")]
        elif isinstance(node, SequenceNode):
            waiting += [(value, f"{_below(key, '.')}{position}") for position, value in enumerate(node.value)]


def _below(key: str, sign: str = ": ") -> str:
    return f"{key}{sign}" if key else ""


def _check_scalar(node: Any, key: str, reader: YAML) -> None:
    """Refuse a value of a kind that no key takes: a date, bytes, a set, a number too large, half a character."""
    line, text, kind = _line(node.start_mark), str(node.value), str(node.tag)
    if kind not in _KINDS:
        name = kind.removeprefix("tag:yaml.org,2002:")
        if name not in _OTHER_KINDS:
            return  # ruamel names the unknown tag
        found = text[:40] if name == "timestamp" else _OTHER_KINDS[name]
        raise NotPlainError(f"{_below(key)}expected text (put quotes around it), found {found}", line)
    if not isinstance(node, ScalarNode):
        return
    try:
        for name, expected in (("int", "a whole number"), ("float", "a number"), ("bool", "true or false")):
            if kind.endswith(f":{name}"):
                _check_scalar_of(node, reader, expected)
        checked_text(text)
    except NotPlainError as error:
        raise NotPlainError(f"{_below(key)}{error}", line) from error


def _check_scalar_of(node: Any, reader: YAML, expected: str) -> None:
    """Refuse a value whose tag it does not fit, and a number that is too large."""
    text = str(node.value)
    if len(text) > MOST_DIGITS:
        raise NotPlainError(f"a number of more than {MOST_DIGITS} characters; write a smaller one")
    try:
        copy = ScalarNode(node.tag, node.value, node.start_mark, node.end_mark)
        value = reader.constructor.construct_document(copy)
    except (ValueError, TypeError, KeyError, OverflowError, YAMLError) as error:
        problem = f"{text[:40]!r} has the tag of another kind; expected {expected}, or no tag"
        raise NotPlainError(problem) from error
    if isinstance(value, float) and math.isinf(value) and "inf" not in text.lower():
        raise NotPlainError(f"{text[:40]!r} is too large for a number; write a smaller one")


def merged_line(node: CommentedMap, key: Any) -> int | None:
    """Return the line, from 0, of a key that a mapping has from a merge (``<<: *other``); None where it has no such."""
    for source in getattr(node, "merge", ()):
        other = source[1] if isinstance(source, tuple) else source
        if isinstance(other, CommentedMap) and key in other:
            mark = other.lc.data.get(key)
            return int(mark[0]) if mark else merged_line(other, key)
    return None


def at(place: str, error: NotPlainError, otherwise: int | None = None) -> InputError:
    """Return the error of a file: with its path and the line."""
    line = error.line if error.line is not None else otherwise
    return InputError(f"{place}:{line}: {error}" if line is not None else f"{place}: {error}")
