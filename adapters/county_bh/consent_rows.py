"""Consents that come with a county's feed, one a row, with the elements that 42 CFR 2.31(a) asks for.

Rules: docs/county-bh.md "Consents": the columns are the hub's own. A later row with the same `consent_id` is the
same consent; one with `revoked_on` is revoked. Whether an element is missing is no reason to refuse the row: the
hub keeps such a consent and opens nothing by it (docs/consent.md); the report warns.
Refuses: rows without a number, a client, a form, a signer and the day of the signature; recipients named twice
over.
"""

from collections.abc import Iterator
from typing import Any

from marshmallow import Schema, fields, validate, validates_schema

from adapters.county_bh.cells import Npi, Word, Words, YesNo, text
from adapters.county_bh.reading import Values
from adapters.files.cells import Day, Refused
from fhir_mappings.county_bh.consent_row import FORMS, GENERAL, SELF_DESCRIBING, TPO, WITHHOLDS
from hub.feeds.records import ABOUT, WARNING, Reject, Row
from hub.fhir.systems import ACT_CODE
from hub.rights.labels import OTHER, mask_of
from hub.rights.provisions import CLASSES

KIND = "consent"
SIGNERS = ("patient", "representative")
PURPOSES = ("TREAT", "HPAYMT", "HOPERAT", "ETREAT")
ELEMENTS = {  # of 42 CFR 2.31(a): the column that a report names, and those of which one says it
    "information": ("information",),
    "recipient_npi": ("recipient_npi", "recipient_class"),
    "purpose": ("purpose",),
    "expires_on": ("expires_on", "expires_on_event"),
}


SAID_BY_FORM = {  # what a form says itself (docs/consent.md, Forms)
    "information": SELF_DESCRIBING,
    "recipient_npi": frozenset((TPO,)),
    "purpose": frozenset((TPO,)),
    "expires_on": frozenset((TPO,)),
}


class Labels(fields.Field[list[str]]):
    """Sensitivity labels of docs/labels.md."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str]:
        codes = list(dict.fromkeys(str(value).replace(",", " ").replace(";", " ").split()))
        if not all(_is_label(code) for code in codes):
            raise Refused("CODE", "The cell must hold sensitivity labels, such as 42CFRPart2 ETH PSY HIV.")
        return codes


class ConsentSchema(Schema):
    consent_id = text(64, required=True)
    county_client_number = text(64, required=True)
    form = Word(FORMS, required=True)
    discloser = text(200, required=True, allow_none=True)
    information = Labels(required=True, allow_none=True)
    recipient_npi = Npi()
    recipient_class = Word(sorted(CLASSES))
    recipient_name = text(200)
    purpose = Words(PURPOSES, required=True, allow_none=True)
    expires_on = Day(future=True)
    expires_on_event = fields.String(validate=validate.Length(1, 200))
    signer = Word(SIGNERS, required=True)
    signed_on = Day(required=True)
    revoked_on = Day()
    deleted = YesNo()

    @validates_schema
    def one_recipient(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("recipient_npi") and data.get("recipient_class"):
            raise Refused("TYPE", "Name one recipient: its NPI or its class.", "recipient_class")
        if data["signed_on"] > data.get("expires_on", data["signed_on"]):
            raise Refused("DATE", "The expires_on is before the signed_on.", "expires_on")


def consent_rows(values: Values, line: int, part: str) -> Iterator[Row | Reject]:
    deleted = values.pop("deleted", "N") == "Y"
    number = values["consent_id"]
    yield Row(KIND, number, f"{KIND}:{number}", values, line, ABOUT, part, deleted)
    if not deleted and not values.get("revoked_on"):
        for code, column, what in _lacks(values):
            yield Reject(code, line, column, what, part, WARNING)


def _lacks(values: Values) -> Iterator[tuple[str, str, str]]:
    """(code, column, what) that keeps a permit from opening records under 42 CFR Part 2; of TPO less is asked."""
    form = values["form"]
    if form in WITHHOLDS:
        return
    for column, any_of in ELEMENTS.items():
        if form not in SAID_BY_FORM[column] and not any(values.get(name) for name in any_of):
            yield (
                "REQUIRED",
                column,
                "Not complete under 42 CFR 2.31(a): the consent opens no substance use record.",
            )
    if values["signer"] != "patient":
        yield "UNSUPPORTED", "signer", "The hub opens nothing by a representative's signature in a file."
    if values.get("discloser", GENERAL).casefold() != GENERAL:
        yield "UNSUPPORTED", "discloser", "It names one who may disclose: the hub keeps it and opens nothing by it."


def _is_label(code: str) -> bool:
    mask = mask_of([{"system": ACT_CODE, "code": code}])
    return bool(mask) and not mask & OTHER
