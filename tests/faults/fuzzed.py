"""The parsers that strangers reach, each with what it takes, words of its format, and how it is asked.

Over HTTP the whole way is asked, from the request to the OperationOutcome; a file's reader with the answers that it
makes of it. What is no refusal in the words of its format is raised.
"""

import io
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from joserfc.jwk import ECKey

from adapters.adt.batches import batch_answer, batch_intake, is_batch
from adapters.adt.frames import FrameError, Splitter, framed
from adapters.adt.intake import answer, intake
from adapters.adt.message import parse
from adapters.files.csv_lines import csv_lines
from adapters.files.lines import Line
from adapters.plan.x12_answers import answers
from auth.assertion import AssertionRefusedError, authenticate
from auth.clients import Client
from auth.development_token import new_key, public_jwks, token_request
from fhir_mappings.adt.problems import AdtProblem
from hub.feeds.records import Given, Reject
from hub.fhir import xml
from hub.store.engine import Database
from hub.store.migrate import migrate
from tests.adapters.adt.mllp_peer import adt as plain_adt
from tests.adapters.plan.made_834 import body, member
from tests.adapters.plan.x12_world import feed, read
from tests.adapters.x12.made import file_834, text
from tests.flows import stories
from tests.hub.asking import FHIR_JSON, Api, app_of, mrn, observation, patient, register

URL = "https://hub.example/auth/token"
AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Asked(NamedTuple):
    """As tests.faults.fuzz.Parser."""

    name: str
    seeds: Sequence[bytes]
    words: Sequence[bytes]
    check: Callable[[bytes], bool]


@contextmanager
def parsers(folder: Path, migrated: Path | None = None) -> Iterator[list[Asked]]:
    """All of them. `migrated`: a SQLite file to copy."""
    path = folder / "hub.db"
    if migrated:
        shutil.copy(migrated, path)
    database = Database(f"sqlite:///{path}")
    if not migrated:
        migrate(database)
    register(database, new_key("ES384"))
    try:
        yield [*_over_http(Api(app_of(database), database)), *_of_files(folder), *_of_hospitals(), _jwt()]
    finally:
        database.close()


