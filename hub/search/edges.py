"""References as edges between resources, in a form that SQL can follow in both directions.

A resource has an address: a 64-bit number for its type and id. The index key of a reference to it is the key of
the parameter XOR that address, so that a statement can compute from a resource at hand which keys point at it;
and each resource lists the addresses it points at (`index_reference`), so that it can go the other way.
Rules: https://hl7.org/fhir/R4/search.html#chaining and #has. Only literal references to resources of this hub.
"""

from hub.search.hashes import key
from hub.search.parameters import Parameter
from hub.search.values import Reference


def address(resource_type: str, identity: str) -> int:
    """The number of a resource of this hub, whether it is stored yet or not."""
    return key("", "address", resource_type, identity)


def pointing(parameter: Parameter) -> int:
    """The half of a reference's key that the parameter gives."""
    return key(parameter.base, parameter.code, "r")


def reference_key(name: tuple[str, str], target: str, identity: str) -> int:
    """The index key of a reference to `target`/`identity` in the parameter (type, code)."""
    return key(*name, "r") ^ address(target, identity)


def edge(reference: Reference) -> set[int]:
    """The address a reference points at, if it points at a resource here."""
    target, value = reference
    return {address(target, value)} if target else set()
