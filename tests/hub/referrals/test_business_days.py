"""The days on which people work in California, against the lists that the state published."""

from datetime import date

from hub.referrals.business_days import Workdays, holidays


def days(year: int, *said: str) -> set[date]:
    return {date.fromisoformat(f"{year}-{one}") for one in said}


def test_the_holidays_are_those_that_the_state_published() -> None:
    """CalHR's lists of 2013 and 2014: a Sunday goes to Monday, the day after Thanksgiving is one."""
    assert holidays(2013) == days(
        2013, "01-01", "01-21", "02-18", "04-01", "05-27", "07-04", "09-02", "11-11", "11-28", "11-29", "12-25"
    )
    assert holidays(2014) == days(
        2014, "01-01", "01-20", "02-17", "03-31", "05-26", "07-04", "09-01", "11-11", "11-27", "11-28", "12-25"
    )


def test_veterans_day_on_a_saturday_is_kept_on_friday_and_no_other_holiday_is() -> None:
    assert date(2023, 11, 10) in holidays(2023)
    assert date(2026, 7, 4) in holidays(2026)
    assert Workdays().is_work(date(2026, 7, 3))


def test_a_new_years_day_on_sunday_is_kept_on_monday() -> None:
    assert not Workdays().is_work(date(2023, 1, 2))


def test_juneteenth_and_admission_day_are_days_of_work_unless_a_deployment_says_otherwise() -> None:
    assert Workdays().is_work(date(2026, 6, 19))
    assert Workdays().is_work(date(2026, 9, 9))
    assert not Workdays((date(2026, 6, 19),)).is_work(date(2026, 6, 19))


def test_days_of_work_go_over_thanksgiving() -> None:
    worked = Workdays().after(date(2026, 11, 24))
    assert [next(worked) for _ in range(3)] == [date(2026, 11, 25), date(2026, 11, 30), date(2026, 12, 1)]
