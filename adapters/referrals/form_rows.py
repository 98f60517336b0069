"""referral-form: what somebody wrote into the hub's own form, one JSON object a file (hub.referrals.form_desk).

The hub writes these files itself; `keep` is how one comes in.
Refuses: an object without what the form has.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from adapters.files.ndjson_lines import ndjson_lines
from fhir_mappings.referrals.form_person import KIND
from hub.feeds.loading import Loading
from hub.feeds.records import PERSON, Feed, Given, Reject, Row

FORM = "referral-form"
WRONG = "This is no form that the hub has written."
_MUST = validate.Length(min=1, max=200)
_MAY = validate.Length(max=1000)
_Fields: Mapping[str, Any] = {
    **{
        name: fields.String(required=True, validate=_MUST)
        for name in ("number", "organization", "owner", "day", "referrer", "relation", "contact", "given", "family",
                     "born", "service", "service_name")
    },
    **{name: fields.String(validate=_MAY) for name in ("cin", "phone", "words")},
}  # fmt: skip
Form = Schema.from_dict(dict(_Fields), name="ReferralForm")


def read_form(path: Path, feed: Feed) -> Iterator[Given]:
    """Raises nothing."""
    schema = Form(unknown=EXCLUDE)
    with path.open("rb") as stream:
        for line in ndjson_lines(stream):
            if isinstance(line, Reject):
                yield line
                continue
            try:
                said = schema.load(dict(line.cells))
            except ValidationError:
                yield Reject("FORMAT", line.number, what=WRONG)
                continue
            yield Row(KIND, said["number"], said["number"], said, line.number, PERSON)


def keeper(loading: Callable[[], Loading]) -> Callable[[str, bytes], bool]:
    """What makes a form durable: False where another one has its number. It raises Problem, OSError."""

    def keep(number: str, content: bytes) -> bool:
        hub = loading()
        hub.arriving.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with NamedTemporaryFile(dir=hub.arriving.folder) as file:
            file.write(content)
            file.flush()
            receipt, _ = hub.arriving(Path(file.name), f"form-{number}.json", hub.feeds[FORM])
        return receipt != "conflict"

    return keep
