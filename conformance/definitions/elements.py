"""StructureDefinition -> JSON Schema: one definition for each type, each backbone element, each bound code.

Rules: https://hl7.org/fhir/R4/json.html, /elementdefinition.html, /formats.html#choice
A definition forbids what it does not name, holds arrays to at least one item, and lets `null` only into lists
of primitives (the sibling list must then have something at that place: conformance.validation.walk).
Resources inside resources (contained, Bundle entries) are open here: each is validated by its own type.
"""

from collections.abc import Iterator

from conformance.definitions.bindings import Bindings, Codes
from conformance.definitions.package import Definition, Package
from conformance.definitions.primitives import ID, PRIMITIVES, SPECIAL, VISIBLE, Schema, text

_FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
_SYSTEM_STRING = "http://hl7.org/fhirpath/System.String"
OR_NULL = ".orNull"
_TAIL = rf"(?:/{ID}(?:/_history/{ID})?|\?{VISIBLE}+)"
_ENDS = (
    r"(?:/[A-Za-z0-9.\-]+(?:/_history/[A-Za-z0-9.\-]+)?|\?.+)$"  # _TAIL without its lengths: far smaller compiled
)


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


class SchemaBuilder:
    """Collects `defs` while it walks the StructureDefinitions of one package."""

    def __init__(self, package: Package):
        self.bindings = Bindings(package)
        self.definitions = [d for d in package.all("StructureDefinition") if _is_base_type(d)]
        self.types = sorted(d["type"] for d in self.definitions if d["kind"] == "resource" and not d["abstract"])
        self.defs: dict[str, Schema] = {**PRIMITIVES, **SPECIAL}

    def build(self) -> dict[str, Schema]:
        for definition in self.definitions:
            if definition["kind"] != "primitive-type":
                self._type(definition)
        self.defs["Reference"]["properties"]["reference"] = ref("Reference.text")
        self.defs["Reference.text"] = _reference_text(self.types)
        self.defs["Reference.literal"] = {"pattern": rf"(?:^|/)(?:{'|'.join(self.types)}){_ENDS}"}
        self.defs["Reference.typename"] = {"enum": self.types}
        self.defs["Extension.part"] = self._extension_part()
        self.defs["Element.orNull"] = _or_null(self.defs["Element"])
        return dict(sorted(self.defs.items()))

    def _type(self, definition: Definition) -> None:
        elements = definition["snapshot"]["element"]
        parents = {e["path"].rpartition(".")[0] for e in elements}
        for path in sorted(parents - {""}):
            children = [e for e in elements if e["path"].rpartition(".")[0] == path and e["max"] != "0"]
            self.defs[path] = self._object(children)
        if definition["kind"] == "resource":
            self._make_resource(self.defs[definition["type"]], definition["type"])

    def _make_resource(self, schema: Schema, name: str) -> None:
        schema["properties"] = {"resourceType": {"const": name}, **schema["properties"], "id": ref("id")}
        schema["required"] = ["resourceType", *schema.get("required", [])]

    def _object(self, children: list[Definition]) -> Schema:
        properties: Schema = {}
        required: list[str] = []
        rules: list[Schema] = []
        for element in children:
            names = self._add_properties(properties, element)
            if len(names) > 1:
                rules += _choice(element, names, properties)
            elif element["min"] and f"_{names[0]}" in properties:
                rules.append({"if": _has(f"_{names[0]}"), "else": _has(names[0])})
            elif element["min"]:
                required.append(names[0])
        schema: Schema = {"type": "object", "minProperties": 1, "additionalProperties": False}
        schema["properties"] = properties
        if required:
            schema["required"] = required
        if rules:
            schema["allOf"] = rules
        return schema

    def _add_properties(self, properties: Schema, element: Definition) -> list[str]:
        """Adds the JSON properties of one element; gives their names (several for a choice)."""
        name = element["path"].rpartition(".")[2]
        if "contentReference" in element:
            properties[name] = _cardinality(ref(element["contentReference"].lstrip("#")), element)
            return [name]
        added = []
        for found in element["type"]:
            property_name = name.replace("[x]", found["code"][0].upper() + found["code"][1:])
            self._add_property(properties, property_name, element, found)
            added.append(property_name)
        return added

    def _add_property(self, properties: Schema, name: str, element: Definition, found: Definition) -> None:
        target = self._target(element, found)
        if found["code"] in PRIMITIVES and found["code"] != "xhtml":
            if element["max"] == "*":
                self.defs[target + OR_NULL] = _or_null(self.defs[target])
                properties[name] = _cardinality(ref(target + OR_NULL), element)
                properties[f"_{name}"] = _cardinality(ref("Element.orNull"), element)
                return
            properties[f"_{name}"] = ref("Element")
        properties[name] = _cardinality(ref(target), element)

    def _target(self, element: Definition, found: Definition) -> str:
        """The name of the definition which one type of an element points at."""
        code = found["code"]
        if code == _SYSTEM_STRING:
            return _system_string(element["path"])
        if code in ("BackboneElement", "Element"):
            return str(element["path"])
        if code == "Reference":
            return self._targeted(found.get("targetProfile", []))
        if element.get("binding", {}).get("strength") == "required":
            return self._bound(code, element["binding"].get("valueSet", ""))
        return str(code)

    def _targeted(self, profiles: list[str]) -> str:
        targets = sorted({profile.rpartition("/")[2] for profile in profiles})
        if not targets or not set(targets) <= set(self.types):
            return "Reference"
        name = ".".join(("Reference", *targets))
        self.defs[name] = _targets(self.types, targets)
        return name

    def _bound(self, code: str, value_set: str) -> str:
        codes = self.bindings.codes(value_set)
        if codes is None or code not in ("code", "CodeableConcept"):
            return code
        name = f"{code}.{value_set.split('|')[0].rpartition('/')[2]}"
        self.defs[name] = _code(codes) if code == "code" else _concept(codes)
        return name

    def _extension_part(self) -> Schema:
        """An extension inside an extension may have a relative URL; one on an element may not."""
        outer = self.defs["Extension"]
        outer["properties"] = {**outer["properties"], "url": ref("uri.absolute")}
        outer["properties"]["extension"] = {**outer["properties"]["extension"], "items": ref("Extension.part")}
        return {**outer, "properties": {**outer["properties"], "url": ref("uri")}}


