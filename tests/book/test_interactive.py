"""Figures with sliders: what they draw, against closed forms, and what they do in a browser."""

import functools
import json
import math
import re

import interactive
import numpy as np
import pytest
import test_browser
from bs4 import BeautifulSoup
from scipy.special import i0e, i1e
from test_build import Book

PAGES = {
    "two-weights": "book/1_introduction/two_systems",
    "shear": "book/2_propagation/universal_embedding",
    "delay": "book/2_propagation/memory",
    "uv-model": "book/3_training/gradient_descent",
    "sgd": "book/3_training/stochastic_gradient_descent",
    "kuramoto": "book/4_mean_field/kuramoto_networks",
    "diffusion": "book/5_outlook/generative_models",
}
DATA_LIMIT = 150_000  # bytes
ROUNDING = 2 / 1000  # of an axis, as drawing.py rounds

address, browser, visit = test_browser.address, test_browser.browser, test_browser.visit
in_browser = test_browser.needs_browser
compute = functools.cache(interactive.compute)


def drawn(frame, panel, look):
    """The points of all layers of this look, in one panel of a frame, (2, n)."""
    layers = [layer for layer in frame.panels[panel] if layer.look == look]
    return np.hstack([[layer.x, layer.y] for layer in layers]) if layers else np.empty((2, 0))


# What is drawn


def test_gradient_descent_finds_no_minimum_outside_its_circle():
    for frame in compute("uv-model").frames:
        eta, (u, v) = frame.facts["eta"], frame.facts["end"]
        held = drawn(frame, 0, "green thick")
        inside = held[:, np.isfinite(held[1])]
        assert (inside.prod(0) == pytest.approx(1)) and ((inside**2).sum(0) < 2 / eta).all()
        assert (inside.size > 0) == (eta < 1)  # where 2 / eta exceeds the least sharpness, 2
        if np.isfinite(u) and abs(u * v - 1) < 1e-6:
            hessian = [[v * v, 2 * u * v - 1], [2 * u * v - 1, u * u]]
            assert np.linalg.eigvalsh(hessian)[-1] < 2 / eta
            assert f"{u * u + v * v:.2f}" in frame.says


def test_beyond_the_edge_the_orbit_reaches_the_two_cycle():
    cycles = [f for f in compute("uv-model").frames if "between two points" in f.says]
    assert len(cycles) >= 3
    for frame in cycles:
        (p, _), (q, _) = frame.facts["orbit"][-2:]
        eta = frame.facts["eta"]
        assert [p * q, p * p + q * q] == pytest.approx([1 / eta, (1 + eta) / eta], abs=1e-3)


def test_states_meet_where_the_polynomial_pieces_vanish():
    for frame in compute("delay").frames:
        k, zero = frame.facts["capacity"], frame.facts["zero"]
        assert math.isinf(zero) == (k <= 1 / math.e)
        assert ("never meet" in frame.says) == math.isinf(zero)
        if math.isfinite(zero):
            n = math.floor(zero)
            terms = [(-k) ** j * (zero - j + 1) ** j / math.factorial(j) for j in range(n + 2)]
            assert sum(terms) == pytest.approx(0, abs=1e-9)
        _, curves = drawn(frame, 0, "orange")
        assert (np.nanmin(curves) < 0) == (zero < 5.9)


def test_the_three_exponents_change_sign_at_their_thresholds():
    for frame in compute("sgd").frames:
        eta = frame.facts["eta"]
        signs = np.sign(np.round(frame.facts["exponents"], 12))
        assert list(signs) == list(np.sign([eta - 2, eta - 2.42124952, eta - 2 / 3]))
        assert ("SGD returns" in frame.says) == (eta < 2.42124952)
    *_, best = min((abs(f.facts["eta"] - 2.1), f.facts["back"]) for f in compute("sgd").frames)
    assert best >= 0.8


def test_the_order_of_the_crowd_solves_its_equation():
    for frame in compute("kuramoto").frames:
        K, N, r = frame.facts["K"], frame.facts["N"], frame.facts["limit"]
        assert (r > 0) == (8 / math.pi < K**2) == ("into step" in frame.says)
        x = (K * r) ** 2 / 4  # for Gaussian frequencies the integral is a Bessel function
        assert r == pytest.approx(math.sqrt(math.pi / 8) * K * r * (i0e(x) + i1e(x)), abs=1e-9)
        if N == 1000:  # fluctuations of the order 1 / sqrt(N), larger near the threshold
            assert abs(frame.facts["order"] - r) < (0.15 if abs(K - 1.6) < 0.3 else 0.08)


