r"""Macros that a page defines for its formulas, and their expansion.

MathJax and KaTeX configurations (``macros: {RR: "\\mathbb{R}", norm: ["\\|#1\\|", 1]}``) and
definitions in formulas (``\newcommand``, ``\def``, ``\DeclareMathOperator``).
"""

import itertools
import re
from collections.abc import Iterator

from seekmath.mine.page_hints import CONFIGURES_MACROS, DEFINES_MACROS

#: Name without backslash → (number of arguments, body).
Macros = dict[str, tuple[int, str]]

_MOST_MACROS = 300
_MOST_LENGTH = 4000
_MOST_ROUNDS = 6
_NEW = re.compile(
    r"\\(?:re|provide)?(?:newcommand|renewcommand)\*?\s*\{?\s*\\([A-Za-z]+)\s*\}?\s*(?:\[(\d)\])?\s*\{"
)
_DEF = re.compile(r"\\def\s*\\([A-Za-z]+)\s*((?:#\d)*)\s*\{")
_OPERATOR = re.compile(r"\\DeclareMathOperator(\*?)\s*\{?\s*\\([A-Za-z]+)\s*\}?\s*\{")
_CONFIGURATION = re.compile(r"[\"']?[Mm]acros[\"']?\s*[:=]\s*\{")
_STRING = r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`"
_ENTRY = re.compile(
    rf"[\"']?\\{{0,2}}([A-Za-z]+)[\"']?\s*:\s*(?:(?:{_STRING})|\[\s*(?:{_STRING})\s*(?:,\s*(\d))?)"
)
_DEFINING = (
    b"\\newcommand", b"\\renewcommand", b"\\providecommand", b"\\def", b"\\DeclareMathOp",
)  # fmt: skip
_COMMAND = re.compile(r"\\([A-Za-z]+)")


def page_macros(source: bytes, hints: int) -> Macros:
    """Macros of a page in UTF-8, of which ``hints`` are the ``macro_hints``; empty for most."""
    macros: Macros = {}
    if hints & CONFIGURES_MACROS:
        for window in _windows(source, b"acros", 1):
            configured = _CONFIGURATION.match(window)
            inner = _braced(window, configured.end()) if configured else None
            if inner is not None:
                macros |= _entries(inner)
    if hints & DEFINES_MACROS:
        for name in _DEFINING:
            for window in _windows(source, name, 0):
                macros |= _definitions(window, 1)[0]
    return macros


def _windows(source: bytes, name: bytes, before: int) -> Iterator[str]:
    """The text from each place of a name on; of the first 300 places."""
    at = source.find(name)
    for _ in range(_MOST_MACROS):
        if at < 0:
            return
        start = max(0, at - before)
        quoted = start - 1 if start and source[start - 1] in b"\"'" and before else start
        yield source[quoted : at + _MOST_LENGTH].decode("utf-8", "replace")
        at = source.find(name, at + 1)


def _entries(inner: str) -> Macros:
    macros: Macros = {}
    for entry in _ENTRY.finditer(inner):
        body = next((group for group in entry.groups()[1:7] if group is not None), "")
        # In JavaScript a backslash is written twice.
        body = re.sub(r"\\(.)", r"\1", body)
        macros[entry[1]] = (int(entry[8] or 0), body)
    return macros


def _braced(text: str, inside: int) -> str | None:
    """What stands from ``inside`` to the brace that closes the one before it."""
    depth = 1
    for at in range(inside, min(len(text), inside + _MOST_LENGTH)):
        character = text[at]
        if character in "{}" and text[at - 1] != "\\":
            depth += 1 if character == "{" else -1
            if depth == 0:
                return text[inside:at]
    return None


def _definitions(text: str, most: int = _MOST_MACROS) -> tuple[Macros, str]:
    """Macros that LaTeX defines, and the LaTeX without the definitions."""
    macros: Macros = {}
    for pattern in (_NEW, _DEF, _OPERATOR):
        kept: list[str] = []
        at = 0
        for found in itertools.islice(pattern.finditer(text), most):
            body = _braced(text, found.end())
            if body is None or found.start() < at:
                continue
            if pattern is _NEW:
                macros[found[1]] = (int(found[2] or 0), body)
            elif pattern is _DEF:
                macros[found[1]] = (len(found[2]) // 2, body)
            else:
                macros[found[2]] = (0, f"\\operatorname{found[1]}{{{body}}}")
            kept.append(text[at : found.start()])
            at = found.end() + len(body) + 1
        text = "".join(kept) + text[at:]
    return macros, text


def expand(latex: str, macros: Macros) -> str:
    """LaTeX without the page's macros; what does not end after six rounds stays."""
    if "\\" not in latex:
        return latex
    _, latex = _definitions(latex)
    for _ in range(_MOST_ROUNDS):
        found = [name for name in _COMMAND.findall(latex) if name in macros]
        if not found or len(latex) > _MOST_LENGTH:
            return latex
        latex = _once(latex, macros)
    return latex


def _once(latex: str, macros: Macros) -> str:
    parts: list[str] = []
    at = 0
    for command in _COMMAND.finditer(latex):
        if command.start() < at or command[1] not in macros:
            continue
        count, body = macros[command[1]]
        arguments, behind = _arguments(latex, command.end(), count)
        if len(arguments) < count:
            continue
        for number, argument in enumerate(arguments, 1):
            body = body.replace(f"#{number}", argument)
        parts.append(latex[at : command.start()])
        after = latex[behind : behind + 1]
        parts.append(body + (" " if after.isalpha() and re.search(r"\\[A-Za-z]+$", body) else ""))
        at = behind
    return "".join(parts) + latex[at:]


def _arguments(latex: str, at: int, count: int) -> tuple[list[str], int]:
    arguments: list[str] = []
    behind = at
    for _ in range(count):
        while at < len(latex) and latex[at] == " ":
            at += 1
        if at >= len(latex):
            break
        if latex[at] == "{":
            inner = _braced(latex, at + 1)
            if inner is None:
                break
            arguments.append(inner)
            at += len(inner) + 2
        else:
            command = _COMMAND.match(latex, at)
            arguments.append(command.group() if command else latex[at])
            at += len(arguments[-1])
        behind = at
    return arguments, behind
