"""An invented county of persons with households, from a fixed seed: the truth that the sources then get wrong.

Frequencies are shaped like real ones (a few very common names, a long tail of rare ones, which are made of
syllables); no record of a real person went into it. Three births in a hundred are twins, one man in forty has his
father's name, one family in three has two surnames, one person in eighteen is homeless and in a shelter or nowhere.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path
from random import Random

SEED = 20261122
TODAY = date(2026, 11, 1)
CITIES = [f"932{number:02d}" for number in range(70, 94)]


def _lists() -> dict[str, list[str]]:
    text = Path(__file__).with_name("county_names.csv").read_text(encoding="utf-8")
    return {row["list"]: row["words"].split() for row in csv.DictReader(text.splitlines())}


LISTS = _lists()


@dataclass(frozen=True, slots=True)
class Human:
    """The truth. `number` is who they are; `ssn` four digits; `order` of twins; `home` a line and a ZIP code."""

    number: int
    family: tuple[str, ...]
    given: str
    middle: str
    suffix: str
    sex: str
    born: date
    ssn: str
    home: tuple[str, str]
    phone: str
    order: int = 0
    homeless: bool = False
    mother: str = ""

    @property
    def is_baby(self) -> bool:
        return (TODAY - self.born).days < 730


class Pool:
    """Names that are drawn with the frequencies of a language: 1/rank for the known, evenly for the rest."""

    def __init__(self, known: Sequence[str], made: Sequence[str], share: float):
        weights = [1 / (rank + 6) for rank in range(len(known))]
        scale = share / sum(weights)
        tail = (1 - share) / len(made)
        self.names = [*known, *made]
        self.cumulative = list(accumulate([*(w * scale for w in weights), *(tail for _ in made)]))

    def draw(self, chance: Random) -> str:
        return chance.choices(self.names, cum_weights=self.cumulative)[0]


def _made(chance: Random, count: int, endings: Sequence[str], parts: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join([*chance.choices(LISTS["syllables"], k=parts), chance.choice(endings)]).capitalize()] = None
    return list(found)


@dataclass(slots=True)
class County:
    chance: Random
    families: Pool
    given: dict[str, Pool]
    shelters: list[tuple[str, str]]
    number: int = 0

    def humans(self, count: int) -> list[Human]:
        found: list[Human] = []
        while len(found) < count:
            found += self.household()
        return found[:count]

    def household(self) -> Iterator[Human]:
        chance = self.chance
        home, phone = self.home(), self.new_phone()
        family = self.family()
        father = self.one(family, "male", chance.randint(19, 85), home, phone)
        mother = self.one(
            family if chance.random() < 0.6 else self.family(), "female", chance.randint(18, 80), home, phone
        )
        adults = [[father], [mother], [father, mother]][chance.choices((0, 1, 2), (3, 4, 4))[0]]
        if len(adults) == 1 and chance.random() < 0.12:
            adults = [replace(adults[0], homeless=True, home=self.shelter(), phone=self.own_phone(""))]
        yield from adults
        if not adults[0].homeless and chance.random() < 0.6:
            yield from self.children(father, mother)

    def children(self, father: Human, mother: Human) -> Iterator[Human]:
        chance, parent_age = self.chance, (TODAY - mother.born).days // 365
        for _ in range(chance.choices((1, 2, 3, 4), (4, 4, 2, 1))[0]):
            age = max(0, min(chance.randint(0, 25), parent_age - 17))
            child = self.child(father, mother, age)
            yield child
            if chance.random() < 0.015:  # twins are twice as many persons
                twin = self.child(father, mother, age)
                ssn = f"{(int(child.ssn) + 1) % 10000:04d}"
                yield replace(twin, born=child.born, ssn=ssn, order=2, given=self.twin_name(child, twin))

    def twin_name(self, first: Human, second: Human) -> str:
        """Some parents like names that are nearly the same."""
        if self.chance.random() > 0.15 and second.given != first.given:
            return second.given
        ending = "n" if first.given[-1] in "aeiou" else "a"
        return first.given + ending

    def child(self, father: Human, mother: Human, age: int) -> Human:
        chance = self.chance
        sex = chance.choice(("female", "male"))
        family = father.family if chance.random() < 0.8 else mother.family
        if len(father.family) == 1 and chance.random() < 0.2:
            family = (father.family[0], mother.family[0])
        child = replace(self.one(family, sex, age, father.home, father.phone), mother=mother.given)
        if sex == "male" and chance.random() < 0.05:
            child = replace(child, given=father.given, family=father.family, suffix="Jr")
        return child

    def one(self, family: tuple[str, ...], sex: str, age: int, home: tuple[str, str], phone: str) -> Human:
        chance = self.chance
        self.number += 1
        return Human(
            self.number,
            family,
            self.given[sex].draw(chance),
            self.given[sex].draw(chance) if chance.random() < 0.7 else "",
            "",
            sex,
            TODAY - timedelta(days=age * 365 + chance.randint(0, 364)),
            f"{chance.randint(1, 9999):04d}",
            home,
            self.own_phone(phone),
        )

    def family(self) -> tuple[str, ...]:
        first = self.families.draw(self.chance)
        return (first, self.families.draw(self.chance)) if self.chance.random() < 0.15 else (first,)

    def home(self) -> tuple[str, str]:
        chance = self.chance
        line = (
            f"{chance.randint(1, 9900)} {chance.choice(('', 'N ', 'S ', 'W '))}{chance.choice(LISTS['streets'])} "
        )
        unit = f" Apt {chance.randint(1, 60)}" if chance.random() < 0.3 else ""
        return line + chance.choice(LISTS["kinds"]) + unit, chance.choice(CITIES)

    def shelter(self) -> tuple[str, str]:
        return self.chance.choice(self.shelters)

    def own_phone(self, household: str) -> str:
        return household if household and self.chance.random() < 0.5 else self.new_phone()

    def new_phone(self) -> str:
        return f"559{self.chance.randint(2000000, 9999999)}"


def county(seed: int = SEED) -> County:
    chance = Random(seed)
    families = Pool(LISTS["surnames"], _made(chance, 9000, LISTS["endings"], 2), 0.5)
    female = Pool(LISTS["female"], _made(chance, 3000, ("a", "ia", "ina", "elle", "eigh"), 2), 0.75)
    male = Pool(LISTS["male"], _made(chance, 3000, ("n", "us", "o", "ard", "iel"), 2), 0.75)
    made = County(chance, families, {"female": female, "male": male}, [])
    made.shelters = [made.home() for _ in range(40)]
    return made
