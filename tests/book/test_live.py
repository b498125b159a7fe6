"""The live book: cells run in the page, on this machine, and nobody else gets at the kernels."""

import functools
import http.client
import http.server
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
from conftest import ROOT
from test_browser import Quiet, browser, needs_browser  # noqa: F401

CHAPTER = "book/3_training/gradient_descent"
TORCH = "book/2_propagation/memory"

pytestmark = pytest.mark.skipif(
    not importlib.util.find_spec("jupyter_server") and not os.environ.get("CI"),
    reason="no jupyter_server here: pip install -c requirements.txt -e '.[live]'",
)


class Server:
    """A live server in a process of its own."""

    def __init__(self, *options):
        with socket.socket() as free:  # two workers may test at the same time
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self.process = subprocess.Popen(
            [sys.executable, ROOT / "book/_live/server.py", "--port", port, *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said = ""
        while "/?token=" not in self.said:
            line = self.process.stdout.readline()
            assert line, f"the server ended: {self.said}"
            self.said += line
        host, port, self.token = re.search(r"http://(.+):(\d+)/\?token=(\S+)", self.said).groups()
        self.port, self.address = int(port), f"http://{host}:{port}"
        self.login = f"{self.address}/?token={self.token}"
        for _ in range(100):  # the address is said before the server listens
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            time.sleep(0.1)

    def ask(self, path, method="GET", **headers):
        """(status, body) of a request that is sent as it stands."""
        body = "{}" if method == "POST" else None
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")

    def kernels(self):
        return json.loads(self.ask("/api/kernels", Authorization=f"token {self.token}")[1])

    def end(self):
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def server(site):
    server = Server()
    yield server
    server.end()


@pytest.fixture
def known(server):
    """The headers of somebody who has the token."""
    return {"Authorization": f"token {server.token}"}


@pytest.mark.parametrize("path", ["/", "/book/index.html", "/_static/live/server.json", "/book/"])
def test_without_the_token_a_page_is_only_the_login_form(server, path):
    status, body = server.ask(path)
    assert status == 302 and not body


@pytest.mark.parametrize("headers", [{}, {"Authorization": "token wrong"}])
def test_without_the_token_no_kernel_is_listed_or_started(server, headers):
    assert server.ask("/api/kernels", **headers)[0] == 403
    assert server.ask("/api/kernels", "POST", **headers)[0] == 403
    assert server.kernels() == []


@pytest.mark.parametrize(
    "path",
    [
        "/../README.md",
        "/..%2f..%2fREADME.md",
        "/%2e%2e/executed.json",
        "//etc/passwd",
        "/README.md",
        "/_static/../../executed.json",
    ],
)
def test_nothing_outside_the_site_is_served(server, known, path):
    status, body = server.ask(path, **known)
    assert status in (403, 404) and "dsnnlib" not in body and "root:" not in body


@pytest.mark.parametrize(
    "path",
    [
        "/api/contents/README.md",
        "/api/terminals",
        "/api/config/notebook",
        "/api/me",
        "/files/README.md",
        "/metrics",
        "/nbconvert/html/README.md",
        "/terminals/websocket/1",
    ],
)
def test_of_jupyter_only_kernels_are_served(server, known, path):
    assert server.ask(path, **known)[0] == 404


def test_another_host_name_is_refused(server, known):
    assert server.ask("/book/index.html", Host="rebound.example", **known)[0] == 403


def test_the_token_ends_up_in_no_address_and_no_page(server):
    status, body = server.ask(f"/book/index.html?token={server.token}")
    assert status == 302 and not body


def test_only_this_machine_is_served_unless_told_otherwise(server):
    assert server.address.startswith("http://127.0.0.1:") and "WARNING" not in server.said
    wide = Server("--host", "0.0.0.0")
    wide.end()
    assert wide.said.startswith("WARNING: listening on 0.0.0.0")


@pytest.fixture
def reader(browser, server):  # noqa: F811
    """A browser in which the reader has followed the printed address."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.login)
    assert page.url == f"{server.address}/book/index.html"
    yield context
    context.close()
    deadline = time.monotonic() + 10
    while server.kernels() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert server.kernels() == [], "closing the page must stop its kernel"


@pytest.fixture
def live(reader, server):
    """live(docname) -> the page, with Python started; scripts must not complain."""
    complaints = []

    def open_page(name):
        page = reader.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda m: m.type == "error" and complaints.append(m.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda r: (
                r.url.startswith((server.address, "data:"))
                or complaints.append(f"outside request: {r.url}")
            ),
        )
        page.goto(f"{server.address}/{name}.html")
        page.get_by_role("button", name="Run this page live").click()
        page.locator(".live-bar[data-state=idle]").wait_for()
        return page

    yield open_page
    assert not complaints


def write(page, code, cell=0):
    """Replace a cell's code."""
    page.locator(".live-cell").nth(cell).get_by_role("button", name="Edit").click()
    page.get_by_label(f"Code of cell {cell + 1}", exact=True).fill(code)


def run(page, code, cell=0):
    """Replace a cell's code, run it with the keyboard, and return what it shows."""
    write(page, code, cell)
    page.keyboard.press("Shift+Enter")
    count = page.locator(".live-cell .live-count").nth(cell)
    page.wait_for_function("e => /^\\[\\d+\\]$/.test(e.textContent)", arg=count.element_handle())
    return page.locator(".live-cell .live-output").nth(cell)


@needs_browser
def test_a_chapter_runs_as_it_was_built(live):
    page = live(TORCH)
    witnesses = "els => els.map(e => e.id)"
    built = page.eval_on_selector_all(".witness", witnesses)
    page.get_by_role("button", name="Run all").click()
    page.get_by_text(re.compile("^Ready: all|^Stopped")).wait_for(timeout=240_000)
    assert page.get_by_role("status").inner_text().startswith("Ready: all")
    assert page.eval_on_selector_all(".live-output .witness", witnesses) == built
    assert page.locator(".live-output img").count() == page.locator(".cell figcaption").count()
    drawn = page.eval_on_selector_all(".live-output img", "all => all.map(i => i.naturalWidth)")
    assert min(drawn) > 0
    assert page.locator(".live-error").count() == 0


@needs_browser
@pytest.mark.parametrize("name, shown", [("numpy", "np.int64({})"), ("torch", "tensor({})")])
def test_an_edited_cell_runs_again_and_has_one_output(live, name, shown):
    page = live(TORCH)
    code = f"import {name}\nfor i in range(2):\n    print(i)\n{name}.arange(MANY).sum()"
    for many, total in (("4", 6), ("5", 10)):
        output = run(page, code.replace("MANY", many)).inner_text()
        assert output.split() == ["0", "1", shown.format(total)]


@needs_browser
def test_a_click_into_the_code_edits_it_there(live):
    page = live(CHAPTER)
    code = page.locator(".live-cell .cell_input pre").first
    before = code.inner_text().rstrip()
    code.click(position={"x": 20, "y": 25})
    page.keyboard.press("End")
    page.keyboard.type("\nprint(6 * 7)")
    box = page.get_by_label("Code of cell 1", exact=True)
    first, *others = before.splitlines()
    assert box.input_value() == "\n".join([first, "print(6 * 7)", *others])
    page.get_by_role("button", name="Run, cell 1", exact=True).click()
    page.locator(".live-stdout", has_text="42").wait_for()


@needs_browser
def test_python_works_in_the_folder_of_the_chapter(live):
    page = live(CHAPTER)
    shown = run(page, "import os, sys; print(os.getcwd(), sys.executable)").inner_text().split()
    assert shown == [str((ROOT / CHAPTER).parent), sys.executable]


@needs_browser
def test_an_error_is_shown_as_jupyter_shows_it(live):
    page = live(CHAPTER)
    error = run(page, "import sys\nprint('before', file=sys.stderr)\n1 / 0")
    assert error.locator(".live-stderr").inner_text().strip() == "before"
    trace = error.locator(".live-error").inner_text()
    assert "Traceback (most recent call last)" in trace and "----> 3 1 / 0" in trace
    assert trace.strip().endswith("ZeroDivisionError: division by zero")
    assert "\x1b" not in trace and error.locator(".ansi-c1").count() > 0


@needs_browser
def test_run_all_stops_at_the_first_error(live):
    page = live(CHAPTER)
    write(page, "no_such_name", 1)
    page.get_by_role("button", name="Run all").click()
    page.get_by_text("Stopped at cell 2").wait_for()
    assert page.locator(".live-output").nth(2).inner_text() == ""


@needs_browser
def test_run_to_here_runs_what_a_cell_needs(live):
    page = live(CHAPTER)
    page.get_by_role("button", name="Run to here, cell 3", exact=True).click()
    page.wait_for_function("document.querySelectorAll('.live-count')[2].textContent === '[3]'")
    assert page.locator(".live-count").nth(3).inner_text() == ""


@needs_browser
def test_restart_forgets_all_variables(live):
    page = live(CHAPTER)
    run(page, "kept = 1")
    page.get_by_role("button", name="Restart").click()
    page.locator(".live-bar[data-state=idle]").wait_for()
    assert "NameError: name 'kept' is not defined" in run(page, "kept", 1).inner_text()


@needs_browser
def test_a_running_cell_can_be_stopped(live):
    page = live(CHAPTER)
    write(page, "import time\nprint('on')\ntime.sleep(100)")
    page.keyboard.press("Shift+Enter")
    page.locator(".live-stdout").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.locator(".live-error", has_text="KeyboardInterrupt").wait_for()


@needs_browser
def test_a_progress_line_is_one_line(live):
    shown = run(live(CHAPTER), "for i in range(3):\n    print(f'\\r{i}', end='', flush=True)")
    assert shown.inner_text().strip() == "2"


@needs_browser
def test_a_static_site_offers_no_live_cells(browser, site):  # noqa: F811
    handler = functools.partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as static:
        threading.Thread(target=static.serve_forever, daemon=True).start()
        page = browser.new_page()
        with page.expect_response("**/_static/live/server.json"):
            page.goto(f"http://127.0.0.1:{static.server_port}/{CHAPTER}.html")
        page.wait_for_load_state("networkidle")
        assert page.locator("article button:has-text('Run')").count() == 0
        assert "make live" in page.locator(".live-bar").inner_text()
        page.close()
        static.shutdown()


ATTACK = """async (server) => {
  const got = {};
  const tries = {
    read: () => fetch(server + "/api/kernels", {credentials: "include"}).then((r) => r.text()),
    page: () => fetch(server + "/book/index.html", {credentials: "include"}).then((r) => r.text()),
    start: () => fetch(server + "/api/kernels", {method: "POST", credentials: "include",
      headers: {"Content-Type": "application/json", "X-XSRFToken": "x"}, body: "{}"}),
    blind: () => fetch(server + "/api/kernels" + location.search, {method: "POST",
      mode: "no-cors", credentials: "include", body: "{}"}),
    blindRead: () => fetch(server + "/api/kernels", {mode: "no-cors", credentials: "include"}),
    picture: () => new Promise((yes, no) => { const i = new Image(); i.onload = yes; i.onerror = no;
      i.src = server + "/_static/favicon.svg"; }),
    script: () => new Promise((yes, no) => { const s = document.createElement("script");
      s.onload = yes; s.onerror = no; s.src = server + "/_static/live/start.js";
      document.head.append(s); }),
    socket: () => new Promise((yes, no) => { const id = "/api/kernels/KERNEL/channels";
      const s = new WebSocket(server.replace("http", "ws") + id);
      s.onopen = yes; s.onerror = no; }),
  };
  for (const [name, attempt] of Object.entries(tries)) {
    got[name] = await attempt().then(() => "through", () => "refused");
  }
  return got;
}"""


@needs_browser
def test_a_page_from_another_origin_gets_nothing(live, reader, server, tmp_path):
    mine = live(CHAPTER)
    kernels = server.kernels()
    assert len(kernels) == 1
    cookies = {c["name"]: c["value"] for c in reader.cookies()}
    (tmp_path / "index.html").write_text("<!doctype html><title>elsewhere</title>")
    handler = functools.partial(Quiet, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as static:
        threading.Thread(target=static.serve_forever, daemon=True).start()
        page = reader.new_page()  # the reader's own browser, with the cookies
        # Cookies know no ports: the other page may even have read the one against forgery.
        page.goto(f"http://127.0.0.1:{static.server_port}/?_xsrf={cookies['_xsrf']}")
        got = page.evaluate(ATTACK.replace("KERNEL", kernels[0]["id"]), server.address)
        # An opaque answer cannot be read; what counts is that nothing was started.
        assert got.pop("blind") in ("through", "refused")
        assert set(got.values()) == {"refused"}, got
        page.set_content(f"<iframe src='{server.address}/{CHAPTER}.html'></iframe>")
        page.wait_for_timeout(500)
        assert not page.frames[1].url.startswith(server.address)
        page.set_content(
            f"<form method=post enctype=text/plain action='{server.address}/api/kernels"
            f"?_xsrf={cookies['_xsrf']}'><input name='{{}}' value=''></form>"
        )
        with page.expect_response("**/api/kernels*") as answer:
            page.evaluate("document.forms[0].submit()")
        assert answer.value.status in (403, 404)
        static.shutdown()
    assert [k["id"] for k in server.kernels()] == [kernels[0]["id"]]
    assert run(mine, "print(6 * 7)").inner_text().strip() == "42"
