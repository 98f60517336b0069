"""Referrals by file: answers of providers without FHIR, and what they are asked."""
