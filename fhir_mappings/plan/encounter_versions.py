"""The tellings of one claim -> what stands of it now, and what was told before and does not stand any more.

Rules: NUBC frequency codes (CLM05-3): 7 replaces, 8 voids what was told before; docs/plan-837.md
- The newest telling counts (BHT04 and BHT05; of one moment, the higher frequency code). A void, or a replacement
  that goes by another number (row `replaced`), leaves nothing.
- A void of a claim that nobody told is nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.feeds.records import Subject

Values = Mapping[str, Any]
VOID = "8"


@dataclass(frozen=True, slots=True)
class Standing:
    """`values` is the telling that counts, `former` those before it. `stands`: it was not taken back."""

    values: Values
    former: Sequence[Values]
    stands: bool


def standing(subject: Subject) -> Standing | None:
    told = sorted((row.values for row in subject.of("claim")), key=_age)
    real = [values for values in told if values.get("frequency") != VOID]
    if not real:
        return None
    newest = max([_age(told[-1]), *(_age(row.values) for row in subject.of("replaced"))])
    voided = told[-1].get("frequency") == VOID or newest > _age(told[-1])
    return Standing(real[-1], real[:-1], not voided)


def _age(values: Values) -> tuple[str, str]:
    return values.get("said", ""), values.get("frequency", "")
