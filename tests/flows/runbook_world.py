"""A demo hub in the states that the runbook speaks of, and its commands run there, all in one process:
`python -m tests.flows.runbook_world FOLDER`, with HUB_DATA_DIR set. Prints what became of each as JSON.
"""

import json
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select
from typer.testing import CliRunner

from hub.clock import micros, now
from hub.problems import CannotStart
from hub.store import parameters
from hub.store.tables import inbox, outbox, subscription_counter
from hub.store.tables_identity import source_person
from hub.store.tables_subscriptions import notice_attempt
from tests.flows import stories
from tests.flows.test_files_arrive import BAD, ROWS, content

PARAMETER = "https://plan.example/SearchParameter/tier"
ELSEWHERE = "It serves until it is told to stop: every story of tests/flows starts it."


@dataclass(frozen=True)
class Told:
    """A command as the runbook tells it, the words that are run for it (with names of the world in braces), and how
    it ends: exit code, something that it says. No words: `says` is why it is not run here."""

    told: str
    words: str
    says: str = ""
    exit: int = 0


# in this order: some need what others did
COMMANDS: tuple[Told, ...] = (
    Told("serve", "", ELSEWHERE),
    Told("serve --worker", "", ELSEWHERE),
    Told("migrate", "migrate", "up to date"),
    Told("doctor", "doctor", "docs/runbook.md, Work was given up", 1),
    Told("config check", "config check", "The hub can start"),
    Told("inbox counts", "inbox counts", "dead"),
    Told("inbox list", "inbox list", "unmapped"),
    Told("inbox dead", "inbox dead", "ADTAPP|NOWHERE"),
    Told("inbox show 17", "inbox show 17", "refused"),
    Told("inbox show --raw", "inbox show 17 --raw", "PID|1"),
    Told("inbox replay 17 120-180", "inbox replay 17 120-180", "1 message"),
    Told(
        "inbox replay --state refused --feed 'EPIC|HARBOR' --since 2026-11-20",
        "inbox replay --state refused --feed EPIC|HARBOR --since 2026-11-20",
        "1 message",
    ),
    Told("inbox replay --state dead", "inbox replay --state dead", "message"),
    Told("identity index", "identity index"),
    Told("load", "load county {csv}", "rejected", 1),
    Told("files list", "files list", "county"),
    Told("files report NUMBER", "files report {file}", "IDENTIFIER"),
    Told("files agree NUMBER", "files agree {file}", "", 1),
    Told("identity show ID", "identity show {patient}", "Patient/"),
    Told("identity merge REMAINS GOES", "identity merge {patient} {other}", "Event"),
    Told("identity unmerge GOES", "identity unmerge {other}", "is itself again"),
    Told("identity split PERSON", "identity split {person}", "is the only one of its member", 1),
    Told("identity distinct PERSON OTHER", "identity distinct {person} {another}", "held apart"),
    Told("identity list --kind merge", "identity list --kind merge", "merge"),
    Told("notices list", "notices list", "{subscription}"),
    Told("notices log SUBSCRIPTION", "notices log {subscription}", "503"),
    Told("notices replay SUBSCRIPTION", "notices replay {subscription}", "1 notice will be tried again"),
    Told("outbox", "outbox --help", "replay"),
    Told("outbox list", "outbox list", "follow-up"),
    Told("outbox replay NUMBER", "outbox replay {work}", "1 piece of work"),
    Told("outbox replay", "outbox replay", "0 pieces of work"),
    Told("bulk list", "bulk list", "export"),
    Told("bulk end JOB", "bulk end {job}", "are gone"),
    Told("referrals waiting", "referrals waiting", "what to do"),
    Told("referrals assign Task/ID Organization/ID", "referrals assign Task/none Organization/none", "", 1),
    Told("clocks counts", "clocks counts"),
    Told("clocks list", "clocks list", "clock"),
    Told("users unlock LOGIN", "users unlock nobody", "was not locked"),
    Told("users list", "users list"),
    Told("clients list", "clients list", "demo-ehr"),
    Told("clients disable ID", "clients disable demo-ehr"),
    Told("clients enable ID", "clients enable demo-ehr"),
    Told("clients rotate ID --webhook", "clients rotate demo-ehr --webhook"),
    Told("clients webhook-secret ID", "clients webhook-secret demo-ehr", "whsec_"),
    Told("clients rotate ID --jwks new.json", "clients rotate demo-ehr --jwks {jwks}"),
    Told("reindex status", "reindex status", "tier"),
    Told(f"reindex stop {PARAMETER}", f"reindex stop {PARAMETER}", "1 indexing stopped"),
    Told(f"reindex resume {PARAMETER}", f"reindex resume {PARAMETER}", "1 indexing resumed"),
    Told("reindex resume", f"reindex resume {PARAMETER}", "no such indexing", 1),
    Told("reindex stop all", "reindex stop all", "stopped"),
    Told("reindex all", "reindex all", "Everything is indexed"),
    Told("audit list", "audit list", "client-change"),
    Told("audit export --from N", "audit export --from 1", "AuditEvent"),
    Told("audit verify", "audit verify", "Head: "),
    Told('audit verify --expect-head "$(cat head.last)"', "audit verify --expect-head {head}", "Head: "),
    Told("audit verify --expect-head NUMBER:HASH", "audit verify --expect-head {head}", "Head: "),
    Told("backup /backup --keep 48", "backup {backups} --keep 48", "{backups}/2"),
    Told("restore /backup/20261123T120000Z --check", "restore {backup} --check", "as they were made"),
    Told("restore /backup/20261123T120000Z", "restore {backup}", "into an empty place only", 1),
    Told("send", "send --help", "adt"),
)


