"""References show what they point to, under the pointer and at keyboard focus."""

import pytest
from test_browser import address, browser, pytestmark, visit  # noqa: F401

CHAPTER = "book/3_training/edge_of_stability"


@pytest.mark.parametrize(
    ("link", "shows"),
    [
        ("a[href='#prop-two-cycle']", "Proposition 9.2"),
        ("a[href='#equation-eq-selfstab']", "(9.1)"),
        ("a[href*='manifold_of_minima.html#prop-minima-balance']", "Proposition 8.5"),
        ("a[href*='references.html#']", "arXiv"),
    ],
)
@pytest.mark.parametrize("means", ["pointer", "keyboard"])
def test_a_reference_shows_what_it_points_to(visit, link, shows, means):  # noqa: F811
    page, complaints = visit(CHAPTER)
    anchor = page.locator(f"article a.reference{link[1:]}").first
    if means == "pointer":
        anchor.hover()
    else:
        anchor.evaluate("a => a.focus({focusVisible: true})")
    page.wait_for_selector("#preview", state="visible", timeout=10_000)
    assert shows in page.locator("#preview").inner_text()
    assert anchor.get_attribute("aria-describedby") == "preview"
    assert page.locator("#preview .math:not(:has(mjx-container))").count() == 0, "raw TeX"
    page.keyboard.press("Escape")
    assert not page.locator("#preview").is_visible() and not complaints
