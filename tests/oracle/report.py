"""What the comparison says: agreement, and every disagreement with both sides' messages."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from tests.oracle import java

# Errors that the HL7 validator makes for want of a terminology server or a definition, whatever the resource says.
ARTEFACTS: tuple[tuple[str, str], ...] = (
    (r"Cannot invoke \"", "a null pointer inside the validator, passed off as a code that is not in its value set"),
    (
        r"error message = A definition for CodeSystem",
        "a listed code is refused as its code system is in no package",
    ),
    (r"expecting one of \[\]", "a canonical that is found is refused, whatever it is"),
)

# Disagreements whose reason is known: a pattern of all messages of the side that refuses, and the reason.
EXPLAINED: tuple[tuple[str, str], ...] = (
    ("Hyperlink '", "links inside a narrative must resolve: a rule of publishing, not of FHIR R4"),
    ("looks like a RESTful server URL", "a fullUrl must end with the entry's id: not checked by $validate here"),
    (
        "The code system has no such code",
        "one of several codings has an unknown code: only the HL7 validator lets it pass",
    ),
)


@dataclass(frozen=True)
class Case:
    """One resource, and the errors of both."""

    guide: str
    example: str
    mutation: str
    ours: list[str]
    raw: list[str]

    @property
    def theirs(self) -> list[str]:
        return [each for each in self.raw if not any(re.search(pattern, each) for pattern, _ in ARTEFACTS)]

    @property
    def agrees(self) -> bool:
        return bool(self.ours) == bool(self.theirs)

    @property
    def why(self) -> str:
        side = self.theirs or self.ours
        found = {next((why for pattern, why in EXPLAINED if re.search(pattern, each)), "") for each in side}
        return "" if "" in found else "; ".join(sorted(found))


def text(cases: list[Case]) -> str:
    """The page docs/oracle.md."""
    version = re.search(r"validation</artifactId>\s*<version>([^<]+)", (java.HERE / "pom.xml").read_text())
    lines = [
        "# The oracle: $validate beside the HL7 validator\n",
        f"Written by `make oracle` on {date.today().isoformat()}. HL7 validator (`org.hl7.fhir.validation`) "
        f"{version[1] if version else '?'}, no terminology server, no network; terminology {java.THO}, extensions "
        f"{java.EXTENSIONS}. The command line's own artifact is published no later than 4.0.3 (2019): the same "
        "validator is called as a library. Corpus: all examples of the guides as published; of each profile the "
        "first two are also broken in every way of `tests/oracle/mutations.py` that applies.\n",
        *_agreement(cases),
        f"\nWith every error of the HL7 validator counted: {_raw(cases):.2f} %. Above are left out those that say "
        "nothing of the resource:\n",
        *(f"- `{pattern}`: {why}" for pattern, why in ARTEFACTS),
        "\n## Disagreements\n",
        *_disagreements(cases),
    ]
    return "\n".join(lines) + "\n"


def _agreement(cases: list[Case]) -> Iterable[str]:
    yield "| resources | agree | % | both invalid | both valid |\n| --- | --- | --- | --- | --- |"
    guides = dict.fromkeys(case.guide for case in cases)
    for name, some in [("all", cases), *((g, [c for c in cases if c.guide == g]) for g in guides)]:
        agree = [case for case in some if case.agrees]
        invalid = sum(bool(case.ours) for case in agree)
        share = 100 * len(agree) / max(len(some), 1)
        yield f"| {name}: {len(some)} | {len(agree)} | {share:.2f} | {invalid} | {len(agree) - invalid} |"


def _raw(cases: list[Case]) -> float:
    return 100 * sum(bool(case.ours) == bool(case.raw) for case in cases) / max(len(cases), 1)


def _disagreements(cases: list[Case]) -> Iterable[str]:
    apart = [case for case in cases if not case.agrees]
    by_mutation = Counter(case.mutation for case in apart)
    if by_mutation:
        yield "By mutation: " + ", ".join(f"{name} {count}" for name, count in by_mutation.most_common()) + "\n"
    for why in dict.fromkeys(case.why for case in apart):
        some = [case for case in apart if case.why == why]
        yield f"### {why or 'Not explained'} ({len(some)})\n"
        for case in some[:60] if why else some:
            yield f"- {case.example}, {case.mutation}"
            yield from (f"  - ours: {each[:240]}" for each in case.ours[:2])
            yield from (f"  - HL7: {each[:240]}" for each in case.theirs[:2])
