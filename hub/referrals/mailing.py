"""A mail about a referral, handed to the deployment's relay. It has no content of the record.

Rules: RFC 5322 (the Message-ID is that of the Communication, the same at every try), RFC 3834 (Auto-Submitted);
hub.notifications.mail knows the relay.
Refuses: nothing; why the relay did not take it is told (Failure).
"""

from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP

from hub.notifications.mail import Relay, hand_over
from hub.notifications.outgoing import Failure
from hub.referrals.mail_texts import Mail


@dataclass(frozen=True, slots=True)
class Letter:
    """`number` is the id of the Communication that it is."""

    mailbox: str
    number: str
    mail: Mail
    text: str


Send = Callable[[Letter], Failure | None]


@dataclass(frozen=True, slots=True)
class Mailing:
    """A way to send. At least once."""

    relay: Relay
    seconds: float

    def __call__(self, letter: Letter) -> Failure | None:
        return hand_over(self.relay, message(self.relay, letter), self.seconds)


def message(relay: Relay, letter: Letter) -> EmailMessage:
    """The mail itself. A link must not be broken over two lines: what is long is encoded."""
    found = EmailMessage(SMTP)
    found["From"] = relay.sender
    found["To"] = letter.mailbox
    found["Subject"] = letter.mail.subject
    found["Message-ID"] = f"<{letter.number}@{relay.sender.rpartition('@')[2] or 'hub.invalid'}>"
    found["Auto-Submitted"] = "auto-generated"
    found["Content-Language"] = letter.mail.language
    found.set_content(letter.text)
    return found
