"""Addresses of servers, and names of the variables that hold their keys: no secret may stand in either."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_LIKE = "expected an address such as https://example.org/v1"
_ELSEWHERE = "put it into an environment variable, and the variable's name into key"


def checked_address(address: str) -> str:
    """Return a server's base URL; ValueError for what is none.

    A password in it, or a key after a question mark, would stand in results, and is refused without being repeated.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{_LIKE}: {error}") from error
    if "@" in parts.netloc:
        raise ValueError(f"has a user name or password, which would stand in the results; {_ELSEWHERE}")
    if "?" in address or "#" in address:
        raise ValueError(f"has a ? or #; leave out what follows, and if it is a key, {_ELSEWHERE}")
    if parts.scheme not in ("http", "https") or not host or not re.fullmatch(r"[!-~]+", address):
        raise ValueError(f"{_LIKE}, found {address!r:.60}")
    return address


def checked_variable(name: str) -> str:
    """Return the name of an environment variable; ValueError for what is none, such as a key itself."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("expected the name of an environment variable, such as OPENAI_API_KEY, and not the key itself")
    return name
