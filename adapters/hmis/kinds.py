"""The kinds of HMIS files: the export, releases of information, attestations. docs/hmis.md."""

from typing import Final

from adapters.hmis.attestations import read_attestations
from adapters.hmis.export_row import HASHES, IMPLEMENTATION
from adapters.hmis.read_export import read
from adapters.hmis.releases import WHOLE, read_releases
from fhir_mappings.hmis import imminent_loss, release_consent, subjects
from fhir_mappings.hmis.code_lists import LISTS, TABLE
from fhir_mappings.hmis.homelessness_evidence import BED_NIGHT_DAYS
from fhir_mappings.hmis.labels import PART2_PROJECTS
from hub.feeds.kinds import FileKind
from hub.feeds.records import Feed, Said, Subject

EXPORT_OPTIONS: Final = {
    IMPLEMENTATION: "ImplementationID of its exports: another one's are refused",
    HASHES: "how HashStatus 2 and 3 hash names, such as 3=sha256:lower",
    PART2_PROJECTS: "ProjectIDs of programs under 42 CFR Part 2",
    BED_NIGHT_DAYS: "for how many days a bed night is evidence (30)",
}
RELEASE_OPTIONS: Final = {
    release_consent.AGENCIES: "names of agencies, and the Organization that each is",
    release_consent.VERBAL_DAYS: "for how many days a verbal release counts at most",
    WHOLE: "true: each file has all releases",
}


def _has_code(feed: Feed, table: str, code: str) -> bool:
    """Of HUD's lists, or an agency of the feed."""
    if table == release_consent.TABLE:
        return code in feed.options.get(release_consent.AGENCIES, {})
    return code in LISTS.get(table.removeprefix(TABLE), {})


def _nobody(subject: Subject) -> Said | None:
    return None


FILE_KINDS: Final = (
    FileKind("hmis", "hmis", read, subjects.said, subjects.about, subjects.resources, EXPORT_OPTIONS, _has_code),
    FileKind(
        "hmis-roi",
        "hmis",
        read_releases,
        _nobody,
        release_consent.about,
        release_consent.consents,
        RELEASE_OPTIONS,
        _has_code,
    ),
    FileKind(
        "hmis-attestation", "hmis", read_attestations, _nobody, imminent_loss.about, imminent_loss.observations
    ),
)
