"""This deployment's own rows of the tables that say what is sensitive and what a form of consent means.

Refuses to start (CannotStart): with a table that cannot be read or has other columns, labels or forms.
"""

import csv

from hub.problems import CannotStart
from hub.rights import consent_forms, label_table
from hub.settings import Settings


def use(settings: Settings) -> None:
    """They count in this process from now on."""
    try:
        if labels := settings.path("HUB_LABEL_CODES_FILE"):
            with labels.open(encoding="utf-8") as file:
                label_table.extend(csv.DictReader(file))
        tables = (settings.path(name) for name in ("HUB_CONSENT_FORMS", "HUB_CONSENT_CATEGORIES"))
        consent_forms.use(consent_forms.with_local(*tables))
    except (ValueError, KeyError, OSError) as error:
        raise CannotStart(f"A local table of labels or consents cannot be used: {error}") from None
