"""What four sources write down of the county's people: the plan, the county, a hospital and HMIS.

A row of SOURCES says how a source errs; the rates are assumptions, not measurements. Further, everywhere: names
swapped 0.4 %, day and month swapped 0.4 %, a wrong digit in a birth date as often as half the typing errors, a
woman's other surname 1.5 %, one of two surnames left off 10 %, a move 8 %. HMIS: one date in 25 is 1 January of
about the right year, with quality 2; every tenth client is in a hashed export. The hospital calls 60 % of the
babies BABY GIRL or BABY BOY with the mother's name, and registers one person in 100 twice; HMIS registers one in
50 twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from random import Random

from hub.fhir.systems import CIN_SYSTEM, MRN_SYSTEM_BASE
from hub.identity.hashed import SHA256_SOUNDEX, digest
from hub.identity.names import _roots
from hub.identity.person import Hashed, Person, Quality, Said, person
from hub.identity.strong import COUNTY_SYSTEM_BASE, HMIS_SYSTEM_BASE, Identifier
from tests.bench.county_people import SEED, County, Human

LETTERS = "ACDEFGHMNTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Source:
    """Shares: of the people it knows, of records with a typing error in a field, a nickname, an SSN4, a phone, an
    address, a CIN; and of people it registered twice."""

    name: str
    knows: float
    errs: float
    nicknames: float
    ssn: float
    phone: float
    address: float
    cin: float
    twice: float


SOURCES = (
    Source("plan", 0.80, 0.004, 0.00, 0.90, 0.75, 0.95, 1.00, 0.0),
    Source("county", 0.25, 0.015, 0.02, 0.70, 0.75, 0.85, 0.60, 0.0),
    Source("hospital", 0.50, 0.015, 0.02, 0.60, 0.85, 0.92, 0.35, 0.01),
    Source("hmis", 0.05, 0.025, 0.10, 0.75, 0.50, 0.70, 0.00, 0.02),
)
HOMELESS_IN_HMIS = 0.85
Record = tuple[int, Person]  # who it is in truth, and what the source says


def records(people: list[Human], county: County) -> list[Record]:
    """The plan's roster first, the others mixed, as they would arrive."""
    chance = Random(SEED + 1)
    roster, others = [], []
    for human in people:
        for source in SOURCES:
            found = list(_of(source, human, chance, county))
            (roster if source.name == "plan" else others).extend((human.number, each) for each in found)
    chance.shuffle(others)
    return roster + others


def _of(source: Source, human: Human, chance: Random, county: County) -> Iterator[Person]:
    knows = HOMELESS_IN_HMIS if human.homeless and source.name == "hmis" else source.knows
    if chance.random() < knows:
        for number in range(1 + (chance.random() < source.twice)):
            yield person(source.name, Writer(source, human, chance, county).said(number))


