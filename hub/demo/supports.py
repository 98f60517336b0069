"""The Community Supports (ILOS) of the demo: who delivers each, and its HCPCS and modifier pairs.

Rules: DHCS names of the 15 Community Supports; pairs as seen in a plan's reporting after the DHCS coding
guidance v1.3 (January 2026). That is second-hand: check the guidance before billing from this table.
A HCPCS code alone is ambiguous (H0043 and S5165 stand for several services), so a pair is never split up.
"""

from dataclasses import dataclass

from hub.demo.organizations import HOME, HOUSING, MEALS, RECUPERATIVE, Place


@dataclass(frozen=True, slots=True)
class Support:
    """`billing` are pairs (HCPCS, modifier); `domain` is a code of SDOHCC, empty where none fits."""

    slug: str
    name: str
    provider: Place
    billing: tuple[tuple[str, str], ...]
    domain: tuple[str, str] | None = None


HOUSING_DOMAIN = ("homelessness", "Homelessness")
FOOD_DOMAIN = ("food-insecurity", "Food Insecurity")
DWELLING_DOMAIN = ("inadequate-housing", "Inadequate Housing")

SUPPORTS = (
    Support(
        "housing-transition-navigation",
        "Housing Transition Navigation Services",
        HOUSING,
        (("H0043", "U6"), ("H2016", "U6")),
        HOUSING_DOMAIN,
    ),
    Support("housing-deposits", "Housing Deposits", HOUSING, (("H0044", "U2"),), HOUSING_DOMAIN),
    Support(
        "short-term-post-hospitalization-housing",
        "Short-Term Post-Hospitalization Housing",
        RECUPERATIVE,
        (("H0043", "U3"), ("H0044", "U3")),
        ("housing-instability", "Housing Instability"),
    ),
    Support(
        "recuperative-care",
        "Recuperative Care (Medical Respite)",
        RECUPERATIVE,
        (("T2033", "U6"),),
        HOUSING_DOMAIN,
    ),
    Support(
        "medically-tailored-meals",
        "Medically Tailored Meals / Medically Supportive Food",
        MEALS,
        (("S5170", "U6"), ("S9470", "U6"), ("S9977", "U6")),
        FOOD_DOMAIN,
    ),
    Support("asthma-remediation", "Asthma Remediation", HOME, (("S5165", "U5"),), DWELLING_DOMAIN),
    Support(
        "environmental-accessibility",
        "Environmental Accessibility Adaptations",
        HOME,
        (("S5165", "U6"),),
        DWELLING_DOMAIN,
    ),
    Support(
        "personal-care-homemaker",
        "Personal Care and Homemaker Services",
        HOME,
        (("S5130", "U6"), ("T1019", "U6")),
    ),
    Support(
        "community-or-home-transition",
        "Community or Home Transition Services",
        HOME,
        (("T2038", "U5"), ("H0044", "U5")),
    ),
)
BY_SLUG = {support.slug: support for support in SUPPORTS}
