"""The chores of the inbox: what messages wait for is looked up, old ones are emptied, and so are old files."""

from collections.abc import Mapping
from datetime import timedelta

from hub.feeds.emptying import Emptying
from hub.inbox.retention import IsOver, Retention
from hub.inbox.waits import LookUp, go_on
from hub.settings import Settings
from hub.store.engine import Database
from hub.worker import Chore

LOOK_ROUND = timedelta(seconds=5)
EMPTYING = timedelta(seconds=10)
OF_FILES = timedelta(hours=1)


def inbox_chores(
    database: Database, settings: Settings, look_ups: Mapping[str, LookUp], over: Mapping[str, IsOver]
) -> list[Chore]:
    """`look_ups` by kind of what is waited for, `over` by source."""
    days = settings["HUB_INBOX_PROCESSED_DAYS"], settings["HUB_INBOX_PARKED_DAYS"]
    retention = Retention(database, *days, over)
    return [
        Chore(LOOK_ROUND, lambda _: go_on(database, look_ups)),
        Chore(EMPTYING, retention.turn),
        Chore(OF_FILES, Emptying(database, settings.files_dir, settings["HUB_FILES_DAYS"]).turn),
    ]
