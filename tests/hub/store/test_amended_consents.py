"""A Consent that is amended says something else in the same place: one row of the index becomes another one."""

from hub.search.values import date_range
from hub.store.engine import Database
from tests.hub.asking import Api, patient
from tests.hub.consenting import complete, consent
from tests.hub.sighted import api_of, caller, day, to
from tests.hub.test_whose import row_of


def agreed(when: str) -> dict[str, object]:
    what = complete(marked="HIV", period={"start": day(-30), "end": day(30)})
    of = to("Patient", "p")
    parts = {"id": "c", "patient": of, "performer": [of], "dateTime": when, "policyRule": {"text": "invented"}}
    return consent(what, **parts)


def signed(api: Api) -> list[int]:
    from sqlalchemy import select

    from hub.store.tables import index_consent

    rid = row_of(api, "Consent", "c").rid
    with api.database.read() as connection:
        asked = select(index_consent.c.signed).where(index_consent.c.rid == rid)
        return list(connection.execute(asked).scalars())


def test_an_amended_consent_counts_as_it_says_now(swept: Database) -> None:
    api = api_of(swept, {"harbor": caller()})
    api.have(patient("p"))
    for when in (day(-5), day(-4)):
        api.have(agreed(when))
        moment = date_range(when)
        assert moment is not None
        assert signed(api) == [moment[0]]
