"""The server behind ``seekmath annotate``: one page, its script, and what the script asks for.

Crawled text is hostile. It reaches the page as JSON, which the script sets as text, and as sample
pages in a frame without scripts; the content security policy allows the page's own script file and
nothing else. Requests need the token of the address that the command prints, a Host header that no
other site can have resolved here, and, to change anything, a header that no other site can send.
"""

import ipaddress
import json
import os
import secrets
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seekmath.core.files import BadInput
from seekmath.core.formulas import with_formulas
from seekmath.mine.annotated_run import AnnotatedRun, Sample, as_rows, user_name

_STATIC = {
    "/annotate.js": "text/javascript; charset=utf-8",
    "/annotate.css": "text/css; charset=utf-8",
}
_CHANGES = b"x-annotate"
_MOST_HOSTS = 200
_LONGEST_BODY = 64 << 10
_SAMPLE_CHARACTERS = 12_000
_TITLE_CHARACTERS = 120


def serve(
    run: AnnotatedRun,
    host: str,
    port: int,
    names: tuple[str, ...],
    who: str,
    say: Callable[[str], None],
) -> None:
    """Serve the page until interrupted.

    Raises:
        BadInput: the address cannot be listened at.
    """
    token = _token(run.folder)
    config = uvicorn.Config(
        make_app(run, names, token, who or user_name()), host, port, log_level="warning"
    )
    try:
        listening = config.bind_socket()
    except (OSError, SystemExit):
        raise BadInput(f"--port: cannot listen at {host}:{port}; name another") from None
    # Connections wait from here on, so that the address works as soon as it is said.
    listening.listen(128)
    shown = f"[{host}]" if ":" in host else host
    say(f"round {run.number}: http://{shown}:{listening.getsockname()[1]}/?token={token}")
    uvicorn.Server(config).run(sockets=[listening])


def make_app(run: AnnotatedRun, names: tuple[str, ...], token: str, who: str) -> ASGIApp:
    """The application; ``names`` are the host names, besides addresses, that it answers to."""
    page = _Page(run, who)
    routes = [
        Route("/", page.index),
        Route("/api/hosts", page.hosts),
        Route("/api/state", page.state),
        Route("/api/samples", page.samples),
        Route("/sample", page.sample),
        Route("/api/decide", page.decide, methods=["POST"]),
        Route("/api/undo", page.undo, methods=["POST"]),
        Route("/api/finish", page.finish, methods=["POST"]),
        *(Route(path, _static) for path in _STATIC),
    ]
    app = Starlette(routes=routes, exception_handlers={BadInput: _refused})
    return _Guard(app, frozenset(name.lower() for name in names), token)


class _Page:
    """What the page asks for; the decisions on disk are its only state."""

    def __init__(self, run: AnnotatedRun, who: str) -> None:
        self._run = run
        self._who = who

    async def index(self, request: Request) -> Response:
        return Response(_read("annotate.html"), media_type="text/html; charset=utf-8")

    def hosts(self, request: Request) -> Response:
        """Hosts of which a prefix holds the filter's text, in order of yield."""
        text = request.query_params.get("filter", "").strip().lower()
        hosts = self._run.hosts()
        found = [rows for rows in hosts if not text or any(text in r.prefix.lower() for r in rows)]
        return JSONResponse(
            {
                "hosts": [as_rows(rows) for rows in found[:_MOST_HOSTS]],
                "found": len(found),
                "of": len(hosts),
                "round": self._run.number,
            }
        )

    def state(self, request: Request) -> Response:
        """Every decision that holds; 204 where nothing has changed since ``version``."""
        run = self._run
        version = f"{len(run.decisions.lines())}.{run.number}"
        if request.query_params.get("version") == version:
            return Response(status_code=204)
        standing = {
            prefix: {"label": one.label, "who": one.who, "when": one.when, "round": one.round}
            for prefix, one in run.decisions.standing().items()
        }
        return JSONResponse(
            {
                "version": version,
                "decisions": standing,
                "round": run.number,
                "waits": run.waits,
                "who": self._who,
                "run": run.folder.resolve().name,
                "domain": run.domain,
            }
        )

    def samples(self, request: Request) -> Response:
        """Sample pages under a prefix, with their titles."""
        prefix = request.query_params.get("prefix", "")
        found = self._run.samples(prefix)
        rows = [
            {
                "shard": one.shard,
                "row": one.row,
                "url": one.url,
                "link": _link(one.url),
                "score": round(one.score, 3),
                "collected": one.collected,
                "title": title(self._run.text(one)),
            }
            for one in found
        ]
        return JSONResponse({"samples": rows})

    def sample(self, request: Request) -> Response:
        """One sample page, its text escaped and its formulas as MathML."""
        query = request.query_params
        shard, row = query.get("shard", ""), query.get("row", "")
        if not (shard.isascii() and shard.isdigit() and row.isascii() and row.isdigit()):
            return Response("no such page", 404)
        if not (self._run.folder / "shards" / f"{shard}.parquet").exists():
            return Response("no such page", 404)
        text = self._run.text(Sample(shard, int(row), "", 0.0, False))
        body = with_formulas(text[:_SAMPLE_CHARACTERS])
        more = len(text) - _SAMPLE_CHARACTERS
        if more > 0:
            body += Markup("<p class=more>… {:,} more characters</p>").format(more)
        page = Markup(
            '<!doctype html><html><head><meta charset="utf-8"><title>sample</title>'
            '<link rel="stylesheet" href="/annotate.css"></head><body class="sample">{}</body>'
            "</html>"
        ).format(body)
        raw = page.encode("utf-8", errors="replace")
        return Response(raw, media_type="text/html; charset=utf-8")

    async def decide(self, request: Request) -> Response:
        """Note a decision; it is on disk when this answers."""
        body, run = await _body(request), self._run
        made = await run_in_threadpool(
            run.decisions.decide, body["prefix"], body["label"], body["who"], run.number
        )
        return JSONResponse({"round": made.round})

    async def undo(self, request: Request) -> Response:
        """Take back one's own last decision."""
        body, run = await _body(request), self._run
        undone = await run_in_threadpool(run.decisions.undo, body["who"], run.number)
        return JSONResponse({"prefix": undone.prefix if undone else ""})

    async def finish(self, request: Request) -> Response:
        """Finish the round that was shown."""
        body, run = await _body(request), self._run
        if body["round"] != str(run.number):
            raise BadInput(f"round {body['round']} is no longer shown; look at {run.number}")
        await run_in_threadpool(run.decisions.finish, run.number, body["who"])
        return JSONResponse({})


