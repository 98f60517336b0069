"""Whom a subject is about: the person as the source says it becomes a member, the member's Patient becomes entries.

Rules: docs/feeds.md "Persons"; docs/identity.md "Resolving". A new person gets a Patient of the feed. Of a Patient
that another source brought only the identifiers change, unless this source's word counts for everybody (`owner`);
numbers that are not `shared`, or of a source more sensitive than the Patient, stay with the source's own record.
Refuses (Park): numbers that contradict (`unmatched`, a person decides), a person whom nobody brought (`waiting`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from hub.access import Access
from hub.feeds.bundling import labelled
from hub.feeds.records import Feed, Resource, Said
from hub.feeds.waited import Waited
from hub.fhir import json
from hub.identity import decided, former, persons, resolve
from hub.identity.decide import LINK
from hub.identity.patient import person_of
from hub.identity.persons import SourcePerson
from hub.identity.resolve import CONTRADICTION, Resolution
from hub.identity.strong import Systems
from hub.inbox.messages import Awaited
from hub.inbox.parking import Park
from hub.rights.labels import mask_of
from hub.search import merged
from hub.store import read
from hub.store.engine import Database
from hub.store.read import Stored

CONTRADICTED = "the identifiers name another member, or a person with another name"
LONGEST = 128  # of what a message waits for
PERSON = "feed-person"  # what a subject waits for that is about somebody unknown
PERSONAL = ("name", "telecom", "gender", "birthDate", "deceasedBoolean", "deceasedDateTime", "address",
            "maritalStatus", "communication", "multipleBirthInteger", "_birthDate")  # fmt: skip
LEFT = ("resourceType", "id", "meta", "identifier", "link", "active", "extension")


@dataclass(frozen=True, slots=True)
class Member:
    """`patient` is the id of the member's Patient, `write` the Patient as it must be (None: as it is). `guarded` is
    that of a guarded source which it takes the place of (hub.identity.facing)."""

    patient: str
    person: int
    said: Said | None = None
    resolution: Resolution | None = None
    write: Resource | None = None
    guarded: str = ""

    @property
    def reference(self) -> str:
        return f"Patient/{self.patient}" if self.patient else ""


NOBODY = Member("", 0)


Whom = Said | str | Park | None  # as the source says them, what it calls them, why it can not say, or nobody


@dataclass(frozen=True, slots=True)
class People:
    """Asks for several subjects of a feed at once."""

    database: Database
    access: Access
    feed: Feed

    def members(self, asked: Sequence[Whom], now: int, waited: Waited) -> list[Member | Park | None]:
        """Each one's member; why it waits; or None: somebody before it, or who is `waited` for, resembles it or is
        it, so it is to be asked again when that one is stored. All of them are waited for from now on."""
        found: list[Member | Park | None] = [one if isinstance(one, Park) else NOBODY for one in asked]
        with self.database.read() as connection:
            self._said(connection, asked, found, now, waited)
            self._called(connection, asked, found, waited)
        return found

    def _said(
        self, connection: Connection, asked: Sequence[Whom], found: list[Any], now: int, waited: Waited
    ) -> None:
        places = [place for place, one in enumerate(asked) if isinstance(one, Said)]
        said = [self._labelled(one) for one in asked if isinstance(one, Said)]
        if not said:
            return
        resolutions = resolve.resolve_all(connection, [self._asked(one) for one in said], now)
        later = {places[which] for which in waited.met(connection, resolutions)}
        patients = {one.patient for one in resolutions if one.patient}
        current = read.several(connection, self.access, "Patient", patients)
        for place, one, resolution in zip(places, said, resolutions, strict=True):
            found[place] = None if place in later else self._member(connection, one, resolution, current, now)
            if isinstance(found[place], Park):
                waited.ended(resolution.person)

    def _labelled(self, said: Said) -> Said:
        """As sensitive as all that the feed brings: its own record of the person is kept so, too."""
        return replace(said, patient=labelled(self.feed, said.patient)) if self.feed.security else said

    def _asked(self, said: Said) -> resolve.Asked:
        systems = Systems(exact=tuple(said.strong.items()))
        return resolve.Asked(person_of(said.patient, self.feed.system, systems), self.feed.system, said.key)

    def _member(
        self, connection: Connection, said: Said, found: Resolution, current: Mapping[str, Stored], now: int
    ) -> Member | Park:
        if found.outcome == CONTRADICTION:
            self.database.writing(lambda writing: resolve.ask(writing, found, now))
            awaits: Awaited | None = decided.between(connection, (found.person, *found.review))
            return Park("unmatched", CONTRADICTED, "", awaits)
        if not found.patient:
            identity = str(uuid4())
            return Member(identity, found.person, said, found, _new(self.feed, said, identity))
        stored = current.get(found.patient)
        if stored is None or not stored.body:
            return Member(found.patient, found.person, said, found)
        mine, theirs = mask_of(said.patient.get("meta", {}).get("security", ())), max(stored.labels, 0)
        if found.outcome == LINK and theirs & ~mine:
            return self._open(said, found)
        is_told = not mine & ~theirs  # what is more sensitive than the Patient does not stand on it
        write = _changed(self.feed, said, json.stored(stored.body)) if is_told else None
        return Member(found.patient, found.person, said, found, write)

    def _open(self, said: Said, found: Resolution) -> Member:
        """What this source says is open: it must not be hidden behind what the other one says."""
        identity = str(uuid4())
        apart = resolve.replaced(found, resolve.REVIEW, None, (), found.because)
        return Member(identity, found.person, said, apart, _new(self.feed, said, identity), found.patient or "")

    def _called(self, connection: Connection, asked: Sequence[Whom], found: list[Any], waited: Waited) -> None:
        named = {(self.feed.system, one) for one in asked if isinstance(one, str)}
        there = persons.find_all(connection, named)
        for place, one in enumerate(asked):
            if isinstance(one, str):
                known = there.get((self.feed.system, one))
                is_coming = known is None and waited.calls[one]
                found[place] = None if is_coming else self._known(connection, known, one)

    def _known(self, connection: Connection, found: SourcePerson | None, key: str) -> Member | Park:
        if found is None or not found.patient:
            awaits = f"{self.feed.system}|{key}"
            named = (PERSON, awaits) if len(awaits) <= LONGEST else None
            return Park("waiting", "the person is not known yet", "", named)
        now = former.member_of(connection, found.patient) if merged.are_there() else found.patient
        return Member(now, found.person)


def is_known(connection: Connection, awaited: str) -> bool:
    """For hub.inbox.waits."""
    source, _, key = awaited.partition("|")  # a URI has none; what a source calls somebody may have
    found = persons.find(connection, source, key)
    return found is not None and bool(found.patient)


def _new(feed: Feed, said: Said, identity: str) -> Resource:
    meta = {**said.patient.get("meta", {}), "source": feed.system}
    return {"resourceType": "Patient", "id": identity, **_without(said.patient, "id", "meta"), "meta": meta}


def _changed(feed: Feed, said: Said, current: Resource) -> Resource | None:
    """The Patient with what the source says of it; None where that is what it is."""
    mine = current.get("meta", {}).get("source") == feed.system
    if mine or said.owner:
        wanted = _told(feed, said, current, mine)
    elif said.shared:
        wanted = {**current, "identifier": _identifiers(current, said.patient)}
    else:
        return None
    return None if wanted == current else wanted


def _told(feed: Feed, said: Said, current: Resource, mine: bool) -> Resource:
    """What the source does not say any more goes only where nobody else said it."""
    gone = [name for name in PERSONAL if mine and name not in said.patient]
    told = {name: value for name, value in said.patient.items() if name not in LEFT}
    more = {"extension": _extensions(current, said.patient)} if "extension" in said.patient else {}
    identifier = {"identifier": _identifiers(current, said.patient)}
    meta = {"meta": {**current.get("meta", {}), "source": feed.system}}
    return {**_without(current, *gone), **told, **more, **identifier, **meta}


def _identifiers(current: Mapping[str, Any], said: Mapping[str, Any]) -> list[Resource]:
    """The source's own in place of those of its systems, beside those of others."""
    told = list(said.get("identifier", ()))
    systems = {one.get("system") for one in told}
    there = list(current.get("identifier", ()))
    kept = [one for one in there if one.get("system") not in systems or one in told]
    return [*kept, *(one for one in told if one not in kept)]


def _extensions(current: Mapping[str, Any], said: Mapping[str, Any]) -> list[Resource]:
    urls = {one.get("url") for one in said["extension"]}
    return [*(one for one in current.get("extension", ()) if one.get("url") not in urls), *said["extension"]]


def _without(resource: Mapping[str, Any], *names: str) -> Resource:
    return {name: value for name, value in resource.items() if name not in names}
