"""Fields of the county's tables: CIN, NPI, yes and no, lists of codes.

Rules: docs/county-bh.md; CIN by hub.identity.strong (eight digits and a letter); NPI with its check digit
(hub.fhir.npi); ICD-10-CM codes by their form, with or without the dot.
Refuses: values of another form (IDENTIFIER), words that are not in a list (CODE).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import fields, validate

from adapters.files.cells import Refused
from hub.fhir.npi import is_npi
from hub.fhir.systems import CIN_SYSTEM
from hub.identity.strong import Systems, identifier

_SEPARATORS = re.compile(r"[;,|\s]+")
_ICD_10_CM = re.compile(r"[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?")
_YES_NO: Mapping[str, str] = {
    "y": "Y",
    "yes": "Y",
    "1": "Y",
    "true": "Y",
    "n": "N",
    "no": "N",
    "0": "N",
    "false": "N",
}


def text(longest: int, **options: Any) -> fields.String:
    return fields.String(validate=validate.Length(1, longest), **options)


class Cin(fields.Field[str]):
    """A Client Index Number, without the dashes and blanks that it is printed with."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        found = identifier(CIN_SYSTEM, str(value), Systems())
        if found is None:
            raise Refused("IDENTIFIER", "A CIN is eight digits and a letter.")
        return found.value


class Npi(fields.Field[str]):
    """A National Provider Identifier."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        number = str(value)
        if not is_npi(number):
            raise Refused("IDENTIFIER", "An NPI is ten digits with a right check digit.")
        return number


class Word(fields.Field[str]):
    """One of these words, however its letters are written."""

    def __init__(self, words: Sequence[str], **options: Any):
        super().__init__(**options)
        self._words = {word.casefold(): word for word in words}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        found = self._words.get(str(value).strip().casefold())
        if found is None:
            raise Refused("CODE", f"The cell must hold one of: {', '.join(self._words.values())}.")
        return found


class Words(Word):
    """Several of these words, with a blank, a comma or a semicolon between them."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        return [super(Words, self)._deserialize(one, attr, data, **kwargs) for one in split(value)]


class YesNo(fields.Field[str]):
    """Y or N."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        found = _YES_NO.get(str(value).strip().casefold())
        if found is None:
            raise Refused("CODE", "The cell must hold Y or N.")
        return found


class Diagnoses(fields.Field[list[str]]):
    """ICD-10-CM codes, with the dot after the third place."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[str]:
        codes = [one.upper() for one in split(value)]
        if not all(map(_ICD_10_CM.fullmatch, codes)):
            raise Refused("IDENTIFIER", "The cell must hold ICD-10-CM codes.")
        return list(dict.fromkeys(map(_dotted, codes)))


class Codes(fields.Field[list[str]]):
    """Codes of a list that the mapping knows, with a blank, a comma or a semicolon between them."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[str]:
        return list(dict.fromkeys(split(value)))


def split(value: Any) -> list[str]:
    return [one for one in _SEPARATORS.split(str(value)) if one]


def _dotted(code: str) -> str:
    plain = code.replace(".", "")
    return f"{plain[:3]}.{plain[3:]}" if len(plain) > 3 else plain
