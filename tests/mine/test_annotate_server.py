"""The annotation page in a real browser, and its doors against other sites."""

import shutil
from pathlib import Path

import httpx
import pytest

from .annotated import Server, counted_run, logged

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
needs_browser = pytest.mark.skipif(
    not Path(CHROMIUM).exists(), reason="needs Chromium (apt install chromium)"
)


@pytest.fixture
def server(tmp_path):
    one = Server(counted_run(tmp_path / "run"))
    yield one
    one.kill()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as driver:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        found = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield found
        found.close()


def opened(browser, url: str):
    """The page in a browser of its own, with what went wrong in it."""
    page = browser.new_context().new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("dialog", lambda dialog: page.faults.append(dialog.message))
    page.goto(url)
    page.wait_for_selector("#rows .row")
    return page


def decision(page, prefix: str) -> str:
    rows = page.locator("#rows .row")
    at = rows.evaluate_all("(all, p) => all.findIndex(one => one.dataset.prefix === p)", prefix)
    return rows.nth(at).locator(".decision").inner_text()


def wait_for(page, prefix: str, text: str) -> None:
    page.wait_for_function(
        "([prefix, text]) => [...document.querySelectorAll('#rows .row')].some("
        "row => row.dataset.prefix === prefix && row.lastChild.innerText.includes(text))",
        arg=[prefix, text],
    )


@needs_browser
def test_marked_with_keys_undone_and_filtered(browser, server, tmp_path):
    page = opened(browser, server.url)
    names = page.locator("#rows .row").evaluate_all("all => all.map(one => one.dataset.prefix)")
    assert names[:4] == ["good.org/", "mixed.net/", "mixed.net/maths/", "mixed.net/news/"]
    assert page.locator("h1").inner_text() == "Which prefixes hold mathematics?"
    page.keyboard.press("m")
    page.keyboard.press("j")
    # The cursor went on after the first decision: j passes mixed.net/.
    page.keyboard.press("m")
    page.keyboard.press("n")
    wait_for(page, "mixed.net/news/", "not math")
    assert decision(page, "good.org/").split() == ["math", "ann"]
    page.keyboard.press("u")
    page.wait_for_function("() => document.querySelector('#notice').innerText.startsWith('Taken')")
    page.keyboard.press("n")
    wait_for(page, "mixed.net/news/", "not math")
    page.keyboard.press("u")
    page.wait_for_function("() => document.querySelector('#notice').innerText.startsWith('Taken')")
    assert decision(page, "mixed.net/news/") == ""
    page.keyboard.press("/")
    page.keyboard.type("mixed")
    page.wait_for_function("() => document.querySelectorAll('#rows .row').length === 3")
    page.keyboard.press("Escape")
    page.keyboard.press("K")
    page.keyboard.press("m")
    wait_for(page, "mixed.net/", "ann")
    told = [(one["kind"], one["prefix"], one["label"]) for one in logged(tmp_path / "run")]
    assert told[:3] == [
        ("decide", "good.org/", "math"),
        ("decide", "mixed.net/maths/", "math"),
        ("decide", "mixed.net/news/", "other"),
    ]
    assert [one[0] for one in told[3:]] == ["undo", "decide", "undo", "decide"]
    assert not page.faults


@needs_browser
def test_samples_show_formulas_and_hostile_text_does_nothing(browser, server):
    page = opened(browser, server.url)
    page.keyboard.press("o")
    frame = page.frame_locator("#page")
    frame.locator("math msqrt").first.wait_for()
    page.keyboard.press("/")
    page.keyboard.type("evil")
    page.wait_for_function("() => document.querySelectorAll('#rows .row').length === 1")
    page.keyboard.press("Escape")
    page.keyboard.press("o")
    frame.locator("math munderover, math msubsup").first.wait_for()
    assert "<script>window.parent.hit" in frame.locator("body").inner_text()
    assert page.locator("#samples-list a[href^='javascript']").count() == 0
    assert page.locator("#samples-list .url", has_text="javascript:").count() == 1
    shown = page.frames[1]
    assert shown.locator("script, img, svg, a, [onerror], [onload], [href]:not(link)").count() == 0
    for _ in range(8):
        page.keyboard.press("o")
    page.wait_for_timeout(300)
    assert page.title().startswith("Annotate")
    assert page.evaluate("window.hit") is None
    # What the page's own policy says to mark-up that would run, were it ever inserted.
    refused = page.evaluate(
        "() => { try { document.body.innerHTML = '<img src=x onerror=\"window.hit=1\">' }"
        " catch (error) { return error.name } }"
    )
    assert refused == "TypeError"
    assert not page.faults


