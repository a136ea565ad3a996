from collections.abc import Iterator

import pytest

from tests.speech.spoken import Speaker


@pytest.fixture(scope="session")
def speaker() -> Iterator[Speaker]:
    speaker = Speaker()
    yield speaker
    speaker.close()
