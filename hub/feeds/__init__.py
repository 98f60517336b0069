"""Files and polled APIs: rows are kept as their source said them, and become FHIR subject by subject."""
