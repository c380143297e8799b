from __future__ import annotations

import pytest
from made_search import small_search

from negbench.retrieval import Search


@pytest.fixture
def search() -> Search:
    return small_search()
