"""The kinds of files about referrals: answers of providers without FHIR, and what was written into the hub's form.
docs/referrals.md "Answers by file", "No wrong door".

What the rows of answers do is not made here: each moves a referral (hub.referrals.answering_by_file), which the
front door hands in.
"""

from collections.abc import Sequence
from typing import Final

from adapters.referrals.answer_rows import read_answers
from adapters.referrals.form_rows import FORM, read_form
from fhir_mappings.referrals.form_person import form_person
from fhir_mappings.referrals.form_referral import form_referral
from hub.feeds.kinds import FileKind
from hub.feeds.records import Resource, Said, Subject

ANSWERS: Final = "referral-answers"
NEEDS: Final = {
    "organization": "the provider that answers: without it nothing is taken",
    "columns": "names of its columns: {theirs: ours}",
    "words": "its words: {column: {theirs: ours}}",
    "dates": "forms of its dates, as strptime has them",
}


def _nobody(subject: Subject) -> Said | None:
    return None


def _about(subject: Subject) -> str | None:
    return None


def _nothing(subject: Subject, member: str) -> Sequence[Resource]:
    return ()


FILE_KINDS: Final = (
    FileKind(ANSWERS, "referrals", read_answers, _nobody, _about, _nothing, NEEDS),
    FileKind(FORM, "referrals", read_form, form_person, _about, form_referral),
)
