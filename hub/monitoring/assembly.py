"""Monitoring as the front door wants it: what is measured, who is examined."""

from hub.monitoring.checks import Patient, checks
from hub.monitoring.doctor import Check
from hub.monitoring.exposition import Exposition
from hub.monitoring.gauges import Node
from hub.monitoring.health import Readiness
from hub.referrals.clockwork import Clockwork
from hub.settings import Settings
from hub.store.engine import Database

TLS = ("HUB_TLS_CERT", "HUB_TLS_CLIENT_CA", "HUB_MLLP_TLS_CERT", "HUB_MLLP_TLS_CLIENT_CA", "HUB_SMTP_CA")


def node(database: Database, settings: Settings, clocks: Clockwork) -> Node:
    files = {name: path for name in TLS if (path := settings.path(name))}
    return Node(database, settings.data_dir, clocks.rows, files)


def readiness(database: Database, settings: Settings, version: str) -> Readiness:
    return Readiness(database, settings.data_dir, version)


def exposition(database: Database, settings: Settings, clocks: Clockwork, version: str) -> Exposition:
    return Exposition(node(database, settings, clocks), version)


def examination(database: Database, settings: Settings, clocks: Clockwork) -> tuple[Check, ...]:
    """What `hub doctor` looks at."""
    patient = node(database, settings, clocks)
    return checks(Patient(patient, patient.certificates))