def _is_base_type(definition: Definition) -> bool:
    if definition.get("derivation") == "constraint" or definition["kind"] == "logical":
        return False
    return not definition["abstract"] or definition["type"] in ("Element",)


def _system_string(path: str) -> str:
    return "uri.absolute" if path == "Extension.url" else "Element.id"


def _has(name: str) -> Schema:
    return {"required": [name]}


def _cardinality(schema: Schema, element: Definition) -> Schema:
    if element["max"] == "1":
        return schema
    bounds: Schema = {"type": "array", "minItems": max(1, element["min"])}
    if element["max"] != "*":
        bounds["maxItems"] = int(element["max"])
    return {**bounds, "items": schema}


def _choice(element: Definition, names: list[str], properties: Schema) -> Iterator[Schema]:
    """At most one type of a choice, and at least one if it is required. Extension.value: in Python (ext-1)."""
    if element["path"] == "Extension.value[x]":
        return
    present = [
        {"anyOf": [_has(name), _has(f"_{name}")]} if f"_{name}" in properties else _has(name) for name in names
    ]
    if element["min"]:
        yield {"oneOf": present}
    else:
        keys = [key for name in names for key in (name, f"_{name}") if key in properties]
        yield {"if": {"anyOf": [_has(key) for key in keys]}, "then": {"oneOf": present}}


def _or_null(schema: Schema) -> Schema:
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    return {**schema, "type": [schema["type"], "null"]}


def _code(codes: Codes) -> Schema:
    return {"enum": sorted({code for listed in codes.values() for code in listed})}


def _concept(codes: Codes) -> Schema:
    """A required binding on a CodeableConcept: one of its codings is from the value set."""
    coding = [
        {"properties": {"system": {"const": system}, "code": {"enum": sorted(set(listed))}}}
        for system, listed in sorted(codes.items())
    ]
    member: Schema = {"required": ["system", "code"], **(coding[0] if len(coding) == 1 else {"anyOf": coding})}
    bound = {"required": ["coding"], "properties": {"coding": {"contains": member}}}
    return {**ref("CodeableConcept"), "anyOf": [bound]}


def _reference_text(types: list[str]) -> Schema:
    """https://hl7.org/fhir/R4/references.html#literal, and a conditional reference (/http.html#trules)."""
    absolute = rf"[A-Za-z][A-Za-z0-9+.\-]*:{VISIBLE}+"
    return text(rf"#(?:{ID})?|{absolute}|(?:{'|'.join(types)}){_TAIL}")


def _targets(types: list[str], targets: list[str]) -> Schema:
    """A Reference which, where it names an R4 type, names one that the element allows."""
    allowed = {"pattern": rf"(?:^|/)(?:{'|'.join(targets)}){_ENDS}"}
    return {
        **ref("Reference"),
        "properties": {
            "reference": {"if": ref("Reference.literal"), "then": allowed},
            "type": {"if": ref("Reference.typename"), "then": {"enum": targets}},
        },
    }
