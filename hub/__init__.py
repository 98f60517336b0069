"""The FHIR façade and its core. Knows FHIR; knows no source, no OAuth, no profile."""
