"""The flows that tests.faults.sweep goes through: each can be asked again with the same key, and tells what it left
behind."""

import json
from typing import Any, Protocol

from sqlalchemy import Connection, func, select, text

from auth.development_token import token_request
from hub.store.tables import inbox, outbox
from tests.faults.here import FEED, WHO, Here
from tests.faults.invariants import bodies
from tests.flows import stories
from tests.flows.partners import Receiver, kind_of
from tests.flows.test_files_arrive import content

SYSTEM = "https://nowhere.example/sweep"
FAMILIES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Juniper", "Larch")
ASYNC = {"Prefer": "respond-async"}
JSON = {"Content-Type": "application/json"}


class Flow(Protocol):
    """`begin` is called before anything fails. `ask` may be called again: it says whether the client was told that
    it is done. `left` is the same for every number."""

    name: str

    def begin(self, number: int) -> None: ...
    def ask(self, number: int) -> bool: ...
    def left(self, number: int) -> dict[str, object]: ...


def person(number: int) -> tuple[str, str, str]:
    """Family, given and birth date of somebody who resembles nobody else."""
    letters = "".join(chr(97 + int(digit)) for digit in str(number))
    family = f"Testperson-{FAMILIES[number % 10]}{letters * 2}"
    return family, f"{letters}rith", f"{1930 + number % 70}{1 + number % 12:02d}{1 + number % 28:02d}"


class Message:
    """A hospital's message, acknowledged by MLLP, becomes an Encounter and a notice by webhook."""

    name = "message"

    def __init__(self, hub: Here, receiver: Receiver):
        self._hub, self._receiver = hub, receiver
        wanted = stories.subscription(stories.ADMISSION, receiver.url, "class=IMP")
        answer = hub.ask("POST", "/fhir/Subscription", data=json.dumps(wanted))
        assert answer.status_code == 201, answer.text
        hub.works()
        stored = hub.ask("GET", f"/fhir/Subscription/{answer.json['id']}").json
        assert stored["status"] == "active", stored

    def begin(self, number: int) -> None:
        """Nothing is there before."""

    def ask(self, number: int) -> bool:
        family, given, born = person(number)
        message = stories.adt("A01", f"S{number}", visit=f"VS{number}", cin=f"9{number:07d}C")
        named = message.replace("Testperson-Alder^Fixture", f"{family}^{given}").replace("19800203", born)
        return self._hub.says(named)

    def left(self, number: int) -> dict[str, object]:
        with self._hub.beside.read() as connection:
            control_id = inbox.c.control_id == f"S{number}"
            states = connection.execute(select(inbox.c.state).where(control_id)).scalars().all()
            visits = [each for each in _of(connection, "Encounter") if _value(each) == f"VS{number}"]
            told = [
                each for each in _of(connection, "Provenance") if f'"S{number}"' in json.dumps(each, default=str)
            ]
            undone = outbox.c.state != "done"
            undone_rows = connection.execute(select(func.count()).select_from(outbox).where(undone)).scalar_one()
        ids = {headers["webhook-id"] for headers, body in self._receiver.got if _tells(body, visits)}
        return {
            "inbox": list(states),
            "visits": [(each["status"], each["meta"]["versionId"]) for each in visits],
            "provenances": len(told),
            "notices": len(ids),
            "left to do": undone_rows,
        }


def _of(connection: Connection, kind: str) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in bodies(connection, kind)]


def _value(found: dict[str, Any]) -> str:
    return str(found["identifier"][0]["value"])


def _tells(body: bytes, visits: list[dict[str, Any]]) -> bool:
    notice = json.loads(body)
    return kind_of(notice) == "event-notification" and any(f'Encounter/{v["id"]}"' in body.decode() for v in visits)


class Bundle:
    """A transaction of two linked resources, with a key by which it may be repeated."""

    name = "bundle"

    def __init__(self, hub: Here, _: Receiver):
        self._hub = hub

    def begin(self, number: int) -> None:
        """Nothing is there before."""

    def ask(self, number: int) -> bool:
        headers = {"Idempotency-Key": f"sweep-{number}"}
        return self._hub.ask("POST", "/fhir", data=json.dumps(_pair(number)), headers=headers).status_code == 200

    def left(self, number: int) -> dict[str, object]:
        with self._hub.beside.read() as connection:
            found = [
                (kind, each["meta"]["versionId"])
                for kind in ("Patient", "Flag")
                for each in _of(connection, kind)
                if {"system": SYSTEM, "value": str(number)} in each.get("identifier", ())
            ]
        return {"resources": found}


