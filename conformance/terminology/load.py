"""The hub's terminology put together: loaded packages first, then R4's own, the hub's own, what clients stored."""

from pathlib import Path

from conformance.packages.catalog import Catalog
from conformance.terminology.library import Clients, Library
from conformance.terminology.own import own_resources
from conformance.terminology.sources import Listed, Packages, Shipped, Sources


def library(catalog: Catalog | None = None, local: Path | None = None, clients: Clients | None = None) -> Library:
    """`local` is HUB_TERMINOLOGY_DIR; `clients` looks a stored resource up by kind and URL. Raises ValueError."""
    packages: list[Sources] = [Packages(catalog)] if catalog is not None else []
    return Library([*packages, Shipped(), Listed(own_resources(local))], clients)
