"""Files as the settings want them: feeds, the places they come from, what the worker does with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from adapters.files.answering import Answering
from adapters.files.transports import Transports, ended_by, transports
from adapters.kinds import file_kinds
from hub import outbox
from hub.feeds import lane
from hub.feeds.acting import Act
from hub.feeds.arriving import Arriving
from hub.feeds.configured import feeds
from hub.feeds.lane import OF_FILES, OF_SUBJECTS, FileLane
from hub.feeds.loading import ANSWERS, Loading
from hub.inbox.waits import LookUp
from hub.settings import Settings
from hub.store.engine import Database
from hub.transactions import Transactions
from hub.worker import Chore, MessageHandler


def options_of(settings: Settings) -> dict[str, Any]:
    """What all kinds of files are told of the deployment."""
    return {
        "cin_system": settings["HUB_CIN_SYSTEM"],
        "hmis_hashes": settings["HUB_HMIS_HASHES"],
        "layouts": str(settings.layouts_dir),
    }


def loading_of(
    database: Database, own: Transactions, settings: Settings, acts: Mapping[str, Act] | None = None
) -> Loading:
    """`own` writes for the hub itself; `acts`: by kind, of those whose rows are done. Raises CannotStart."""
    kinds = file_kinds()
    known = feeds(settings.feeds_file, kinds, options_of(settings))
    return Loading(database, own, Arriving(database, settings.files_dir), kinds, known, acts=acts or {})


def places_of(loading: Loading, settings: Settings) -> Transports:
    """Folders and servers from which files come. Raises CannotStart."""
    ended = ended_by(loading.database)
    return transports(loading.feeds.values(), loading.arriving, ended, settings.files_dir / "coming")


@dataclass(frozen=True, slots=True)
class FileWork:
    """What the worker is given."""

    lane: FileLane
    places: Transports
    every: timedelta

    @classmethod
    def of(cls, loading: Loading, settings: Settings) -> "FileWork":
        """Raises CannotStart."""
        every = timedelta(seconds=settings["HUB_FILES_EVERY_SECONDS"])
        return cls(FileLane(loading), places_of(loading, settings), every)

    @property
    def messages(self) -> Mapping[str, MessageHandler]:
        return {OF_FILES: self.lane.aside, OF_SUBJECTS: self.lane.subject}

    @property
    def deliveries(self) -> Mapping[str, outbox.Handler]:
        return {ANSWERS: Answering(self.lane.loading)}

    @property
    def look_ups(self) -> Mapping[str, LookUp]:
        return lane.look_ups(self.lane.loading)

    @property
    def chores(self) -> list[Chore]:
        return [Chore(self.every, self.places.turn)]
