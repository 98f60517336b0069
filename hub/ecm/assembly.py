"""ECM as the front door wants it: rules for the writer, effects of a commit, handlers for the worker."""

from collections.abc import Mapping

from hub import clock, outbox
from hub.ecm.attempt_rule import AttemptRule
from hub.ecm.effects import effects as effects
from hub.ecm.explain import explainer_of_all
from hub.ecm.rule import EnrolmentRule, HasCode
from hub.ecm.work import EnrolmentWork
from hub.referrals import assembly as referrals
from hub.referrals.explain import Explain
from hub.settings import Settings
from hub.store.engine import Database
from hub.transactions import Transactions
from hub.write_rules import Rule


def write_rules(settings: Settings, has_code: HasCode, now: clock.Clock = clock.now) -> Mapping[str, Rule]:
    """By type, for hub.transactions. Raises CannotStart."""
    zone = referrals.configured(settings).zone
    attempts = AttemptRule(settings.fhir_base, has_code, zone, now)
    return {
        "EpisodeOfCare": EnrolmentRule(settings.fhir_base, has_code, zone, now),
        "Encounter": attempts,
        "Communication": attempts,
    }


def work(database: Database, own: Transactions, settings: Settings) -> dict[str, outbox.Handler]:
    """By kind. Raises CannotStart."""
    return EnrolmentWork(database, own, referrals.clocks(settings), settings.fhir_base).handlers()


def explains(settings: Settings) -> Explain:
    """What answers Task/$explain-clock, also for the clocks of referrals. Raises CannotStart."""
    return explainer_of_all(referrals.clocks(settings))
