"""The resource types of FHIR R4 (r4_types.csv). https://hl7.org/fhir/R4/resourcelist.html"""

import csv
from functools import cache
from importlib.resources import files


@cache
def resource_types() -> frozenset[str]:
    """Every concrete resource type."""
    with files("hub.fhir").joinpath("r4_types.csv").open(encoding="utf-8") as file:
        return frozenset(row["type"] for row in csv.DictReader(file))
