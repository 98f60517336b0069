"""Files over HTTP: POST /files/<feed> brings one, GET /files/<feed>/<number> says what became of it.

Rules: docs/feeds.md "Upload"; RFC 6266 (the file's name stands in Content-Disposition); RFC 9110 15.3.3 (202).
The token needs `system/Binary.c`, to ask, too: a plan brings files, and reads no documents. Its client must be
one of the feed's `clients`.
It goes to the vault while it comes in: however large it may be, memory holds a piece of it.
The report is an OperationOutcome, or CSV where `Accept: text/csv` asks for that.
Refuses: 403 without scope, 404 for a feed that does not name the client (whether there is one nobody learns), 409
NAME_REUSED, 413 past HUB_UPLOAD_MB, 422 for a name that cannot be used or none.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.message import Message

from hub.access import Access
from hub.feeds import files, report
from hub.feeds.files import DONE, REFUSED, File
from hub.feeds.loading import Loading
from hub.feeds.records import Feed
from hub.fhir import json
from hub.problems import Problem
from hub.rest.doors import Beside, Headers, Reply

FHIR_JSON, CSV = "application/fhir+json", "text/csv"


@dataclass(frozen=True, slots=True)
class Upload:
    """`loading` is made at first use: it reads the file of feeds."""

    loading: Callable[[], Loading]
    base: str

    def may_send(self, access: Access, headers: Headers, feed: str) -> None:
        """Raises Problem."""
        access.require("create", "Binary")
        self._feed(access, feed)

    def may_ask(self, access: Access, headers: Headers, feed: str, number: int) -> None:
        """Raises Problem."""
        access.require("create", "Binary")
        self._feed(access, feed)

    def send(self, access: Access, headers: Headers, pieces: Iterable[bytes], feed: str) -> Reply:
        """Raises Problem."""
        name = _name(headers)
        try:
            receipt, seq = self.loading().arriving.in_pieces(pieces, name, self._feed(access, feed))
        except ValueError:
            raise Problem("business-rule", "NAME_UNSAFE: the file needs another name", "filename") from None
        if receipt == "conflict":
            raise Problem("conflict", "NAME_REUSED: a file of this name came before with other content", "filename")
        where = (("Location", f"{self.base}/files/{feed}/{seq}"),)
        told = {"number": seq, "receipt": receipt}
        return Reply(202 if receipt == "new" else 200, "application/json", json.write(told), headers=where)

    def ask(self, access: Access, headers: Headers, body: bytes, feed: str, number: int) -> Reply:
        """Raises Problem."""
        with self.loading().database.read() as connection:
            file = files.find(connection, number)
            if file is None or file.feed != feed:
                raise Problem("not-found", "There is no such file")
            if file.state not in (DONE, REFUSED):
                return Reply(202, "application/json", json.write(_told(file)), headers=(("Retry-After", "5"),))
            rejects = files.rejects(connection, number)
            if CSV in headers.get("accept", ""):
                return Reply(200, CSV, "".join(report.as_csv(file, rejects)).encode())
            return Reply(200, FHIR_JSON, json.write(report.as_outcome(file, rejects)), headers=_counted(file))

    def _feed(self, access: Access, name: str) -> Feed:
        found = self.loading().feeds.get(name)
        if found is None or access.who not in found.options.get("clients", ()):
            raise Problem("not-found", "There is no such feed for this client")
        return found


def _told(file: File) -> dict[str, object]:
    return {"number": file.seq, "state": file.state, "counts": dict(file.counts)}


def _counted(file: File) -> tuple[tuple[str, str], ...]:
    told = ", ".join(f"{name}={number}" for name, number in file.counts.items())
    return (("X-Hub-File", f"state={file.state}, {told}"),)


def _name(headers: Headers) -> str:
    """Raises Problem."""
    line = Message()
    line["Content-Disposition"] = headers.get("content-disposition", "")
    name = line.get_filename()
    if not name:
        raise Problem(
            "required", "The file's name is wanted: Content-Disposition: attachment; filename=...", "filename"
        )
    return name


def upload(loading: Callable[[], Loading], base: str, megabytes: int) -> list[Beside]:
    """The two doors."""
    doors = Upload(loading, base)
    return [
        Beside("/files/<feed>", "file", megabytes << 20, doors.may_send, doors.send, in_pieces=True),
        Beside("/files/<feed>/<int:number>", "file", 1, doors.may_ask, doors.ask, "GET"),
    ]
