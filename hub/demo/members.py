"""One member of the demo county as plain facts, before any FHIR: who they are and who leads their care.

Rule: a CIN is 9, seven digits and one of sixteen letters (LA County DMH bulletin NGA 12-041).
Member n has the same facts however many members the county has. Nobody can prove a CIN unissued: these count
up from 90000001 so that a reader sees what they are.
"""

from dataclasses import dataclass

from hub.demo.chance import Chance
from hub.demo.names import FAMILY_FIRST, FAMILY_SECOND, GIVEN
from hub.demo.organizations import CARE_MANAGERS, HOSPITALS, CareManager, Place
from hub.demo.populations import HOMELESSNESS, WEIGHTED, Diagnosis, Population
from hub.demo.scenario import Scenario

MOST_MEMBERS = 9_999_999  # seven digits of a CIN
CIN_LETTERS = "ACDEFGHMNTUVWXYZ"
GENDERS = ("female",) * 10 + ("male",) * 9 + ("other",)
LANGUAGES = (("en", "English"),) * 6 + (("es", "Spanish"),) * 3 + (("vi", "Vietnamese"),)
MRN_SHARE = 0.6
# A record number of EXPSY would itself say that the member has had psychiatric care
MRN_HOSPITALS = tuple(hospital for hospital in HOSPITALS if hospital.facility != "EXPSY")
DAYS_IN_A_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Member:
    """`born` and `enrolled` are days before the anchor; no `mrn_hospital`: no hospital knows the member."""

    number: int
    seed: int
    given: str
    family: str
    gender: str
    born: int
    language: tuple[str, str]
    population: Population
    diagnoses: tuple[Diagnosis, ...]
    lead: CareManager
    enrolled: int
    mrn_hospital: Place | None

    @property
    def key(self) -> str:
        return f"{self.number:04d}"

    @property
    def id(self) -> str:
        return f"demo-member-{self.key}"

    @property
    def cin(self) -> str:
        return f"9{self.number:07d}{CIN_LETTERS[self.number % len(CIN_LETTERS)]}"

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}"

    @property
    def homeless(self) -> bool:
        return any(diagnosis in HOMELESSNESS for diagnosis in self.diagnoses)

    def chance(self, purpose: str) -> Chance:
        return Chance(self.seed, self.number, purpose)


def member(scenario: Scenario, number: int) -> Member:
    """The member with this number, from 1."""
    chance = Chance(scenario.seed, number, "member")
    gender = chance.pick(GENDERS)
    population = chance.pick(WEIGHTED)
    return Member(
        number=number,
        seed=scenario.seed,
        given=chance.pick(GIVEN[gender]),
        family=f"{chance.pick(FAMILY_FIRST)}-{chance.pick(FAMILY_SECOND)}",
        gender=gender,
        born=_days_since_birth(population, chance),
        language=chance.pick(LANGUAGES),
        population=population,
        diagnoses=(
            chance.pick(population.defining),
            *chance.several(population.further, chance.between(1, 2)),
        ),
        lead=CARE_MANAGERS[(number - 1) % len(CARE_MANAGERS)],
        enrolled=chance.between(95, 360),
        mrn_hospital=chance.pick(MRN_HOSPITALS) if chance.happens(MRN_SHARE) else None,
    )


def _days_since_birth(population: Population, chance: Chance) -> int:
    youngest, oldest = population.ages
    return int(chance.between(youngest, oldest) * DAYS_IN_A_YEAR) + chance.between(10, 350)
