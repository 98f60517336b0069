"""One world a test, on both databases."""

import pytest

from hub.store.engine import Database
from tests.hub.ecm.world import World


@pytest.fixture
def world(swept: Database) -> World:
    made = World(swept)
    made.county()
    return made
