"""Formulas set in plain HTML: italics, ``sup`` and ``sub``, Unicode signs (``x² ∈ ℝ``).

The blocks of a page carry scripts as ``^{…}`` and ``_{…}``. A run of single letters, numbers,
signs and scripts becomes a formula if it has a script on a letter or a sign that only formulas
have; ordinals, units of words and footnote marks stay text.
"""

import re

from seekmath.mine.macros import Macros
from seekmath.mine.marks import MARKS, mark
from seekmath.mine.signs import FUNCTIONS, SIGNS

_SURE = "∈∉∋⊂⊆⊃⊇∪∩∅∀∃∄∑∏∫∬∮√∞∂∇≤≥≠≈≡≅≃∝≪≫∧∨¬⊕⊗∘⊥⟨⟩∖"
_LETTER = r"(?<![^\W\d_])[A-Za-zα-ωϵϑϕΑ-Ωℝℤℕℚℂ](?![^\W\d_])"
_SCRIPT = r"[\^_](?:\{(?:[^{}]|\{[^{}]*\}){1,80}\}|[^\s{}])"
_FUNCTION = (
    r"(?<![^\W\d_])(?:" + "|".join(sorted(FUNCTIONS, key=len, reverse=True)) + r")(?![^\W\d_])"
)
_ATOM = rf"(?:{_LETTER}|{_FUNCTION}|\d+(?:\.\d+)?|{_SCRIPT}|[-+=<>/*!|()\[\],′−±×⋅·÷→↦⇒⇔…⋯{_SURE}])"
_RUN = re.compile(rf"{_ATOM}(?: ?{_ATOM})*")
_SCRIPTED = re.compile(rf"(?:{_LETTER}|\d|[)\]|′]|[{_SURE}])[\^_]")
_ORDINAL = re.compile(r"\d\^\{(?:st|nd|rd|th|er|o|a)\}")
_APART = re.compile(f"[{MARKS[0]}{MARKS[1]}][^{MARKS[2]}{MARKS[3]}]*[{MARKS[2]}{MARKS[3]}]|`[^`]*`")
_MOST = 20_000
_OPEN, _CLOSE = "([", ")]"


def mark_runs(text: str, macros: Macros) -> str:
    """Mark the formulas of a block that holds scripts or signs of mathematics."""
    if len(text) > _MOST:
        return text
    parts: list[str] = []
    at = 0
    for apart in _APART.finditer(text):
        parts += (_RUN.sub(lambda run: _marked(run[0], macros), text[at : apart.start()]), apart[0])
        at = apart.end()
    parts.append(_RUN.sub(lambda run: _marked(run[0], macros), text[at:]))
    return "".join(parts)


def _marked(run: str, macros: Macros) -> str:
    before, core, after = _core(run)
    scripted = _SCRIPTED.search(core) and not _ORDINAL.search(core)
    sure = any(sign in _SURE for sign in core) and re.search(_LETTER, core)
    if len(core) < 2 or not (scripted or sure):
        return run
    return before + mark(runs_to_latex(core), False, macros) + after


def _core(run: str) -> tuple[str, str, str]:
    """A run without the punctuation and the article at its edges, brackets kept in pairs."""
    start, end = 0, len(run)
    if re.match(r"[aAI] (?=[A-Za-z0-9(])", run):
        start = 2
    while start < end and run[start] in " ,./*!)]":
        start += 1
    while end > start and (
        run[end - 1] in " ,.=<>/*+-−([" or (run[end - 1] in _CLOSE and _unpaired(run[start:end]))
    ):
        end -= 1
    while start < end and run[start] in _OPEN and _unpaired(run[start:end]):
        start += 1
    return run[:start], run[start:end], run[end:]


def _unpaired(text: str) -> bool:
    return sum(text.count(sign) for sign in _OPEN) != sum(text.count(sign) for sign in _CLOSE)


def runs_to_latex(text: str) -> str:
    """Signs and function names as commands; scripts of one sign without braces."""
    parts: list[str] = []
    for piece in re.findall(rf"{_FUNCTION}|.", text, re.DOTALL):
        latex = f"\\{FUNCTIONS[piece]}" if piece in FUNCTIONS else SIGNS.get(piece, piece)
        if parts and latex[:1].isalpha() and re.search(r"\\[A-Za-z]+$", parts[-1]):
            parts.append(" ")
        parts.append(latex)
    return re.sub(r"([\^_])\{\s*([^\s{}\\])\s*\}", r"\1\2", "".join(parts)).strip()
