"""Names and places nobody bears: a reader must see at once that no person is meant.

Refuses nothing, but a test keeps common names out of these lists.
"""

GIVEN = {
    "female": (
        "Testina", "Exampla", "Fictiva", "Placeholda", "Dummina", "Specimena", "Synthia-Nova", "Mockelle",
        "Fixturine", "Prototypa", "Simulina", "Pretenda",
    ),
    "male": (
        "Samplo", "Testopher", "Mockwell", "Fauxbert", "Dummiel", "Specimo", "Placeholdrik", "Fixturio",
        "Examplon", "Syntheo", "Prototibor", "Simulon",
    ),
    "other": ("Sampel-Jo", "Testari", "Mockren", "Fauxlin"),
}  # fmt: skip
FAMILY_FIRST = (
    "Mockingbird", "Samplewood", "Testerton", "Fixture", "Fauxfield", "Placeholder", "Nonesuch",
    "Makebelieve", "Dummyvale", "Pretendham", "Specimen", "Inventley",
)  # fmt: skip
FAMILY_SECOND = (
    "Alder", "Willowtest", "Cedarmock", "Birchfaux", "Hazelsample", "Rowanfix", "Elmdummy", "Mapletoy",
    "Laurelfake", "Aspenproto",
)  # fmt: skip
STREETS = ("Nowhere Street", "Imaginary Avenue", "Placeholder Lane", "Sample Road", "Fictional Way")
CITIES = ("Exampleville", "Sampleton", "Testburg")
COUNTY = "Example County"
STATE = "CA"
POSTAL_CODE = "00000"  # no post office has it


def phone(number: int) -> str:
    """One of the hundred numbers 555-0100 to 555-0199, which are kept for fiction."""
    return f"(555) 555-01{number % 100:02d}"


def email(local: str) -> str:
    """An address below example.org, which RFC 2606 keeps for examples."""
    return f"{local}@example.org"