def _pair(number: int) -> dict[str, Any]:
    whom = "urn:uuid:11111111-2222-4333-8444-555555555555"
    identifier = [{"system": SYSTEM, "value": str(number)}]
    family, given, born = person(5000 + number)
    birth = f"{born[:4]}-{born[4:6]}-{born[6:]}"
    name = [{"family": family, "given": [given]}]
    patient = {"resourceType": "Patient", "identifier": identifier, "name": name, "birthDate": birth}
    flag = {"resourceType": "Flag", "identifier": identifier, "status": "active", "code": {"text": "invented"}}
    flag["subject"] = {"reference": whom}
    entries = [
        {"fullUrl": whom, "resource": patient, "request": {"method": "POST", "url": "Patient"}},
        {"resource": flag, "request": {"method": "POST", "url": "Flag"}},
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


class File:
    """A county's file in its folder: read, kept, written as FHIR, and moved to the archive."""

    name = "file"

    def __init__(self, hub: Here, _: Receiver):
        self._hub = hub

    def begin(self, number: int) -> None:
        family, given, born = person(9000 + number)
        birth = f"{born[:4]}-{born[4:6]}-{born[6:]}"
        who, rest = f"{family},{given},{birth}", "open,2026-03-02,,,,N,,2026-04-01"
        cin = f"9{20000 + number:07d}A"
        rows = [f"{cin},{n}{number:08d},{who},{name},{rest}" for n, name in ((1, "SMHS"), (2, "DMC-ODS"))]
        (self._hub.drop / "in" / f"status-{number}.csv").write_bytes(content(*rows))

    def ask(self, number: int) -> bool:
        """Nobody asks: the file lies there until it is in the archive."""
        self._hub.works()
        return (self._hub.drop / "archive" / f"status-{number}.csv").exists()

    def left(self, number: int) -> dict[str, object]:
        cin = f"9{20000 + number:07d}A"
        with self._hub.beside.read() as connection:
            patients = [each for each in _of(connection, "Patient") if cin in json.dumps(each)]
            whom = {f"Patient/{each['id']}" for each in patients}
            episodes = [each for each in _of(connection, "EpisodeOfCare") if each["patient"]["reference"] in whom]
            state = text("SELECT state FROM feed_file WHERE feed = :feed AND name = :name")
            files = connection.execute(state, {"feed": FEED, "name": f"status-{number}.csv"}).all()
        folders = sorted(path.parent.name for path in self._hub.drop.glob(f"*/status-{number}.csv*"))
        versions = [each["meta"]["versionId"] for each in episodes]
        return {
            "patients": len(patients),
            "episodes": versions,
            "files": [file.state for file in files],
            "in": folders,
        }


class Token:
    """A client asks for a token with a new assertion each time, and uses it."""

    name = "token"

    def __init__(self, hub: Here, _: Receiver):
        self._hub = hub
        self._tokens: dict[int, str] = {}

    def begin(self, number: int) -> None:
        """Nothing is there before."""

    def ask(self, number: int) -> bool:
        url = f"{self._hub.base.removesuffix('/fhir')}/auth/token"
        form = token_request(url, WHO, self._hub.key, "system/Patient.rs")
        answer = self._hub.app.test_client().post("/auth/token", data=form)
        if answer.status_code == 200:
            self._tokens[number] = answer.json["access_token"]
        return bool(answer.status_code == 200)

    def left(self, number: int) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {self._tokens[number]}"}
        return {"used": self._hub.ask("GET", "/fhir/Patient?_count=1", headers=headers).status_code}


class Export:
    """A client asks for an export, waits for it, and downloads it; it asks anew for what was not answered."""

    name = "export"

    def __init__(self, hub: Here, _: Receiver):
        self._hub = hub
        self._jobs: dict[int, str] = {}
        self._files: dict[int, list[dict[str, Any]]] = {}
        for name in "abc":
            basic = {"resourceType": "Basic", "id": f"sweep-{name}", "code": {"text": "invented"}}
            assert hub.ask("PUT", f"/fhir/Basic/{basic['id']}", data=json.dumps(basic)).status_code == 201

    def begin(self, number: int) -> None:
        """What was written is old enough to be exported: nobody writes any more."""

    def ask(self, number: int) -> bool:
        if number not in self._jobs:
            answer = self._hub.ask("GET", "/fhir/$export?_type=Basic", headers=ASYNC)
            if answer.status_code != 202:
                return False
            self._jobs[number] = answer.headers["Content-Location"]
        self._hub.works()
        told = self._hub.ask("GET", self._path(self._jobs[number]))
        if told.status_code != 200:
            return False
        answers = [self._hub.ask("GET", self._path(file["url"])) for file in told.json["output"]]
        if any(answer.status_code != 200 for answer in answers):
            return False
        lines = [line for answer in answers for line in answer.data.splitlines()]
        self._files[number] = [json.loads(line) for line in lines]
        return True

    def _path(self, url: str) -> str:
        return url.removeprefix(self._hub.base.removesuffix("/fhir"))

    def left(self, number: int) -> dict[str, object]:
        return {"exported": sorted(each["id"] for each in self._files[number])}


FLOWS: dict[str, Any] = {flow.name: flow for flow in (Message, Bundle, File, Token, Export)}