@dataclass(slots=True)
class Writer:
    """One source writing one person down."""

    source: Source
    human: Human
    chance: Random
    county: County

    def said(self, number: int) -> Said:
        human, source = self.human, self.source
        born, birth_quality = self.born()
        said = Said(
            names=[self.name()],
            born=born,
            sex="" if self.often(0.01) else self.sex(),
            phones=[self.phone()] if self.often(source.phone) else [],
            addresses=[self.address()] if self.often(source.address) else [],
            ssn=self.slip(human.ssn, digits=True) if self.often(source.ssn) else "",
            order=human.order if source.name in ("plan", "hospital") and self.often(0.5) else 0,
            identifiers=self.identifiers(number),
            quality=Quality(birth=birth_quality),
        )
        return self.hashed(said) if source.name == "hmis" and self.often(0.10) else said

    def often(self, share: float) -> bool:
        return self.chance.random() < share

    def sex(self) -> str:
        other = {"female": "male", "male": "female"}
        return other[self.human.sex] if self.often(0.003) else self.human.sex

    def name(self) -> tuple[str, list[str], str]:
        human = self.human
        if self.source.name == "hospital" and human.is_baby and self.often(0.6):
            kind = "Girl" if human.sex == "female" else "Boy"
            order = " " + " ABC"[human.order] if human.order else ""
            return human.family[-1], [f"Baby {kind}{order}", *([human.mother] if self.often(0.4) else [])], ""
        family, given = self.family(), self.given()
        if self.often(0.004):
            family, given = given, family
        middle = [human.middle if self.often(0.6) else human.middle[0]] if human.middle and self.often(0.5) else []
        return family, [given, *middle], human.suffix if self.often(0.7) else ""

    def family(self) -> str:
        words = self.human.family
        if self.human.sex == "female" and self.often(0.015):
            words = self.county.family()
        if len(words) > 1 and self.often(0.10):
            words = (self.chance.choice(words),)
        return self.slip(self.chance.choice((" ", "-")).join(words))

    def given(self) -> str:
        known = self.human.given.lower()
        short = sorted(word for word, names in _roots().items() if known in names and word != known)
        if short and self.often(self.source.nicknames):
            return self.chance.choice(short)
        return self.slip(self.human.given)

    def slip(self, text: str, digits: bool = False) -> str:
        """With the source's share of errors one letter or digit is wrong."""
        if not self.often(self.source.errs) or len(text) < 3:
            return text
        at = self.chance.randrange(1, len(text) - 1)
        letter = self.chance.choice("0123456789" if digits else "aeiourstnlmd")
        turned = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        wrong = text[:at] + letter + text[at + 1 :]
        if digits:
            return self.chance.choice((turned, wrong))
        return self.chance.choice((turned, wrong, text[:at] + letter + text[at:], text[:at] + text[at + 1 :]))

    def born(self) -> tuple[str, int]:
        born = self.human.born
        if self.source.name == "hmis" and self.often(0.04):
            return f"{born.year + self.chance.choice((0, 0, 1, -1))}-01-01", 2
        if born.day <= 12 and self.often(0.01):
            return date(born.year, born.day, born.month).isoformat(), 1
        if self.often(self.source.errs / 2):
            return self.wrong_day(born).isoformat(), 1
        return born.isoformat(), 1

    def wrong_day(self, born: date) -> date:
        """One digit: of the day, the month or the year."""
        kind = self.chance.randrange(3)
        if kind == 0:
            return born.replace(day=self.chance.choice([d for d in range(1, 29) if abs(d - born.day) in (1, 10)]))
        if kind == 1:
            return born.replace(day=min(born.day, 28), month=born.month % 9 + 1)
        return born.replace(day=min(born.day, 28), year=born.year - self.chance.choice((1, 2, 10)))

    def phone(self) -> str:
        return self.county.new_phone() if self.often(0.15) else self.slip(self.human.phone, digits=True)

    def address(self) -> tuple[list[str], str, str]:
        human = self.human
        line, area = self.county.home() if self.often(0.08) else human.home
        if human.homeless and not self.often(0.6):
            line, area = self.county.shelter()
        return [self.slip(line)], "Visalia", area

    def identifiers(self, number: int) -> list[Identifier]:
        human = self.human
        own = {
            "county": Identifier("county", COUNTY_SYSTEM_BASE + "54", f"{human.number:09d}"),
            "hospital": Identifier("mrn", MRN_SYSTEM_BASE + "exgen", f"M{human.number:07d}{number}"),
            "hmis": Identifier("hmis", HMIS_SYSTEM_BASE + "example", f"P{human.number:08d}{number}"),
        }
        found = [own[self.source.name]] if self.source.name in own else []
        if self.often(self.source.cin):
            found.append(Identifier("cin", CIN_SYSTEM, f"9{human.number:07d}{LETTERS[human.number % 16]}"))
        return found

    def hashed(self, said: Said) -> Said:
        family, given, _ = said.names[0]
        hashes = Hashed(SHA256_SOUNDEX, digest(SHA256_SOUNDEX, family), digest(SHA256_SOUNDEX, given[0]))
        return replace(said, names=[], phones=[], addresses=[], hashed=hashes)
