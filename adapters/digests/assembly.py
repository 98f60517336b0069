"""Digests as the settings want them: what the worker sends by itself."""

from datetime import timedelta

from adapters.digests.daily import Daily
from adapters.sending import Sending
from hub.notifications.digests import Digests
from hub.worker import Chore

LOOK = timedelta(minutes=5)


def daily(sending: Sending) -> Daily:
    """With the parts of whatever sends files."""
    loading = sending.loading
    digests = Digests(loading.database, loading.own, sending.base)
    return Daily(loading, digests, sending.access_of, sending.told)


def chores(made: Daily) -> list[Chore]:
    """None where no feed wants a digest. Raises CannotStart."""
    return [Chore(LOOK, made.turn)] if made.check() else []
