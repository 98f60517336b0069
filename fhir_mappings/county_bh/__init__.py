"""County behavioral health: status records, CalOMS-style records, tools and consents -> FHIR R4."""
