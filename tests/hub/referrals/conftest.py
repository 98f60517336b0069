"""One world a test, on both databases."""

import pytest

from hub.store.engine import Database
from tests.hub.notifications.deliver.test_channels import room as room
from tests.hub.referrals.world import World


@pytest.fixture
def world(swept: Database) -> World:
    made = World(swept)
    made.county()
    return made