class _Guard:
    """Lets through requests of who holds the token; sets what browsers may do with answers."""

    def __init__(self, app: ASGIApp, names: frozenset[str], token: str) -> None:
        self._app = app
        self._names = names
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        host = request.headers.get("host", "")
        refusal = self._refusal(request, host)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = _security(scope["path"], host if not refusal else "")
                message["headers"] = [*message.get("headers", []), *headers]
            await send(message)

        await (refusal or self._app)(scope, receive, with_headers)

    def _refusal(self, request: Request, host: str) -> Response | None:
        if not self._known(host):
            return Response(f"the name '{host[:80]}' is not served; allow it with --name\n", 421)
        if request.url.path in _STATIC:
            return None
        cookie = f"annotate-{request.url.port or 80}"
        given = request.query_params.get("token", "")
        if given and secrets.compare_digest(given.encode(), self._token.encode()):
            entered = RedirectResponse("/", 303)
            entered.set_cookie(cookie, self._token, httponly=True, samesite="strict")
            return entered
        held = request.cookies.get(cookie, "")
        if not secrets.compare_digest(held.encode(), self._token.encode()):
            return Response("open the address that 'seekmath annotate' printed\n", 403)
        origin = request.headers.get("origin", "")
        if request.method == "POST" and (
            request.headers.get(_CHANGES.decode()) != "1" or urlsplit(origin).netloc != host
        ):
            return Response("this request did not come from the page\n", 403)
        return None

    def _known(self, host: str) -> bool:
        """An address cannot be rebound to here by another site's name server; a name can."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
            # Raises of a port that is no number.
            urlsplit(f"//{host}").port  # noqa: B018
        except ValueError:
            return False
        if not name or any(sign in host for sign in "@/?#\\ ;,'\""):
            return False
        if name == "localhost" or name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def title(text: str) -> str:
    """The first line of a page that says something."""
    lines = (line.strip("#*_ \t") for line in text[:2000].splitlines())
    return next((line for line in lines if line), "")[:_TITLE_CHARACTERS]


def _security(path: str, host: str) -> list[tuple[bytes, bytes]]:
    here = f"http://{host}"
    if path == "/" and host:
        policy = (
            f"default-src 'none'; script-src {here}/annotate.js; style-src {here}/annotate.css;"
            f" connect-src {here}/api/; frame-src {here}/sample; base-uri 'none';"
            " form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script';"
            " trusted-types 'none'"
        )
    else:
        style = f" style-src {here}/annotate.css;" if host else ""
        policy = f"default-src 'none';{style} base-uri 'none'; form-action 'none';"
        policy += " frame-ancestors 'self'; sandbox"
    return [
        (b"content-security-policy", policy.encode("latin-1", errors="ignore")),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"cross-origin" if path in _STATIC else b"same-origin"),
        (b"cache-control", b"no-store"),
    ]


async def _body(request: Request) -> dict[str, str]:
    """The fields of a request; all text."""
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > _LONGEST_BODY:
            raise BadInput("the request is too long")
    try:
        found = json.loads(raw)
    except ValueError:
        raise BadInput("the request is not valid JSON") from None
    wanted = {"/api/decide": ("prefix", "label", "who"), "/api/finish": ("round", "who")}
    for name in wanted.get(request.url.path, ("who",)):
        if not isinstance(found, dict) or not isinstance(found.get(name), str):
            raise BadInput(f"the request: field '{name}' is missing; expected text")
    return dict(found)


async def _refused(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


async def _static(request: Request) -> Response:
    path = request.url.path
    return Response(_read(path[1:]), headers={"content-type": _STATIC[path]})


def _read(name: str) -> bytes:
    return (resources.files("seekmath.mine") / "templates" / name).read_bytes()


def _link(url: str) -> str:
    """The address where it may be followed; "" for every scheme but the web's."""
    return url if url.lower().startswith(("http://", "https://")) else ""


def _token(folder: Path) -> str:
    """The run's token, for its owner's eyes; kept, so that open pages outlive the server."""
    place = folder / ".annotate-token"
    if place.exists() and (held := place.read_text().strip()):
        return held
    token = secrets.token_urlsafe(24)
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as file:
        file.write(token)
    return token
