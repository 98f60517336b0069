"""The kinds of county files, for `hub load` and the feeds (docs/county-bh.md).

All feeds of a county have one `system`, under which its client numbers are identifiers: consents and tools are
about the clients that its status records brought.
"""

from collections.abc import Iterator
from pathlib import Path

from adapters.county_bh.caloms_rows import CalomsSchema, caloms_rows
from adapters.county_bh.consent_references import lead_nowhere
from adapters.county_bh.consent_rows import ConsentSchema, consent_rows
from adapters.county_bh.fhir_rows import SUFFIXES, fhir_rows
from adapters.county_bh.reading import columns_of, table, tables
from adapters.county_bh.status_rows import StatusSchema, status_rows
from adapters.county_bh.tool_rows import read_tools
from adapters.files.archives import safe_members
from fhir_mappings.county_bh.caloms_person import caloms_about, caloms_person
from fhir_mappings.county_bh.caloms_resources import caloms_resources
from fhir_mappings.county_bh.caloms_tables import has_code
from fhir_mappings.county_bh.consent_row import consent_about, consent_resources
from fhir_mappings.county_bh.status_person import status_person
from fhir_mappings.county_bh.status_resources import status_resources
from fhir_mappings.county_bh.tool_resources import tool_about, tool_resources
from hub.feeds.kinds import FileKind
from hub.feeds.records import Feed, Given, Reject, Said, Subject

SOURCE = "county_bh"


def _status(path: Path, feed: Feed) -> Iterator[Given]:
    """CSV, or the same facts as FHIR by the name of the file."""
    for member in safe_members(path):
        if isinstance(member, Reject):
            yield member
        elif member.key.endswith(SUFFIXES):
            yield from fhir_rows(member, path, feed)
        else:
            yield from table(member, path, columns_of(StatusSchema, feed), status_rows)


def _caloms(path: Path, feed: Feed) -> Iterator[Given]:
    return tables(path, CalomsSchema, feed, caloms_rows)


def _consents(path: Path, feed: Feed) -> Iterator[Given]:
    return tables(path, ConsentSchema, feed, consent_rows)


def _about_nobody(subject: Subject) -> str | None:
    return None


def _says_nobody(subject: Subject) -> Said | None:
    return None


CALOMS = {
    "codes": "codes that the tables lack: {element: {code: what it means}}",
    "record_types": "what TRN-1 2, 3, 5, 6, 8 and 9 are: {code: admission, admission deletion, discharge, ...}",
}
QUESTIONNAIRES = {
    "questionnaires": "the items of the tools: {tool: {title, version, item}}, item as in a Questionnaire"
}
FILE_KINDS = (
    FileKind("county", SOURCE, _status, status_person, _about_nobody, status_resources, look_back=lead_nowhere),
    FileKind("county-caloms", SOURCE, _caloms, caloms_person, caloms_about, caloms_resources, CALOMS, has_code),
    FileKind("county-consent", SOURCE, _consents, _says_nobody, consent_about, consent_resources),
    FileKind("county-tool", SOURCE, read_tools, _says_nobody, tool_about, tool_resources, QUESTIONNAIRES),
)
