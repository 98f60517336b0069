"""Signatures, checked with the library that receivers use."""

from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from hub.notifications.signature import signed
from tests.hub.notifications.conftest import SECRET


def test_the_reference_library_makes_the_same_signature() -> None:
    at = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    theirs = Webhook(SECRET).sign("message-1", at, '{"a": "ü"}')
    ours = signed(SECRET, "message-1", int(at.timestamp()), '{"a": "ü"}'.encode())
    assert ours["webhook-signature"] == theirs
    assert ours["webhook-id"] == "message-1"
    assert ours["webhook-timestamp"] == str(int(at.timestamp()))


@pytest.mark.parametrize(
    ("secret", "identity"),
    [("plain", "a"), ("whsec_not base64", "a"), (SECRET, "a.b")],
)
def test_a_secret_or_id_of_another_form_signs_nothing(secret: str, identity: str) -> None:
    with pytest.raises(ValueError):
        signed(secret, identity, 1, b"{}")
