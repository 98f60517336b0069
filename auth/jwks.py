"""A client's public keys: the JWK Set (RFC 7517) it registers or publishes, and the key of one `kid`.

Rules: https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html#registering-a-client-communicating-public-keys
RSA of 2048 to 8192 bits for RS384, EC P-384 for ES384; `kid` required and unique in the set.
Refuses (JwksError): private key material of any kind, symmetric keys, other curves, keys for encryption.
"""

from collections.abc import Mapping
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema

RSA_BITS = range(2048, 8193)
MAX_KEYS = 20
ALGORITHM = {"RSA": "RS384", "EC": "ES384"}
PRIVATE = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))

PublicKey = RSAKey | ECKey
Jwks = Mapping[str, Any]


class JwksError(Exception):
    """The JWK Set cannot be used; the text says which key and why, never a key's value."""


class _JwkSchema(Schema):
    """One public signature key. Members that are not needed (x5c, x5t, ext) are left out."""

    class Meta:
        unknown = EXCLUDE

    kty = fields.String(required=True, validate=validate.OneOf(tuple(ALGORITHM)))
    kid = fields.String(required=True, validate=validate.Length(1, 256))
    alg = fields.String(validate=validate.OneOf(tuple(ALGORITHM.values())))
    use = fields.String(validate=validate.Equal("sig"))
    key_ops = fields.List(fields.String(), validate=validate.ContainsOnly(("verify",)))
    n = fields.String()
    e = fields.String()
    crv = fields.String(validate=validate.Equal("P-384"))
    x = fields.String()
    y = fields.String()

    @validates_schema(pass_original=True)
    def _public(self, _data: object, original: Mapping[str, Any], **_: object) -> None:
        if PRIVATE & set(original):
            raise ValidationError("holds private key material; only the public key may be registered", "d")

    @validates_schema
    def _usable(self, data: dict[str, Any], **_: object) -> None:
        if data.get("alg", ALGORITHM[data["kty"]]) != ALGORITHM[data["kty"]]:
            raise ValidationError("does not fit the key type", "alg")
        imported(data)


class _JwksSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    keys = fields.List(fields.Raw(allow_none=True), required=True, validate=validate.Length(1, MAX_KEYS))


_JWK = _JwkSchema()
_JWKS = _JwksSchema()


def imported(jwk: Mapping[str, Any]) -> PublicKey:
    """The key itself. Raises ValidationError where it is no key, or too weak."""
    try:
        key = RSAKey.import_key(dict(jwk)) if jwk["kty"] == "RSA" else ECKey.import_key(dict(jwk))
        bits = key.public_key.key_size
    except (JoseError, ValueError, TypeError, KeyError):
        raise ValidationError("is not a public key of its type", "kty") from None
    if isinstance(key, RSAKey) and bits not in RSA_BITS:
        raise ValidationError(f"RSA keys have {RSA_BITS.start} to {RSA_BITS.stop - 1} bits", "n")
    return key


def checked(document: object) -> dict[str, Any]:
    """The public JWK Set in what a client registers: every key must be usable."""
    keys = [_checked_key(jwk, place) for place, jwk in enumerate(_keys(document))]
    if len({jwk["kid"] for jwk in keys}) != len(keys):
        raise JwksError("Two keys of the JWK Set have the same kid")
    return {"keys": keys}


def published(document: object) -> dict[str, Any]:
    """The usable keys of a JWK Set that a client serves: keys for other uses are left aside."""
    keys = _keys(document)
    if any(isinstance(jwk, Mapping) and PRIVATE & set(jwk) for jwk in keys):
        raise JwksError("The JWK Set holds private key material")
    return checked({"keys": [jwk for jwk in keys if not _unusable(jwk)]})


def key_of(document: Jwks, kid: str) -> PublicKey | None:
    """The key with this id, from a set that was `checked` or `published`. `kid` is a plain dictionary key."""
    jwk = {jwk["kid"]: jwk for jwk in document["keys"]}.get(kid)
    return imported(jwk) if jwk else None


def _keys(document: object) -> list[Any]:
    if not isinstance(document, Mapping):
        raise JwksError("The JWK Set is not a JSON object")
    try:
        found: list[Any] = _JWKS.load(document)["keys"]
    except ValidationError:
        raise JwksError(f"The JWK Set needs `keys`: an array of 1 to {MAX_KEYS} keys") from None
    return found


def _checked_key(jwk: object, place: int) -> dict[str, Any]:
    if not isinstance(jwk, Mapping):
        raise JwksError(f"keys[{place}]: is not a JWK")
    try:
        found: dict[str, Any] = _JWK.load(jwk)
    except ValidationError as error:
        raise JwksError(f"keys[{place}]: {_sentence(error)}") from None
    return found


def _unusable(jwk: object) -> bool:
    return not isinstance(jwk, Mapping) or bool(_JWK.validate(jwk))


def _sentence(error: ValidationError) -> str:
    return "; ".join(f"{name} {_first(texts)}" for name, texts in error.messages_dict.items())


def _first(texts: object) -> object:
    return texts[0] if isinstance(texts, list) else "is not valid"
