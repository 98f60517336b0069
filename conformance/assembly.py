"""What the web processes tell of themselves and answer operations with, as the settings want it.

Large things are made when they are first asked for: `known` gives the Knowledge, whose parts are made so, too.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import msgspec

from conformance.capability_statement import capability_statement
from conformance.knowledge import Knowledge
from conformance.operations import engines
from conformance.terminology_capabilities import terminology_capabilities
from hub import clock
from hub.fhir import json
from hub.operations.call import Engines
from hub.search import custom
from hub.settings import Settings
from hub.sight import Sight


def capabilities(
    settings: Settings, version: str, token_url: str, authorize_url: str, known: Callable[[], Knowledge]
) -> Callable[[], Any]:
    """The CapabilityStatement, written once: it is large."""
    about = (settings.fhir_base, token_url, version, _now(), settings["HUB_CONDITIONAL_DELETE"])

    @custom.renewed
    @cache
    def statement() -> Any:
        return msgspec.Raw(json.write(capability_statement(*about, known().packages, authorize_url)))

    return statement


def operation_engines(
    settings: Settings, version: str, known: Knowledge, sight_of: Callable[[str], Sight | None]
) -> Engines:
    """What answers $validate and the terminology operations. `sight_of`: what a client sees."""
    told = partial(terminology_capabilities, settings.fhir_base, version, _now())
    return replace(
        engines(lambda: known.validator, lambda: known.terminology, told),
        sight_of=sight_of,
        member_matches=settings["HUB_MEMBER_MATCHES_PER_MINUTE"],
        websocket_url=settings.websocket_url,
    )


def _now() -> str:
    return clock.instant(clock.micros(clock.now()))
