"""A world of referrals with two houses that answer by file: what they send, and what their report says."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapters.referrals.kinds import ANSWERS, FILE_KINDS
from auth.referral_access import access_of_file
from hub.access import Access
from hub.feeds.arriving import Arriving
from hub.feeds.files import File, rejects
from hub.feeds.loading import Loading
from hub.feeds.records import Feed, Reject
from hub.referrals.answering_by_file import AnsweringByFile
from tests.hub.referrals.world import HOUSE, OTHER_HOUSE, SHELTER, World, referral, request, to

HEADER = "task,answer,reason,done,day"
DAY = "2026-11-23"
SYSTEM = "https://house.invalid/answers"


@dataclass
class Houses:
    """`access_of` an organization, as the front door hands it in."""

    world: World
    folder: Path
    access_of: Callable[[str], Access] = access_of_file
    feeds: dict[str, Feed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        houses = {"house": HOUSE, "other": OTHER_HOUSE, "nobody": ""}
        self.feeds |= {name: Feed(name, ANSWERS, SYSTEM, organization=who) for name, who in houses.items()}

    @property
    def loading(self) -> Loading:
        act = AnsweringByFile(self.world.writes, self.access_of, self.world.rules.zone, self.world.now)
        arriving = Arriving(self.world.database, self.folder / "files")
        kinds = {one.name: one for one in FILE_KINDS}
        return Loading(self.world.database, self.world.writes, arriving, kinds, self.feeds, acts={ANSWERS: act})

    def send(self, *lines: str, of: str = "house", name: str = "answers.csv", header: str = HEADER) -> File:
        path = self.folder / "sent.csv"
        path.write_text("\r\n".join((header, *lines, "")))
        _, seq = self.loading.arriving(path, name, self.feeds[of])
        return self.loading.run(seq)

    def report(self, file: File) -> list[Reject]:
        with self.world.database.read() as connection:
            return list(rejects(connection, file.seq))

    def option(self, of: str, **options: object) -> None:
        self.feeds[of] = replace(self.feeds[of], options=options)

    def status(self, task: str) -> str:
        return str(self.world.read("Task", task)["status"])

    def versions(self, *tasks: str) -> list[str]:
        return [self.world.read("Task", task)["meta"]["versionId"] for task in tasks]

    def asked(self, *tasks: str, owner: str = HOUSE) -> None:
        """The shelter asks for these."""
        for task in tasks:
            self.world.have(request(performer=[{"reference": owner}]) | {"id": f"request-{task}"})
            focus = to("ServiceRequest", f"request-{task}")
            self.world.have(
                referral(id=task, focus=focus, owner={"reference": owner}, requester={"reference": SHELTER})
            )
