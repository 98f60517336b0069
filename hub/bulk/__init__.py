"""Bulk data: exports and imports of many resources, as jobs (docs/bulk.md)."""
