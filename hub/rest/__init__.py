"""The FHIR REST API: ROUTES is the table, one file an interaction, Flask only in app.py."""
