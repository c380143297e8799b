"""One process at a time where MLflow's own statements collide in a database that several processes write to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

_KEY = int.from_bytes(b"negbench", "big")
"""Number of the advisory lock: 64 bits that no other program is likely to take."""


@contextlib.contextmanager
def taken(uri: str) -> Iterator[None]:
    """Hold PostgreSQL's advisory lock of negbench; for other addresses do nothing.

    MLflow makes its tables, an experiment or a dataset by looking first and inserting then, so that of two processes
    one fails with a duplicate key, or both insert. PostgreSQL frees the lock when the connection ends, also if the
    process is killed. Raises ModuleNotFoundError without a driver, and errors of SQLAlchemy without a connection.
    """
    if not uri.startswith("postgresql"):
        yield
        return
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    try:
        engine = create_engine(uri, poolclass=NullPool)
    except ModuleNotFoundError as error:
        hint = f"{error.name} is not installed; pip install 'negbench[postgresql]' and use postgresql+psycopg://"
        raise ModuleNotFoundError(hint, name=error.name) from None
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _KEY})
        yield
