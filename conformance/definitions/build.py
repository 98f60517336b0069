"""Strips the official R4 definitions to the tables which the project ships. Run by hand:

    npm pack hl7.fhir.r4.examples@4.0.1
    python -m conformance.definitions.build hl7.fhir.r4.examples-4.0.1.tgz

The package is CC0 (https://hl7.org/fhir/R4/license.html). No prose is kept. The same package gives the same bytes.
Refuses: a package for another FHIR version.
"""

import csv
import io
import json
import lzma
import sys
from collections.abc import Iterable
from pathlib import Path

from conformance.definitions import element_table, invariants, parameters, terminology
from conformance.definitions.elements import SchemaBuilder
from conformance.definitions.package import Package
from conformance.definitions.primitives import Schema

FHIR_VERSION = "4.0.1"
ROOT = Path(__file__).resolve().parents[2]
COMPARTMENTS = ("device", "encounter", "patient", "practitioner", "relatedPerson")


def tables(package: Package) -> dict[str, bytes]:
    """The shipped files, by path in the repository."""
    builder = SchemaBuilder(package)
    schema = builder.build()
    ruled = invariants.rows(builder.definitions)
    return {
        "conformance/definitions/r4_schema.jsonl.xz": schema_lines(schema),
        "conformance/definitions/r4_invariants.csv": table(invariants.COLUMNS, ruled),
        "conformance/definitions/r4_invariant_steps.csv": table(
            invariants.STEP_COLUMNS, invariants.steps(schema, ruled)
        ),
        "hub/search/r4_parameters.csv": table(parameters.COLUMNS, parameters.rows(package)),
        "hub/fhir/r4_elements.csv": table(element_table.COLUMNS, element_table.rows(builder.definitions)),
        "conformance/terminology/r4_terminology.xz": terminology.blocks(package),
        "hub/fhir/r4_types.csv": table(("type", "base"), _types(builder)),
        **{
            f"hub/fhir/compartment_{name.lower()}.csv": table(("type", "parameter"), _compartment(package, name))
            for name in COMPARTMENTS
        },
    }


def schema_lines(defs: dict[str, Schema]) -> bytes:
    """One line for each definition, `["name",schema]`, so that a reader parses only what it needs."""
    lines = [json.dumps([name, schema], separators=(",", ":"), ensure_ascii=True) for name, schema in defs.items()]
    return lzma.compress("\n".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME)


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> bytes:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return file.getvalue().encode()


def _types(builder: SchemaBuilder) -> list[tuple[str, str]]:
    bases = {
        d["type"]: d["baseDefinition"].rpartition("/")[2] for d in builder.definitions if "baseDefinition" in d
    }
    return [(name, bases[name]) for name in builder.types]


def _compartment(package: Package, name: str) -> list[tuple[str, str]]:
    """Type and parameter; `{def}` is the resource that the compartment is named for, itself."""
    found = package.by_url("CompartmentDefinition")[f"http://hl7.org/fhir/CompartmentDefinition/{name}"]
    return sorted((r["code"], parameter) for r in found["resource"] for parameter in r.get("param", ()))


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__)
        return 2
    for path, content in tables(Package(Path(arguments[0]), FHIR_VERSION)).items():
        (ROOT / path).write_bytes(content)
        print(f"{len(content):>8} {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
