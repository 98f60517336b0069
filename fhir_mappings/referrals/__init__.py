"""What somebody wrote into the form for referrals, as FHIR."""
