"""Referrals as the front door wants them: rules for the writer, effects of a commit, handlers for the worker."""

from collections.abc import Callable, Mapping
from typing import Any

from hub import clock, outbox
from hub.fhir.systems import OWN, REFERRAL_STATUS
from hub.notifications.mail import Relay
from hub.referrals.answering_by_file import AccessOf, AnsweringByFile
from hub.referrals.clock_table import clock_rows
from hub.referrals.clockwork import Clockwork
from hub.referrals.configuration import Rules, read_rules
from hub.referrals.contacts import Contacts
from hub.referrals.delivery import NoticeWork
from hub.referrals.effects import effects as effects
from hub.referrals.explain import Explain, explainer
from hub.referrals.mail_texts import MailTexts
from hub.referrals.mailing import Mailing
from hub.referrals.notice_texts import Texts
from hub.referrals.rule import Words, rules
from hub.referrals.work import ReferralWork
from hub.settings import Settings
from hub.store.engine import Database
from hub.transactions import Transactions
from hub.write_rules import Rule

MAP = OWN + "ConceptMap/referral-status-to-task-status"
HasCode = Callable[[str, str], bool]  # whether a system has a code
Mapped = Callable[[str], Mapping[str, Any] | None]  # a ConceptMap by its URL


def configured(settings: Settings) -> Rules:
    """Raises CannotStart."""
    return read_rules(settings.referrals_file, settings["HUB_PLAN_API_ORGANIZATION"])


def check(settings: Settings) -> None:
    """What a deployment says of referrals can be used. Raises CannotStart."""
    said = configured(settings)
    clockwork(said, settings.fhir_base)
    texts(said)
    contacts(said)
    mail_texts(said)


def words(has_code: HasCode, concept_map: Mapped) -> Words:
    """DHCS' words as this deployment's terminology has them."""
    return Words(has_code, lambda code: _statuses(concept_map(MAP), code))


def _statuses(found: Mapping[str, Any] | None, code: str) -> frozenset[str]:
    groups = [one for one in (found or {}).get("group", ()) if one.get("source") == REFERRAL_STATUS]
    elements = [element for group in groups for element in group.get("element", ()) if element.get("code") == code]
    return frozenset(str(one.get("code")) for element in elements for one in element.get("target", ()))


def write_rules(settings: Settings, said: Words, now: clock.Clock = clock.now) -> Mapping[str, Rule]:
    """By type, for hub.transactions. Raises CannotStart."""
    return rules(settings.fhir_base, said, configured(settings).zone, now)


def work(database: Database, own: Transactions, settings: Settings) -> dict[str, outbox.Handler]:
    """By kind. Raises CannotStart."""
    said = configured(settings)
    base = settings.fhir_base
    clocks, told = clockwork(said, base), texts(said)
    return ReferralWork(database, own, said, clocks, told, base, contacts=contacts(said)).handlers()


def explains(settings: Settings) -> Explain:
    """What answers Task/$explain-clock. Raises CannotStart."""
    return explainer(clocks(settings))


def clocks(settings: Settings) -> Clockwork:
    """Raises CannotStart."""
    return clockwork(configured(settings), settings.fhir_base)


def texts(said: Rules) -> Texts:
    """Raises CannotStart."""
    return Texts(said.tables.get("text", ()))


def contacts(said: Rules) -> Contacts:
    """Raises CannotStart."""
    return Contacts(said.tables.get("contact", ()))


def mail_texts(said: Rules) -> MailTexts:
    """Raises CannotStart."""
    return MailTexts(said.tables.get("mail", ()))


def deliveries(database: Database, own: Transactions, settings: Settings) -> dict[str, outbox.Handler]:
    """By kind: mails without content, where there is a relay. Raises CannotStart."""
    said, relay = configured(settings), Relay.of(settings)
    return NoticeWork(
        database,
        own,
        settings.fhir_base,
        contacts(said),
        mail_texts(said),
        settings.base_url,
        settings.secret_key(),
        Mailing(relay, settings["HUB_WEBHOOK_TIMEOUT_SECONDS"]) if relay else None,
    ).handlers()


def answering(transactions: Transactions, access_of: AccessOf, settings: Settings) -> AnsweringByFile:
    """What a line of a provider's file does; `transactions` are those of clients. Raises CannotStart."""
    return AnsweringByFile(transactions, access_of, configured(settings).zone)


def clockwork(said: Rules, base: str) -> Clockwork:
    """Raises CannotStart."""
    return Clockwork(said, clock_rows(said.tables.get("clock", ())), base)
