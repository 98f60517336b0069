"""The forms a client posts to the token, revocation and introspection endpoints, read strictly and before anything
in them is believed.

Rules: RFC 6749 section 3.2 (no parameter twice, unknown ones are ignored), appendix B (UTF-8 form); RFC 7521
section 4.2; RFC 7009 section 2.1; RFC 7662 section 2.1
Refuses (`invalid_request`): another media type, more than 32 KB (413), bytes that are not UTF-8, repeated or
missing parameters.
"""

from collections.abc import Mapping
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


class ClientForm(Schema):
    """What a client says of itself."""

    class Meta:
        unknown = EXCLUDE

    client_id = fields.String()
    client_assertion_type = fields.String()
    client_assertion = fields.String()
    client_secret = fields.String(validate=validate.Length(0, 512))


class TokenForm(ClientForm):
    """The parameters of a token request. `scope` is judged by `auth.scopes`, codes and tokens by their tables."""

    grant_type = fields.String(required=True, validate=validate.Length(1, 128))
    scope = fields.String(load_default="")
    code = fields.String(load_default="")
    redirect_uri = fields.String(load_default="")
    code_verifier = fields.String(load_default="")
    refresh_token = fields.String(load_default="")


class AboutTokenForm(ClientForm):
    """The parameters of a request to revoke or to introspect. The hint is not needed: a token tells itself."""

    token = fields.String(required=True, validate=validate.Length(1, 4096))
    token_type_hint = fields.String()


TOKEN_FORM = TokenForm()
ABOUT_TOKEN_FORM = AboutTokenForm()


def read(request: Request, form: Schema = TOKEN_FORM) -> dict[str, Any]:
    """The parameters of a request. Raises InvalidRequestError."""
    if request.mimetype != MEDIA_TYPE:
        raise InvalidRequestError(f"The body must be {MEDIA_TYPE}")
    pairs = _pairs(_body(request))
    if len(dict(pairs)) != len(pairs):
        raise InvalidRequestError("A parameter is sent twice")
    try:
        found: dict[str, Any] = form.load(dict(pairs))
    except ValidationError as error:
        raise InvalidRequestError(f"Missing or not usable: {', '.join(sorted(error.messages_dict))}") from None
    return found


def require_assertion(form: Mapping[str, Any]) -> str:
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
