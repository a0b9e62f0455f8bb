"""URLs made comparable: one form for the addresses under which the same page is served."""

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

_TRACKING = re.compile(
    r"utm_\w+|gclid|fbclid|msclkid|dclid|yclid|mc_[ce]id|_ga|ref|referrer|source|campaign"
    r"|phpsessid|jsessionid|aspsessionid\w*|sessionid|session_id|sid|cfid|cftoken|spm|from",
    re.IGNORECASE,
)
_PATH_SESSION = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/?#]*", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MOST = 2000


def normalize_url(url: str) -> str:
    """One form for a URL: https, lower-case host without www and default port, no fragment.

    Tracking parameters and session ids go, the other parameters are sorted; a trailing slash and
    an index file of a folder go too. What cannot be split is returned as it is.
    """
    try:
        parts = urlsplit(url.strip()[:_MOST])
        port = parts.port
    except ValueError:
        return url
    host = (parts.hostname or "").rstrip(".").removeprefix("www.")
    if port is not None and port not in (_DEFAULT_PORTS.get(parts.scheme), 80, 443):
        host = f"{host}:{port}"
    path = _PATH_SESSION.sub("", parts.path)
    path = re.sub(r"/(?:index|default)\.(?:html?|php|aspx?)$", "/", path)
    path = quote(unquote(re.sub(r"//+", "/", path)), safe="/:@!$&'()*+,;=~%-._")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = sorted((key, value) for key, value in pairs if not _TRACKING.fullmatch(key))
    query = f"?{urlencode(kept)}" if kept else ""
    return f"https://{host}{path.rstrip('/')}{query}"


def host_of(url: str) -> str:
    """The host of a URL, lower-case, without www and port; "" where there is none."""
    try:
        return (urlsplit(url.strip()).hostname or "").rstrip(".").removeprefix("www.")
    except ValueError:
        return ""


def path_of(url: str) -> str:
    """The path of a URL, "/" at least."""
    try:
        return urlsplit(url.strip()).path or "/"
    except ValueError:
        return "/"
