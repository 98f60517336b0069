"""A reference plan for each test of a module, in a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reference_plan.process import ReferencePlan, reference_plan


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[ReferencePlan]:
    with reference_plan(tmp_path) as running:
        yield running
