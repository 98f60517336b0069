"""The versions of HL7 v2 that are read, and what each does its own way.

Rules: MSH-12, HL7 table 0104. The listener refuses others (AR 203). One reader serves all: older versions leave out
components, later ones add segments, and no field that is read here changed its place.
"""

from collections.abc import Mapping

VERSIONS: Mapping[str, str] = {
    "2.1": "as 2.3, with plain codes where later versions have components",
    "2.2": "as 2.1; the assigning authority in CX.4 as in 2.3",
    "2.3": "PID-2 and PID-4 hold further numbers of the patient; MSH-9 has no third component; DG1-2 names the "
    "coding system of DG1-3; PD1-4 the primary care provider; ROL instead of PRT",
    "2.3.1": "as 2.3",
    "2.4": "as 2.3.1; EVN-7 names the facility of the event; IAM beside AL1",
    "2.5": "as 2.4; family names and streets have subcomponents, the first is read; of a TS its first component",
    "2.5.1": "as 2.5",
    "2.6": "as 2.5.1; CWE instead of CE: the same first three components",
    "2.7": "PRT beside ROL; A34, PID-2, PID-4, PID-9, XTN.1 withdrawn, read where they still come; XTN.12, PID-40",
    "2.7.1": "as 2.7",
    "2.8": "as 2.7.1; ROL only for those who still send it",
    "2.8.1": "as 2.8",
    "2.8.2": "as 2.8",
}
