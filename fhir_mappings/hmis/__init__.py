"""HUD HMIS CSV rows -> FHIR. Pure functions and tables (docs/hmis.md, docs/hmis-mapping.md)."""
