"""A receiver of notices and a small hub whose clock is turned by hand, as the tests of notices have them."""

from tests.hub.notifications.conftest import hub, receiver

__all__ = ["hub", "receiver"]