@needs_browser
def test_a_killed_server_has_lost_nothing_and_open_pages_go_on(browser, tmp_path):
    run = counted_run(tmp_path / "run")
    first = Server(run)
    page = opened(browser, first.url)
    page.keyboard.press("m")
    wait_for(page, "good.org/", "ann")
    first.kill()
    page.keyboard.press("n")
    page.wait_for_selector("#notice.bad")
    again = Server(run, port=first.port)
    try:
        page.wait_for_function("() => !document.querySelector('#notice').classList.contains('bad')")
        assert decision(page, "good.org/").split() == ["math", "ann"]
        assert decision(page, "mixed.net/") == ""
        page.keyboard.press("n")
        wait_for(page, "mixed.net/", "not math")
    finally:
        again.kill()


@needs_browser
def test_two_at_once_see_each_other_and_both_are_kept(browser, server, tmp_path):
    ann, bob = opened(browser, server.url), opened(browser, server.url)
    bob.fill("#who", "bob")
    bob.locator("#rows .row").first.click()
    ann.keyboard.press("m")
    wait_for(bob, "good.org/", "ann")
    bob.keyboard.press("n")
    wait_for(ann, "good.org/", "bob")
    assert decision(ann, "good.org/").split() == ["not", "math", "bob"]
    assert [one["who"] for one in logged(tmp_path / "run")] == ["ann", "bob"]
    bob.keyboard.press("u")
    wait_for(ann, "good.org/", "ann")
    assert not ann.faults + bob.faults


@needs_browser
def test_finishing_the_round_is_asked_for_and_noted(browser, server, tmp_path):
    page = opened(browser, server.url)
    page.keyboard.press("F")
    page.click("#confirm-no")
    assert not (tmp_path / "run/annotations.jsonl").exists()
    page.keyboard.press("F")
    page.click("#confirm-yes")
    page.wait_for_selector("#finish:disabled")
    assert [(one["kind"], one["round"]) for one in logged(tmp_path / "run")] == [("finish", 1)]


def test_only_the_page_itself_may_ask(server):
    change = {"prefix": "good.org/", "label": "math", "who": "ann"}
    cookie = f"annotate-{server.port}={server.token}"
    ours = {"cookie": cookie, "x-annotate": "1", "origin": server.base}

    def status(method: str, path: str, **headers: str) -> int:
        sent = {k.replace("_", "-"): v for k, v in headers.items() if v}
        body = change if method == "POST" else None
        return httpx.request(method, server.base + path, json=body, headers=sent).status_code

    assert status("GET", "/api/hosts") == 403
    assert status("GET", "/api/hosts", cookie=f"annotate-{server.port}=guess") == 403
    assert status("GET", "/api/hosts", cookie=cookie) == 200
    assert status("GET", "/?token=guess") == 403
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example", "a b"):
        assert status("GET", "/api/hosts", cookie=cookie, host=host) == 421
    assert status("GET", "/api/hosts", cookie=cookie, host=f"localhost:{server.port}") == 200
    without = {k.replace("-", "_"): v for k, v in ours.items()}
    assert status("POST", "/api/decide", **without | {"x_annotate": ""}) == 403
    assert status("POST", "/api/decide", **without | {"origin": "http://evil.example"}) == 403
    assert status("POST", "/api/decide", **without | {"cookie": ""}) == 403
    assert status("GET", "/api/decide", **without) == 405
    assert status("POST", "/api/decide", **without) == 200


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("decide", {"prefix": "good.org/", "label": "maybe", "who": "ann"}, "math, other"),
        ("decide", {"prefix": "good.org", "label": "math", "who": "ann"}, "prefix"),
        ("decide", {"prefix": 3, "label": "math", "who": "ann"}, "prefix"),
        ("decide", [], "prefix"),
        ("undo", {}, "who"),
        ("finish", {"round": "7", "who": "ann"}, "no longer"),
        ("decide", {"prefix": "x" * 70_000, "label": "math", "who": "ann"}, "too long"),
    ],
)
def test_bad_requests_are_told_what_is_wrong(server, path, body, says):
    headers = {
        "cookie": f"annotate-{server.port}={server.token}",
        "x-annotate": "1",
        "origin": server.base,
    }
    answer = httpx.post(f"{server.base}/api/{path}", json=body, headers=headers)
    assert answer.status_code == 400
    assert says in answer.json()["error"]


def test_answers_forbid_scripts(server):
    headers = {"cookie": f"annotate-{server.port}={server.token}"}
    page = httpx.get(server.base + "/", headers=headers)
    policy = page.headers["content-security-policy"]
    assert f"script-src {server.base}/annotate.js;" in policy
    assert "unsafe" not in policy
    sample = httpx.get(server.base + "/sample?shard=00000&row=27", headers=headers)
    assert "script-src" not in sample.headers["content-security-policy"]
    assert "sandbox" in sample.headers["content-security-policy"]
    assert "<script" not in sample.text
    for bad in ("shard=../x&row=0", "shard=00009&row=0", "shard=00000&row=-1", "row=1"):
        assert httpx.get(f"{server.base}/sample?{bad}", headers=headers).status_code == 404
