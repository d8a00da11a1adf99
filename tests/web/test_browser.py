"""In a real browser: sign in by a link, be somebody, rate, see the page change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .browsing import browsing, check_page
from .conftest import World

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    with browsing(world.folder, tmp_path_factory.mktemp("browser") / "kept") as one:
        yield one


def test_somebody_new_rates_an_item_and_the_page_changes_in_place(page) -> None:  # type: ignore[no-untyped-def]
    page.goto("/")
    page.get_by_role("button", name="Be somebody new").click()
    page.get_by_role("heading", name="Somebody new").wait_for()
    page.evaluate("window.stayed = true")
    before = page.locator("#row-for-you").locator("xpath=ancestor::section").locator(".title").all_inner_texts()
    rated = page.locator(".title").first.inner_text()
    page.get_by_role("button", name=f"5 of 5 stars for {rated}").first.click()
    page.locator(".notice.good").wait_for()
    assert page.evaluate("window.stayed") is True
    after = page.locator("#row-for-you").locator("xpath=ancestor::section").locator(".title").all_inner_texts()
    assert after != before
    assert rated not in after
    assert page.locator(".card.changed").count() > 0
    assert f"just now because of {rated}" in page.locator(".why").all_inner_texts()[0]
    assert "No training ran" in page.locator("[role=status]").inner_text()
    assert page.complaints == []


def test_people_are_found_while_typing_and_an_item_opens_by_the_keyboard(page) -> None:  # type: ignore[no-untyped-def]
    page.goto("/")
    page.get_by_role("searchbox").fill("person 17")
    page.get_by_text("1 found").wait_for()
    page.get_by_role("link", name="Person 17").click()
    page.get_by_role("heading", name="Person 17").wait_for()
    page.locator(".card .open").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="More like this").wait_for()
    page.get_by_role("link", name="Person 17").click()
    page.get_by_text("Looked at").wait_for()
    assert page.complaints == []


@pytest.mark.parametrize(
    "address", ["/", "/people/user-1", "/people/user-1/items/film-1", "/people/user-1/lists", "/models", "/docs"]
)
@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_the_window_or_complains(page, address: str, width: int) -> None:  # type: ignore[no-untyped-def]
    check_page(page, address, width)