RESOURCE = patient(
    text={"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Invented &amp; <b>x</b></div>'},
    identifier=mrn("1"),
    name=[{"family": "Testperson", "given": ["A", "B"], "_given": [None, {"extension": []}]}],
    birthDate="1980-02-03",
    extension=[{"url": "https://invented.invalid/weight", "valueDecimal": 72.5}],
)
RESOURCE["name"][0].pop("_given")
BUNDLE = {
    "resourceType": "Bundle",
    "type": "batch",
    "entry": [{"resource": RESOURCE, "request": {"method": "POST", "url": "Patient"}}],
}
JSON_WORDS = (
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b":null",
    b"true",
    b"[" * 200,
    b'{"a":' * 200,
    b'"\\ud800"',
    b"1E400",
    b"NaN",
)
XML_WORDS = (
    b"<",
    b">",
    b"</",
    b"<!DOCTYPE x [",
    b'<!ENTITY a "b">',
    b"&a;",
    b"<![CDATA[",
    b"]]>",
    b"<?xml?>",
    b"<a>" * 200,
)
SEARCHES = (
    b"name=Ann&birthdate=ge1980&_count=3",
    b"identifier=https://hospital.invalid/mrn|1&_sort=-_lastUpdated,name",
    b"_has:Observation:patient:code=x&_include=Patient:general-practitioner&_revinclude=Observation:patient",
    b"_filter=name eq Ann and (birthdate ge 1980 or not (gender eq female))",
    b"general-practitioner:Practitioner.name=Ann&_summary=true&_total=accurate",
    b"name:contains=a,b&gender:not=male&_id=1,2&_lastUpdated=le2030",
)
SEARCH_WORDS = (
    b":missing=",
    b":exact",
    b"%00",
    b"%",
    b"|",
    b"$",
    b",",
    b"\\",
    b"&",
    b"=",
    b"(",
    b")",
    b"_has:",
    b".",
    b"_type=",
)


def _over_http(api: Api) -> Iterator[Asked]:
    for number in range(4):
        api.have(patient(f"p{number}", active=True), observation(f"o{number}"))
    client = api.app.test_client()
    token = api.ask("GET", "/metadata").request.headers["Authorization"]

    def told(response: Any) -> bool:
        if response.status_code < 400:
            return True
        assert response.status_code < 500, response.status_code
        assert json.loads(response.data)["resourceType"] == "OperationOutcome"
        assert b"Traceback" not in response.data
        return False

    def posts(mime: str, path: str) -> Callable[[bytes], bool]:
        headers = {"Authorization": token, "Content-Type": mime, "Accept": FHIR_JSON}
        return lambda data: told(client.post(path, data=data, headers=headers))

    def gets(query: bytes) -> bool:
        return told(
            client.get("/fhir/Patient", query_string=query.decode("latin-1"), headers={"Authorization": token})
        )

    as_json = [json.dumps(each).encode() for each in (RESOURCE, patient("x"))]
    yield Asked("json", as_json, JSON_WORDS, posts(FHIR_JSON, "/fhir/Patient"))
    yield Asked(
        "bundle", [json.dumps(BUNDLE).encode()], (*JSON_WORDS, b"PUT", b"DELETE"), posts(FHIR_JSON, "/fhir")
    )
    as_xml = [xml.write(RESOURCE), xml.write(patient("x"))]
    yield Asked("xml", as_xml, XML_WORDS, posts("application/fhir+xml", "/fhir/Patient"))
    yield Asked("search", SEARCHES, SEARCH_WORDS, gets)
    links = {each["relation"]: each["url"] for each in api.get("/Patient?active=true&_count=2").json["link"]}
    query = links["next"].partition("?")[2].encode()
    start = query.index(b"_cursor=") + 8
    end = query.find(b"&", start) if b"&" in query[start:] else len(query)
    head, tail = query[:start], query[end:]
    yield Asked("cursor", [query[start:end]], (b"=", b"A", b"_", b"-", b"+"), lambda data: gets(head + data + tail))


def _of_files(folder: Path) -> Iterator[Asked]:
    def lines(data: bytes) -> bool:
        found = list(csv_lines(io.BytesIO(data), delimiters=",\t;"))
        assert all(isinstance(each, Line | Reject) for each in found)
        return not any(isinstance(each, Reject) for each in found)

    def x12(data: bytes) -> bool:
        found = read(folder, data, feed())
        assert all(isinstance(each, Given) for each in found.given)
        assert all(isinstance(made, bytes) for _, made in answers(folder / "in.x12", found.feed))
        return not found.rejects

    table = b'ID,Name,Note\r\n1,One,"a, ""quoted"" note"\r\n2,Two,"two\r\nlines"\r\n3,Three,\xc3\xa9\r\n'
    yield Asked(
        "csv",
        [table, b"\xef\xbb\xbfID;Name\n1;One\n2;Two\n"],
        (b'"', b",", b'""', b"\r", b"\n", b"\xff\xfe"),
        lines,
    )
    file = text(file_834(body([member(1), member(2)]), body([member(3)])))
    yield Asked("x12", [file], (b"~", b"*", b":", b"ISA*", b"IEA*1*", b"ST*834*", b"SE*", b"INS*", b"HD*021"), x12)


V2_WORDS = (
    b"|",
    b"^",
    b"~",
    b"\\",
    b"&",
    b"\r",
    b"MSH|",
    b"PID|",
    b"PV1|",
    b"\\X41\\",
    b'""',
    b"\\.br\\",
    b"BHS|",
    b"BTS|1",
)


def _of_hospitals() -> Iterator[Asked]:
    def v2(data: bytes) -> bool:
        judge = lambda frame: intake(frame, 1, True)  # noqa: E731
        if is_batch(data):
            batch = batch_intake(data, 1, judge)
            assert batch_answer(batch, ["new"] * len(batch.arrivals), AT, lambda: "1", lambda facility: False)
            return not batch.refused
        taken = judge(data)
        assert answer(taken, "new", AT, "1").startswith(b"MSH") or taken.header
        if taken.refused:
            return False
        try:
            parse(data)
        except AdtProblem as problem:
            if not problem.where:
                raise
            return False
        return True

    messages = [stories.adt(event, "1").encode() for event in ("A01", "A03")]
    batch = b"BHS|^~\\&|A|B\r" + b"".join(stories.adt("A01", str(n)).encode() for n in range(2)) + b"BTS|2\r"
    yield Asked("v2", [*messages, batch], V2_WORDS, v2)
    stream = b"".join(framed(plain_adt(str(number))) for number in range(3))
    yield Asked(
        "frames", [stream, b"noise" + stream + b"\r"], (b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"\x0b\x1c\r"), _cut
    )


def _cut(stream: bytes) -> bool:
    """However the network cuts it, the same frames come out, and it breaks at the same place or not at all."""
    chance = Random(stream)
    places = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.randint(0, 12)))
    pieces = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    whole, cut = _split([stream]), _split(pieces)
    assert whole == cut, (whole, cut)
    return not whole[1]


def _split(pieces: Sequence[bytes]) -> tuple[list[bytes], bool]:
    splitter, frames = Splitter(1 << 20), list[bytes]()
    try:
        for piece in pieces:
            splitter.feed(piece)
            while (frame := splitter.next()) is not None:
                frames.append(frame)
    except FrameError:
        return frames, True
    return frames, False


def _jwt() -> Asked:
    private = new_key("ES384")
    client = Client("ehr", "Invented EHR", "ehr", "system/*.rs", public_jwks(private))
    key = ECKey.import_key(dict(public_jwks(private)["keys"][0]))
    now = datetime.now(UTC)
    good = token_request(URL, "ehr", private, "system/*.rs")["client_assertion"].encode()

    def check(data: bytes) -> bool:
        try:
            authenticate(data.decode("latin-1"), URL, now, lambda _: client, lambda *_: key)
        except AssertionRefusedError:
            return False
        return True

    return Asked("jwt", [good], (b".", b"=", b"e30", b"eyJhbGciOiJub25lIn0", b"..", b"-", b"_"), check)
