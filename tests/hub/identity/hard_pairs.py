"""10,000 labelled pairs that look alike (SEC-55), from a fixed seed: who is confused with whom in hospitals.

Two thirds are two persons: twins with other and with nearly the same names, fathers and sons, newborns of one
family name, namesakes born on one day, siblings born a year apart, swapped names, people of one shelter with a
default birth date, one shared phone. One third is one person written twice, with the errors that make these hard.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from hub.fhir.systems import MRN_SYSTEM_BASE
from hub.identity.person import Person, Said, person
from hub.identity.strong import Identifier
from tests.bench.county_people import County, Human, county

SEED = 55
PAIRS = 10_000


@dataclass(frozen=True, slots=True)
class Hard:
    kind: str
    same: bool
    one: Person
    other: Person


class Maker:
    def __init__(self) -> None:
        self.county: County = county(SEED)
        self.chance = Random(SEED)

    def human(self) -> Human:
        county, chance = self.county, self.chance
        sex = chance.choice(("female", "male"))
        return county.one(county.family(), sex, chance.randint(1, 80), county.home(), county.new_phone())

    def stranger(self, like: Human) -> Human:
        """Another person of the same sex; the test then makes them alike."""
        return replace(self.human(), sex=like.sex)

    def written(self, human: Human, **changed: object) -> Person:
        """With what a source has of them; an SSN4 and a phone half the time."""
        half = self.chance.random
        said = Said(
            names=[
                (" ".join(human.family), [human.given, *([human.middle] if human.middle else [])], human.suffix)
            ],
            born=human.born.isoformat(),
            sex=human.sex,
            phones=[human.phone] if half() < 0.5 else [],
            addresses=[([human.home[0]], "Visalia", human.home[1])] if half() < 0.8 else [],
            ssn=human.ssn if half() < 0.5 else "",
            order=human.order if half() < 0.3 else 0,
            identifiers=self.identifiers(human),
        )
        return person("hospital", replace(said, **changed))  # type: ignore[arg-type]

    def identifiers(self, human: Human) -> list[Identifier]:
        hospital = self.chance.choice(("exgen", "exnor", "exsou"))
        return [Identifier("mrn", MRN_SYSTEM_BASE + hospital, f"M{human.number}")]

    # two persons

    def twins(self) -> tuple[Human, Human]:
        one = self.human()
        other = replace(self.human(), family=one.family, born=one.born, home=one.home, phone=one.phone)
        given = other.given if other.given != one.given else one.given + "a"
        ssn = f"{(int(one.ssn) + 1) % 10000:04d}"
        return replace(one, order=1), replace(other, given=given, ssn=ssn, order=2)

    def nearly_named_twins(self) -> tuple[Human, Human]:
        one, other = self.twins()
        given = one.given[:-1] + ("o" if one.given[-1] == "a" else "a")
        return one, replace(other, sex=one.sex, given=given, middle=one.middle)

    def father_and_son(self) -> tuple[Human, Human]:
        father = replace(self.human(), sex="male")
        years = self.chance.choice((20, 20, 24, 30, 31))
        born = father.born.replace(day=min(father.born.day, 28))
        son = replace(self.stranger(father), family=father.family, given=father.given, middle=father.middle,
                      home=father.home, phone=father.phone, born=born.replace(year=born.year - years))  # fmt: skip
        suffixes = self.chance.choice((("Sr", "Jr"), ("", "Jr"), ("", "")))
        return replace(father, suffix=suffixes[1]), replace(son, suffix=suffixes[0])

    def namesakes(self) -> tuple[Human, Human]:
        """Common names, one birthday, other homes."""
        one = self.human()
        pool = self.county.given[one.sex].names
        one = replace(one, family=(self.chance.choice(self.county.families.names[:20]),), given=pool[0])
        return one, replace(self.stranger(one), family=one.family, given=one.given, born=one.born)

    def siblings(self) -> tuple[Human, Human]:
        one = self.human()
        other = replace(self.human(), family=one.family, home=one.home, phone=one.phone)
        given = other.given if other.given != one.given else one.given + "na"
        return one, replace(other, given=given, born=one.born + timedelta(days=self.chance.randint(300, 900)))

    def swapped_strangers(self) -> tuple[Human, Human]:
        """Thomas Martin and Martin Thomas, born on one day."""
        one = replace(self.human(), family=("Martin",), given="Thomas")
        return one, replace(self.stranger(one), family=("Thomas",), given="Martin", born=one.born)

    def one_shelter(self) -> tuple[Human, Human]:
        one = self.human()
        born = one.born.replace(month=1, day=1)
        other = replace(self.stranger(one), family=one.family, born=born, home=self.county.shelters[0])
        return replace(one, born=born, home=self.county.shelters[0]), replace(other, phone=one.phone)

    def newborns(self) -> tuple[Person, Person]:
        """Two babies of mothers with one family name, born on one day."""
        one, other = self.twins() if self.chance.random() < 0.5 else self.namesakes()
        return self.newborn(one), self.newborn(replace(other, sex=one.sex))

    def newborn(self, human: Human) -> Person:
        name = (human.family[-1], [f"BABY {'GIRL' if human.sex == 'female' else 'BOY'}"], "")
        return self.written(human, names=[name], ssn="")

    # one person

    def twice(self) -> tuple[Human, Human]:
        one = self.human()
        return one, one

    def swapped_twice(self) -> tuple[Person, Person]:
        one = self.human()
        return self.written(one), self.written(one, names=[(one.given, [" ".join(one.family)], "")])

    def moved(self) -> tuple[Human, Human]:
        one = self.human()
        return one, replace(one, home=self.county.home(), phone=self.county.new_phone())

    def named_later(self) -> tuple[Person, Person]:
        one = self.human()
        return self.newborn(one), self.written(one, ssn="")

    def mistyped(self) -> tuple[Human, Human]:
        one = self.human()
        return one, replace(one, given=one.given[:1] + one.given[2:], born=one.born + timedelta(days=1))


TWO = (Maker.twins, Maker.nearly_named_twins, Maker.father_and_son, Maker.namesakes, Maker.siblings,
       Maker.swapped_strangers, Maker.one_shelter, Maker.newborns)  # fmt: skip
ONE = (Maker.twice, Maker.swapped_twice, Maker.moved, Maker.mistyped)


def hard_pairs(count: int = PAIRS) -> Iterator[Hard]:
    maker = Maker()
    for number in range(count):
        same = number % 3 == 0
        kinds: tuple[Callable[..., tuple[Human, Human] | tuple[Person, Person]], ...] = ONE if same else TWO
        kind = kinds[number // 3 % len(kinds)] if number % 24 else Maker.named_later
        yield Hard(kind.__name__, same, *(_person(maker, each) for each in kind(maker)))


def _person(maker: Maker, one: Human | Person) -> Person:
    return one if isinstance(one, Person) else maker.written(one)
