"""The email channel: a short text without names, and the Bundle beside it.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#email; RFC 5321, RFC 8314 (TLS).
Subject and text say nothing of anybody; the Bundle is `empty` or `id-only` (hub.notifications.subscriptions refuses
whole resources). The Message-ID is the message's id, the same at every try.
Refuses: a relay without TLS, where TLS is wanted, and one whose certificate does not fit; a mailbox that the relay
refuses for good (5xx) is a failure that no try can better.
"""

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from hub.notifications.outgoing import Failure, Outgoing
from hub.notifications.subscriptions import MAILBOX
from hub.problems import CannotStart
from hub.settings import Settings

SUBJECTS = {
    "handshake": "CalAIM FHIR Hub: notices begin",
    "heartbeat": "CalAIM FHIR Hub: still here",
    "notice": "CalAIM FHIR Hub: there is something new",
}
TEXT = (
    "This is a notice of a Subscription at a CalAIM FHIR Hub. What it is about is in the attached Bundle, as far "
    "as the Subscription wants it said; sign in to the hub to read it.\n"
)
NAMES = {False: ("fhir+json", "notice.json"), True: ("fhir+xml", "notice.xml")}
PERMANENT = range(500, 600)


@dataclass(frozen=True, slots=True)
class Relay:
    """The mail relay. `tls` is starttls, tls or none."""

    host: str
    port: int
    sender: str
    tls: str = "starttls"
    user: str = ""
    password: str = ""
    ca: str = ""

    @classmethod
    def of(cls, settings: Settings) -> "Relay | None":
        """None where the settings name no relay. Raises CannotStart."""
        if not settings["HUB_SMTP_HOST"]:
            return None
        if "@" not in settings["HUB_EMAIL_FROM"]:
            raise CannotStart("HUB_SMTP_HOST needs an address in HUB_EMAIL_FROM.")
        file = settings["HUB_SMTP_PASSWORD_FILE"]
        try:
            password = Path(file).read_text(encoding="utf-8").strip() if file else ""
        except OSError as error:
            raise CannotStart(f"HUB_SMTP_PASSWORD_FILE cannot be read: {type(error).__name__}") from None
        return cls(
            settings["HUB_SMTP_HOST"],
            settings["HUB_SMTP_PORT"],
            settings["HUB_EMAIL_FROM"],
            settings["HUB_SMTP_TLS"],
            settings["HUB_SMTP_USER"],
            password,
            settings["HUB_SMTP_CA"],
        )


def send(relay: Relay, made: Outgoing, seconds: float) -> Failure | None:
    """Hand it to the relay; None where that took it."""
    return hand_over(relay, message(relay, made), seconds)


def hand_over(relay: Relay, mail: EmailMessage, seconds: float) -> Failure | None:
    """Any mail; None where the relay took it."""
    try:
        with _connected(relay, seconds) as connection:
            connection.send_message(mail)
    except smtplib.SMTPRecipientsRefused as refused:
        code = max((answer[0] for answer in refused.recipients.values()), default=0)
        return Failure(f"The relay answered {code}", code, final=code in PERMANENT)
    except smtplib.SMTPResponseException as answer:
        return Failure(f"The relay answered {answer.smtp_code}", answer.smtp_code)
    except (smtplib.SMTPException, OSError) as error:
        return Failure(f"No relay: {type(error).__name__}")
    return None


def message(relay: Relay, made: Outgoing) -> EmailMessage:
    """The mail itself."""
    mailbox = MAILBOX.fullmatch(made.asked.endpoint)
    found = EmailMessage()
    found["From"] = relay.sender
    found["To"] = f"{mailbox[1]}@{mailbox[2]}" if mailbox else ""
    found["Subject"] = SUBJECTS[made.kind]
    found["Message-ID"] = f"<{made.message}@{relay.sender.rpartition('@')[2] or 'hub.invalid'}>"
    found["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday answers it
    found.set_content(TEXT)
    subtype, name = NAMES[made.asked.is_xml]
    found.add_attachment(made.body, maintype="application", subtype=subtype, filename=name)
    return found


def _connected(relay: Relay, seconds: float) -> smtplib.SMTP:
    if relay.tls == "tls":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(relay.host, relay.port, timeout=seconds, context=_trust(relay))
    else:
        connection = smtplib.SMTP(relay.host, relay.port, timeout=seconds)
    try:
        if relay.tls == "starttls":
            connection.starttls(context=_trust(relay))
        if relay.user:
            connection.login(relay.user, relay.password)
    except BaseException:
        connection.close()
        raise
    return connection


def _trust(relay: Relay) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=relay.ca or None)
