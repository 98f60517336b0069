"""Enhanced Care Management: outreach, enrolment, reassessment, the counts of a quarter (docs/ecm.md)."""