def test_the_drift_has_three_zeros_from_the_pitchfork_on():
    for frame in compute("diffusion").frames:
        t, gamma = frame.facts["t"], frame.facts["gamma"]
        a, onset = math.exp(-2 * t), math.sqrt(gamma**2 + gamma) - gamma
        zeros = frame.facts["zeros"]
        assert len(zeros) == (3 if a > onset else 1)
        assert ("After" in frame.says) == (a > onset)
        score = (-zeros + math.sqrt(a) * np.tanh(math.sqrt(a) * zeros / (1 - a))) / (1 - a)
        np.testing.assert_allclose(zeros + (1 + gamma) * score, 0, atol=1e-9)
        x, density = drawn(frame, 1, "blue")
        inside = np.isfinite(x)
        assert np.trapezoid(density[inside], x[inside]) == pytest.approx(1, abs=0.02)


def test_the_drawn_network_is_the_network():
    figure = compute("two-weights")
    for frame in figure.frames:
        u, v = frame.facts["theta"]
        h = np.linspace(-1.5, 1.5, 13)
        for _ in range(40):
            h = h + 0.1 * (-h + u * np.tanh(v * h))
        np.testing.assert_allclose(frame.facts["states"][:, -1], h, atol=1e-12)
        assert (frame.facts["slope"] > 1) == (u * v > 1) == ("by their sign" in frame.says)
    before, after = (figure.frames[figure.start - i].facts["theta"].prod() for i in (1, 0))
    assert before <= 1 < after  # it opens at the first step beyond the pitchfork


def test_only_the_plane_has_room_for_the_parabola():
    for frame in compute("shear").frames:
        read, square = frame.facts["read"], frame.facts["grid"] ** 2
        error = np.abs(read - square).max()
        assert f"{error:.2f}" in frame.says or error == 0
        if frame.facts["m"] == 1:
            assert (np.diff(read) > 0).all() and error >= 0.5
        else:
            assert error == pytest.approx(1 - frame.facts["t"])


# What lies in the site


@pytest.mark.parametrize("name", PAGES)
def test_the_numbers_beside_the_page_are_small_and_those_of_the_figure(site, name):
    text = (site / f"{PAGES[name]}.html").with_name(f"{name}.js").read_text(encoding="utf8")
    assert len(text.encode()) < DATA_LIMIT
    data = json.loads(re.fullmatch(rf'interactiveFigure\("{name}", (.*)\);\n', text)[1])
    figure = compute(name)
    settings = math.prod(len(slider.settings) for slider in figure.sliders)
    assert len(data["frames"]) == len(data["says"]) == len(figure.frames) == settings
    for frame, stored in zip(figure.frames, data["frames"], strict=True):
        for panel, layers, numbers in zip(figure.panels, frame.panels, stored, strict=True):
            for layer, index in zip(layers, numbers, strict=True):
                kind, look, x, y, _ = data["layers"][index]
                assert (kind, look) == (layer.kind, layer.look)
                for axis, exact, place in ((panel.x, layer.x, x), (panel.y, layer.y, y)):
                    length = abs(axis.high - axis.low)
                    low, high = sorted((axis.low, axis.high))
                    exact = np.clip(exact, low - length, high + length)
                    found = np.array(data["numbers"][place], dtype=float)
                    np.testing.assert_allclose(found, exact, atol=ROUNDING * length)


def test_only_pages_with_such_a_figure_load_the_script(site):
    loading = {
        path.relative_to(site).with_suffix("").as_posix()
        for path in site.glob("book/**/*.html")
        if re.search(r"src=\"[^\"]*interactive\.js", path.read_text(encoding="utf8"))
    }
    assert loading == set(PAGES.values())


@pytest.mark.parametrize("name", PAGES)
def test_the_still_picture_has_a_caption_a_number_and_an_alt_text(site, name):
    page = BeautifulSoup((site / f"{PAGES[name]}.html").read_bytes(), "html.parser")
    figure = page.select_one("figure.has-sliders")
    assert figure.select_one("figcaption .caption-number").text.startswith("Fig.")
    assert figure["id"].startswith("fig-")
    assert len(figure.select_one(".panels[role=img]")["aria-label"]) > 100
    assert figure.select_one(".controls").has_attr("hidden")
    for slider in figure.select("input"):
        assert figure.select_one(f"label[for={slider['id']}]").text
        assert figure.find(id=slider["aria-describedby"]).text


