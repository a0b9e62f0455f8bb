"""URLs made comparable: one form for the addresses under which the same page is served.

Percent-encodings are never decoded to text: queries of Chinese sites are often in GBK, which as
UTF-8 would all become the same.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath
from urllib.parse import quote, urlsplit

import numpy as np
from numpy.typing import NDArray

from seekmath.core.seeds import digest

# Parameters that say where a visitor came from or who it is, never what the page is. ``source``,
# ``from`` and the like are not among them: on some sites they choose the page.
_TRACKING = re.compile(
    r"utm_\w+|hsa_\w+|mtm_\w+|pk_(?:campaign|kwd|source|medium)|at_(?:campaign|medium)|_hs(?:enc|mi)"
    r"|[dgw]clid|g?braid|wbraid|fbclid|msclkid|yclid|ysclid|twclid|ttclid|igshid|li_fat_id"
    r"|mc_[ce]id|mkt_tok|_ga|_gl|gclsrc|ref|ref_src|referrer|spm|scm|share_token"
    r"|phpsessid|jsessionid|aspsessionid\w*|sessionid|session_id|sess_?id|cfid|cftoken",
    re.IGNORECASE,
)
# Short names that are session ids only where the value looks like one.
_SHORT_SESSION = re.compile(r"(?:sid|s|osCsid|zenid|session|token)=[0-9a-f]{24,}", re.IGNORECASE)
_PATH_SESSION = re.compile(
    r";(?:jsessionid|phpsessid|sid)=[^/?#]*|/\((?:[a-z]\([0-9a-z]{20,}\))+\)(?=/|$)", re.IGNORECASE
)
_INDEX = re.compile(r"(?:/(?:index|default)\.(?:x?html?|php\d?|aspx?|jsp))+/?$", re.IGNORECASE)
_PERCENT = re.compile(r"%([0-9a-fA-F]{2})?")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_KEPT = "/:@!$&'()*+,;=~%-._"
_HOST = re.compile(r"(?:www\.)*((?!www\.)[a-z0-9_-][a-z0-9._-]*?|\[[0-9a-f:.]+\])\.*(?::(\d*))?")
_DEFAULT_PORTS = (None, "", "80", "443")
_PLAIN = re.compile(r"https?://((?:[a-z0-9-]+\.)+[a-z0-9-]+)((?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)")
# What needs no full parse to find its host and path.
_USUAL = re.compile(r"https?://([a-z0-9.-]+)(/[^\s?#]*)?(?:[?#]\S*)?")
_MOST = 2000


def normalize_url(url: str) -> str:
    """One form for a URL: https, lower-case host without www and default port, no fragment.

    Tracking parameters and session ids go, the other parameters are sorted; percent-encoding has
    one form (RFC 3986, 6.2.2), dot segments are resolved; double and trailing slashes and an index
    file of a folder go. What cannot be split is returned as it is; what is normal stays as it is.
    """
    url = url.strip()[:_MOST]
    plain = _PLAIN.fullmatch(url)
    if plain and not plain[1].startswith("www.") and not _INDEX.search(plain[2]):
        return f"https://{plain[1]}{plain[2]}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    host = _host(parts.netloc)
    if not host:
        return url
    path = _escaped(_PATH_SESSION.sub("", parts.path))
    path = normpath(re.sub(r"//+", "/", path)) if "//" in path or "/." in path else path
    path = _INDEX.sub("", path).rstrip("/")
    query = _query(parts.query)
    return f"https://{host}{path}{'?' if query else ''}{query}"


def host_and_path(url: str) -> tuple[str, str]:
    """The host of a URL, lower-case, without www and port, and its path; "" and "/" for none."""
    url = url.strip()
    usual = _USUAL.fullmatch(url)
    if usual:
        host, path = usual.groups()
    else:
        try:
            parts = urlsplit(url)
            host, path = parts.hostname or "", parts.path
        except ValueError:
            return "", "/"
    return host.rstrip(".").removeprefix("www."), path or "/"


def _host(netloc: str) -> str:
    """The host, with its port where that is not the usual; "" where it is none."""
    host = netloc.rpartition("@")[2].lower()
    if not host.isascii():
        try:
            host = host.encode("idna").decode().lower()
        except UnicodeError:
            return ""
    found = _HOST.fullmatch(host)
    if not found:
        return ""
    return found[1] if found[2] in _DEFAULT_PORTS else f"{found[1]}:{found[2]}"


def _escaped(text: str) -> str:
    """Percent-encoding in one form: what needs none has none, hexadecimal digits are large."""
    if "%" in text:
        text = _PERCENT.sub(_one_form, text)
    return quote(text, safe=_KEPT)


def _one_form(match: re.Match[str]) -> str:
    if match[1] is None:
        return "%25"
    char = chr(int(match[1], 16))
    return char if _UNRESERVED.fullmatch(char) else match[0].upper()


def _query(query: str) -> str:
    """The parameters that choose the page, sorted."""
    if not query:
        return ""
    pairs = []
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name and not _TRACKING.fullmatch(name) and not _SHORT_SESSION.fullmatch(pair):
            pairs.append(_escaped((pair if value else name).replace("+", "%20")))
    return "&".join(sorted(pairs))


def url_key(url: str) -> int:
    """64-bit hash of the normalised URL."""
    return int(digest(normalize_url(url)), 16)


def read_seed_keys(path: Path) -> NDArray[np.uint64]:
    """The pages of a text file with one URL per line as sorted ``url_key``s, 8 bytes for each.

    ``#`` starts a comment line.
    """
    return np.unique(np.fromiter(map(url_key, _lines(path)), np.uint64))


def _lines(path: Path) -> Iterator[str]:
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                yield line.strip()
