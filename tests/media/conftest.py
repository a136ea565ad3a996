import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

# Helpers beside the tests are imported by their full name, however pytest was started.
ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(2, thread_name_prefix="render") as executor:
        yield executor