def test_a_figure_without_alt_text_caption_or_module_fails_the_build(tmp_path):
    alt = ":alt: A straight line that rises from zero to one.\n"
    code, said = Book(tmp_path).build(
        f":::{{interactive}} one\n\nA line.\n:::\n\n:::{{interactive}} two\n{alt}:::\n\n"
        f":::{{interactive}} three\n{alt}\nA line.\n:::\n"
    )
    assert code != 0
    for complaint in ("one has no alt text", "two has no caption", "no interactive figure three"):
        assert complaint in said, said


# What it does in a browser


def markup(page):
    return page.eval_on_selector_all(".interactive g.moving", "all => all.map(g => g.innerHTML)")


def wake(page):
    """Scroll to the figure, wait for its sliders, and return them."""
    page.locator(".interactive").scroll_into_view_if_needed()
    page.wait_for_selector(".interactive .controls", state="visible")
    return page.locator(".interactive input").all()


@in_browser
@pytest.mark.parametrize("view", test_browser.VIEWS)
@pytest.mark.parametrize("name", PAGES)
def test_each_slider_moved_by_keyboard_changes_drawing_and_words(visit, name, view):
    page, complaints = visit(PAGES[name], view)
    still, says = markup(page), page.locator(".says")
    for slider in wake(page):
        before, value = says.inner_text(), slider.get_attribute("aria-valuetext")
        slider.focus()
        assert slider.evaluate("s => getComputedStyle(s).outlineStyle") == "solid"
        key, back = ("ArrowLeft", "ArrowRight")
        page.keyboard.press(key)
        assert markup(page) != still
        assert says.inner_text() != before
        now = slider.get_attribute("aria-valuetext")
        assert now != value
        assert page.locator(f"output[for={slider.get_attribute('id')}]").inner_text() == now
        page.keyboard.press(back)
        assert markup(page) == still, "the script draws the first frame in another way"
        assert says.inner_text() == before
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0 and not complaints


@in_browser
def test_nothing_moves_until_play_is_pressed(visit):
    page, _ = visit(PAGES["shear"])
    slider = wake(page)[-1]
    value = slider.input_value()
    page.wait_for_timeout(800)
    assert slider.input_value() == value
    play = page.locator(".interactive .play")
    play.click()
    page.wait_for_function(
        "v => document.querySelectorAll('.interactive input')[1].value > v", arg=value
    )
    assert play.inner_text() == "Stop"
    play.click()
    stopped = slider.input_value()
    page.wait_for_timeout(800)
    assert slider.input_value() == stopped and play.inner_text() == "Play: depth t/T"


@in_browser
def test_without_motion_there_is_no_play(visit):
    page, _ = visit(PAGES["shear"])
    page.emulate_media(reduced_motion="reduce")
    page.reload()
    assert wake(page)
    assert page.locator(".interactive .play").is_hidden()


@in_browser
def test_on_paper_the_picture_stands_without_controls(visit):
    page, _ = visit(PAGES["uv-model"])
    wake(page)
    page.emulate_media(media="print")
    assert page.locator(".interactive .controls").is_hidden()
    assert page.locator(".interactive .panels > svg").first.is_visible()
    assert page.locator(".interactive .says").is_visible()


@in_browser
@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_the_still_picture_is_there(browser, address, name):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(address + PAGES[name] + ".html", wait_until="load")
    figure = page.locator(".interactive")
    assert figure.locator(".controls").is_hidden()
    assert figure.locator(".says").is_visible()
    picture = figure.get_by_role("img")  # the only one: its parts are hidden from readers
    assert len(picture.get_attribute("aria-label")) > 100
    for panel in picture.locator("> svg").all():
        assert panel.bounding_box()["width"] > 300
        assert panel.locator("g.moving > *").count() > 0
    context.close()


@in_browser
def test_a_page_opened_from_a_disk_has_its_sliders(browser, site):
    context = browser.new_context()
    page = context.new_page()
    page.goto((site / f"{PAGES['uv-model']}.html").as_uri(), wait_until="load")
    (slider,) = wake(page)
    still = markup(page)
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert markup(page) != still
    context.close()