class World:
    """The hub of this process, and what the commands' words stand for."""

    def __init__(self, folder: Path):
        from hub.front.commands import command_line

        self.app = command_line()
        self.folder = folder
        self.names = {"csv": str(folder / "status.csv"), "backups": str(folder / "backups")}
        self.names["jwks"] = str(folder / "new.json")

    def run(self, words: str) -> tuple[int, str]:
        """Exit code and what was said; a traceback, where there was one, as code -1."""
        done = CliRunner().invoke(self.app, [word.format(**self.names) for word in words.split()])
        error = done.exception
        if isinstance(error, CannotStart):  # wsgi.main says it, and ends with 1
            return 1, f"{done.output}{error}"
        if error is not None and not isinstance(error, SystemExit):
            return -1, "".join(traceback.format_exception(error))
        return done.exit_code, done.output

    def make(self) -> None:
        from auth.development_token import new_key, public_jwks
        from hub.access import Access
        from hub.bulk.jobs import create
        from hub.front.parts import database, parts
        from hub.reindex import everything
        from hub.transactions import single

        for words in ("migrate", "demo --members 3"):
            assert self.run(words)[0] == 0
        (self.folder / "status.csv").write_bytes(content(*ROWS, BAD))
        (self.folder / "new.json").write_text(json.dumps(public_jwks(new_key("ES384"))))
        parameter = {
            "resourceType": "SearchParameter",
            "url": PARAMETER,
            "name": "Tier",
            "status": "active",
            "description": "A tier",
            "code": "tier",
            "base": ["Patient"],
            "type": "token",
            "expression": "Patient.maritalStatus",
        }
        parts().own.commit([single("POST", "SearchParameter", resource=parameter)], Access.system("runbook"))
        with database().write() as connection:
            at = micros(now())
            self.names["job"] = create(connection, "export", "demo-ehr", {}, at, at + 10**12)[:8]
            everything(connection, micros(now()))
            connection.execute(insert(inbox), list(_messages()))
            connection.execute(insert(outbox), list(_work()))
            connection.execute(
                insert(subscription_counter).values(subscription="sub-1", events=1, owner="demo-ehr")
            )
            tried = {"kind": "notice", "first": 1, "last": 1, "at": micros(now()), "outcome": "failed"}
            connection.execute(
                insert(notice_attempt).values(subscription="sub-1", status=503, reason="answered 503", **tried)
            )
            dead = select(outbox.c.seq).where(outbox.c.kind == "follow-up", outbox.c.state == "dead")
            self.names |= {"subscription": "sub-1", "work": str(connection.execute(dead).scalar_one())}

    def look(self) -> None:
        """What the commands before made."""
        from hub.audit.store import head
        from hub.front.parts import database
        from hub.store.tables_feeds import feed_file

        with database().read() as connection:
            persons = connection.execute(select(source_person).order_by(source_person.c.person)).all()
            file = connection.execute(select(feed_file.c.seq)).scalars().first()
            self.names["head"] = str(head(connection))
        if file is not None:
            self.names["file"] = str(file)
        if len(persons) > 1 and "person" not in self.names:
            self.names |= {"person": str(persons[0].person), "another": str(persons[1].person)}
            self.names |= {"patient": persons[0].patient, "other": persons[1].patient}
        if found := sorted((self.folder / "backups").glob("2*")):
            self.names["backup"] = str(found[-1])


def _messages() -> Iterator[dict[str, Any]]:
    states = ("received", "processed", "unmapped", "unmatched", "unreadable", "waiting", "late", "dead", "refused")
    for number in range(1, 21):
        name, state = f"R{number}", states[number % len(states)]
        feed = "EPIC|HARBOR" if number == 8 else "ADTAPP|NOWHERE"
        state = "refused" if number in (8, 17) else state
        raw = stories.adt("A01", name).encode()
        row = {"seq": number, "source": "adt", "feed": feed, "control_id": name, "digest": b"", "raw": raw}
        yield row | {"state": state, "received": micros(now()), "reason": "for the runbook", "location": "MSH-4"}


def _work() -> Iterator[dict[str, Any]]:
    for kind, line in (("notice", "sub-1"), ("follow-up", None)):
        row = {"kind": kind, "key": "dead", "line": line, "payload": b"{}", "state": "dead"}
        yield row | {"due": 0, "created": micros(now()), "reason": "Given up after 80 tries"}


def main(folder: Path) -> None:
    parameters.SETTLED = 0  # no other process must learn of anything
    world = World(folder)
    world.make()
    told = []
    for one in COMMANDS:
        if one.words:
            world.look()
            code, said = world.run(one.words)
            told.append({"told": one.told, "exit": code, "said": said, "says": one.says.format(**world.names)})
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
