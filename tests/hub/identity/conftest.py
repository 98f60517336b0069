"""Who was merged in one test is nobody in the next."""

from collections.abc import Iterator

import pytest

from hub.search import merged
from hub.store import merges


@pytest.fixture(autouse=True)
def _nobody_is_merged() -> Iterator[None]:
    yield
    merged.replace({})
    merges.look_again()
