"""The names of R4's choice elements and the types that a property's name may end with.

Rules: https://hl7.org/fhir/R4/formats.html#choice (`value[x]` is `valueQuantity` in JSON)
"""

_CHOICES = """
    abatement additive age allowed amount answer asNeeded author born bounds characteristic chargeItem code
    collected content created date deceased defaultValue definingSubstance definition detail diagnosis dose
    doseNumber due effective entity event example fastingStatus fixed identified indication item legallyBinding
    location manufacturer maxValue medication minValue minimumVolume module multipleBirth name occurred occurrence
    offset onset participantEffective pattern performed probability procedure product quantity rate reported
    scheduled seriesDoses serviced source start statusReason studyEffective subject substance target time timing
    topic used value when
"""
_TYPES = """
    Address Age Annotation Attachment Base64Binary Boolean Canonical Code CodeableConcept Coding ContactDetail
    ContactPoint Contributor Count DataRequirement Date DateTime Decimal Distance Dosage Duration Expression
    HumanName Id Identifier Instant Integer Markdown Meta Money Oid ParameterDefinition Period PositiveInt Quantity
    Range Ratio Reference RelatedArtifact SampledData Signature String Time Timing TriggerDefinition UnsignedInt
    Uri Url UsageContext Uuid
"""
CHOICES = frozenset(_CHOICES.split())
TYPE_SUFFIXES = frozenset(_TYPES.split())
