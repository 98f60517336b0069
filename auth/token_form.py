"""The form a client posts to the token endpoint, read strictly and before anything in it is believed.

Rules: RFC 6749 section 3.2 (no parameter twice, unknown ones are ignored), appendix B (UTF-8 form); RFC 7521
section 4.2; RFC 6749 section 2.3 (one way to authenticate)
Refuses (`invalid_request`): another media type, more than 32 KB (413), bytes that are not UTF-8, repeated or
missing parameters, a secret or Authorization header next to the assertion.
"""

from typing import Any
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749.errors import InvalidRequestError
from flask import Request
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from werkzeug.exceptions import RequestEntityTooLarge

from auth.assertion import ASSERTION_TYPE

MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_BYTES = 32 * 1024
MAX_PARAMETERS = 32


class TokenForm(Schema):
    """The parameters of a client_credentials request. `scope` is judged by `auth.scopes`."""

    class Meta:
        unknown = EXCLUDE

    grant_type = fields.String(required=True, validate=validate.Length(1, 128))
    scope = fields.String(load_default="")
    client_id = fields.String()
    client_assertion_type = fields.String()
    client_assertion = fields.String()
    client_secret = fields.String(validate=validate.Equal(""))


_FORM = TokenForm()


def read(request: Request) -> dict[str, Any]:
    """The parameters of a token request. Raises InvalidRequestError."""
    if request.mimetype != MEDIA_TYPE:
        raise InvalidRequestError(f"The body must be {MEDIA_TYPE}")
    if request.headers.get("Authorization"):
        raise InvalidRequestError("Authenticate with client_assertion, not with an Authorization header")
    pairs = _pairs(_body(request))
    if len(dict(pairs)) != len(pairs):
        raise InvalidRequestError("A parameter is sent twice")
    try:
        found: dict[str, Any] = _FORM.load(dict(pairs))
    except ValidationError as error:
        raise InvalidRequestError(f"Missing or not usable: {', '.join(sorted(error.messages_dict))}") from None
    return found


def require_assertion(form: dict[str, Any]) -> str:
    """The assertion in the form, or InvalidRequestError."""
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise InvalidRequestError("client_assertion_type must be the jwt-bearer type of RFC 7523")
    assertion: str = form.get("client_assertion", "")
    if not assertion:
        raise InvalidRequestError("client_assertion is missing")
    return assertion


def _body(request: Request) -> bytes:
    request.max_content_length = MAX_BYTES
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise InvalidRequestError("The body is too long", status_code=413) from None


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except ValueError:
        raise InvalidRequestError("The body is not a UTF-8 form of reasonable size") from None
