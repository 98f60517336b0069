"""All rows of one client, and which of them count.

Rules: HMIS CSV: a row with a DateDeleted was taken back by its source. A row that a later full export does not
name is gone for one of two reasons: somebody deleted it, or it left the export's period. An enrolment that had
ended and is gone with all that belongs to it left the period, and stays as it was; what else is gone was deleted.
Pure. Refuses nothing.
"""

from collections.abc import Iterator

from fhir_mappings.hmis.labels import NONE, Labels, of_project
from hub.feeds.records import Kept, Subject

ENROLLMENT, EXIT, PROJECT = "Enrollment", "Exit", "EnrollmentProject"


class ClientRows:
    """The rows of a subject `client|PersonalID`."""

    def __init__(self, subject: Subject):
        self.subject = subject
        self._kinds: dict[str, dict[str, Kept]] = {}
        for row in subject.rows:
            self._kinds.setdefault(row.kind, {})[row.key] = row
        ended = {row.values["EnrollmentID"] for row in self.all(EXIT) if not _deleted(row)}
        gone = (row for row in self.all(ENROLLMENT) if row.deleted and not _deleted(row))
        self._left = frozenset(row.key for row in gone if row.key in ended)
        self._labels = {row.key: of_project(row.values, subject.feed) for row in self.all(PROJECT)}

    @property
    def personal_id(self) -> str:
        return self.subject.key.partition("|")[2]

    def of(self, kind: str) -> Iterator[Kept]:
        """The rows of a kind that count."""
        return (row for row in self.all(kind) if self.counts(row))

    def all(self, kind: str) -> Iterator[Kept]:
        """The rows of a kind, those that were taken back, too."""
        return iter(self._kinds.get(kind, {}).values())

    def counts(self, row: Kept) -> bool:
        """It was not taken back, and neither was its enrolment."""
        if self.client is not None and _deleted(self.client):
            return False
        if row.kind == "Client":
            return True  # who is gone has left the period
        enrollment = row.key if row.kind == ENROLLMENT else row.values.get("EnrollmentID", "")
        if enrollment in self._left:
            return not _deleted(row)
        if row.deleted:
            return False
        return row.kind == ENROLLMENT or not enrollment or self._stands(enrollment)

    def _stands(self, enrollment: str) -> bool:
        found = self.row(ENROLLMENT, enrollment)
        return found is None or not found.deleted

    def row(self, kind: str, key: str) -> Kept | None:
        return self._kinds.get(kind, {}).get(key)

    @property
    def client(self) -> Kept | None:
        return next(self.all("Client"), None)

    def exit_of(self, enrollment: str) -> Kept | None:
        """The exit that counts; of several the last one."""
        found = [row for row in self.of(EXIT) if row.values["EnrollmentID"] == enrollment]
        return max(found, key=lambda row: (row.values["ExitDate"], row.key), default=None)

    def labels_of(self, row: Kept) -> Labels:
        """The labels of the project that wrote the row."""
        return self._labels.get(row.values.get("EnrollmentID", ""), NONE)

    def latest(self, kind: str, column: str = "InformationDate") -> Kept | None:
        """The row that counts and was said last; where none counts, the last of those that were taken back."""
        return latest(self, [*self.all(kind)], column)


def latest(rows: ClientRows, found: list[Kept], column: str = "InformationDate") -> Kept | None:
    def order(row: Kept) -> tuple[bool, str, str, str]:
        return rows.counts(row), row.values[column], row.values["DateUpdated"], row.key

    return max(found, key=order, default=None)


def day(row: Kept, column: str) -> str:
    """The date part of a date or moment."""
    return str(row.values[column])[:10]


def _deleted(row: Kept) -> bool:
    return "DateDeleted" in row.values
