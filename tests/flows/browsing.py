"""A person at Chromium: pages as they are shown, waited for as long as they take."""

import shutil
from collections.abc import Callable
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

BINARIES = {"chromium": "/usr/bin/chromium", "chromedriver": "/usr/bin/chromedriver"}
SECONDS = 20
LEAVING = (StaleElementReferenceException, ElementClickInterceptedException, ElementNotInteractableException)
GONE = "does not belong to the document"
"""What Chromium says of a stale element where chromedriver has no name for it yet: a bare WebDriverException."""


def missing() -> str:
    """Why there is no browser; empty where there is one."""
    lost = [name for name, path in BINARIES.items() if not (shutil.which(name) or Path(path).exists())]
    return f"not installed: {', '.join(lost)}" if lost else ""


def chromium() -> webdriver.Chrome:
    """A new one, without a window."""
    options = Options()
    options.binary_location = shutil.which("chromium") or BINARIES["chromium"]
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver") or BINARIES["chromedriver"]))
    driver.set_page_load_timeout(SECONDS)
    return driver


class Person:
    """Somebody who looks at pages and uses what is on them, and waits for what is not there yet.

    A click leads to a new page at some time after it; until then an element may be of the page that is leaving.
    """

    def __init__(self, driver: webdriver.Chrome):
        self.driver = driver

    def open(self, address: str) -> None:
        self.driver.delete_all_cookies()
        self.driver.get(address)

    def until(self, done: Callable[[webdriver.Chrome], bool], what: str) -> None:
        wait = WebDriverWait(self.driver, SECONDS, ignored_exceptions=(NoSuchElementException, *LEAVING))
        wait.until(lambda driver: staying(driver, done), what)

    def sees(self, text: str) -> None:
        self.until(
            lambda driver: text in driver.find_element(By.TAG_NAME, "body").text, f"{text} is not on the page"
        )

    def click(self, by: str, value: str) -> None:
        def clicked(driver: webdriver.Chrome) -> bool:
            driver.find_element(by, value).click()
            return True

        self.until(clicked, f"{value} is not on the page")

    def press(self, text: str) -> None:
        self.click(By.XPATH, f"//button[normalize-space()='{text}']")

    def choose(self, text: str) -> None:
        self.click(By.XPATH, f"//label[contains(., '{text}')]")

    def untick(self, value: str) -> None:
        self.click(By.CSS_SELECTOR, f"input[type=checkbox][value='{value}']")


def staying(driver: webdriver.Chrome, done: Callable[[webdriver.Chrome], bool]) -> bool:
    """`done`, and false where the page left while it was looked at."""
    try:
        return done(driver)
    except WebDriverException as error:
        if GONE in str(error.msg):
            return False
        raise
