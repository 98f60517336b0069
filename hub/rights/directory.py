"""The resource types that belong to nobody: directory, knowledge, terminology and conformance.

Rules: https://hl7.org/fhir/R4/resourcelist.html and docs/access.md. They are in no Patient compartment of R4 and
have no element that names a patient, so that whoever may read the type may read all of them.
Refuses: every type not named here is about somebody until a patient is found for it (hub.sight.UNKNOWN).
"""

_NAMES = (
    # who, where and what there is to be had
    "Organization OrganizationAffiliation Practitioner PractitionerRole Location HealthcareService Endpoint",
    "InsurancePlan",
    # what a product or a substance is
    "Medication MedicationKnowledge Substance SubstanceNucleicAcid SubstancePolymer SubstanceProtein",
    "SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification MedicinalProduct",
    "MedicinalProductAuthorization MedicinalProductContraindication MedicinalProductIndication",
    "MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured MedicinalProductPackaged",
    "MedicinalProductPharmaceutical MedicinalProductUndesirableEffect CatalogEntry",
    # how things are done
    "ActivityDefinition ChargeItemDefinition DeviceDefinition EffectEvidenceSynthesis EventDefinition Evidence",
    "EvidenceVariable Library Measure ObservationDefinition PlanDefinition Questionnaire ResearchDefinition",
    "ResearchElementDefinition ResearchStudy RiskEvidenceSynthesis SpecimenDefinition",
    # terminology and conformance
    "CapabilityStatement CodeSystem CompartmentDefinition ConceptMap ExampleScenario GraphDefinition",
    "ImplementationGuide MessageDefinition NamingSystem OperationDefinition SearchParameter StructureDefinition",
    "StructureMap TerminologyCapabilities TestScript ValueSet",
)
# what says how FHIR is spoken here and what codes mean: whoever runs the hub changes it, nobody else
CONFORMANCE = frozenset(
    (
        *("CapabilityStatement", "CodeSystem", "CompartmentDefinition", "ConceptMap", "ExampleScenario"),
        *("GraphDefinition", "ImplementationGuide", "MessageDefinition", "NamingSystem", "OperationDefinition"),
        *("SearchParameter", "StructureDefinition", "StructureMap", "TerminologyCapabilities", "TestScript"),
        "ValueSet",
    )
)
DIRECTORY = frozenset(name for line in _NAMES for name in line.split())
