"""What stories in a browser share. Where Chromium is missing they are skipped and say so; with
HUB_REQUIRE_BROWSER=1 they fail instead."""

import os
from collections.abc import Iterator

import pytest
from selenium import webdriver

from tests.flows.browsing import chromium, missing


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    reason = missing()
    if reason and os.environ.get("HUB_REQUIRE_BROWSER") == "1":
        pytest.fail(f"HUB_REQUIRE_BROWSER=1, but {reason}")
    if reason:
        pytest.skip(reason)
    driver = chromium()
    yield driver
    driver.quit()
