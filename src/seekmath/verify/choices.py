"""The letters that an answer to a multiple-choice problem names."""

import re

from seekmath.verify.equal import equal

LETTERS = "ABCDEFGHIJ"
_STYLE = re.compile(r"\\(?:text|mathrm|textbf|mathbf|textsf|mathsf)\s*\{([^{}]{0,200})\}")
_JOIN = r"(?:[\s,，、和与及&]|and\b){1,5}"
_EITHER = r"\s{0,3}(?:,\s{0,3})?(?:\bor\b|或|/)\s{0,3}"


def letters_of(said: str, choices: list[str]) -> str | None:
    """The letters that a statement names, or those of the choice whose text it repeats.

    Returns:
        Letters in order; an empty text where it names alternatives ("A or B"); None where it
        names nothing.
    """
    said = _STYLE.sub(r"\1", said.replace("**", "")).strip().strip("$").strip()
    among = LETTERS[: max(len(choices), 2)]
    alone = re.fullmatch(rf"[\W_]{{0,9}}((?:[{among}][\W_]{{0,3}}){{1,{len(among)}}})", said)
    if alone and not re.search(r"[+=<>^\\]", said):
        return joined(alone[1])
    if re.match(rf"\W{{0,9}}[{among}]\W{{0,3}}{_EITHER}\W{{0,3}}[{among}](?![A-Za-z])", said):
        return ""
    same = repeated(said, choices)
    if same:
        return same
    several = re.match(rf"\W{{0,9}}([{among}](?:(?:{_JOIN})?[{among}]){{0,9}})(?![A-Za-z])", said)
    if several and not (several[1] == "A" and re.match(r"\W*A\s+[a-z]", said)):
        return joined(several[1])
    lower = re.fullmatch(r"\W*([a-j])\W*", said)
    if lower and lower[1].upper() in among:
        return lower[1].upper()
    return last_letter(said, len(choices))


def joined(text: str) -> str:
    """The capital letters of a text, each once, in order."""
    return "".join(sorted(set(re.findall("[A-J]", re.sub(r"\band\b", " ", text)))))


def repeated(said: str, choices: list[str]) -> str | None:
    """The letter of the one choice that a statement repeats, in the same signs or in value."""
    texts = [re.sub(r"^\s*\(?[A-J][).:、]\s*", "", _STYLE.sub(r"\1", choice)) for choice in choices]
    for alike in (_same_signs, _same_value):
        found = [letter for letter, text in zip(LETTERS, texts, strict=False) if alike(text, said)]
        if len(found) == 1:
            return found[0]
    return None


def _same_signs(choice: str, said: str) -> bool:
    bare = [re.sub(r"[\s$.。]", "", text).casefold() for text in (choice, said)]
    return bool(bare[0]) and bare[0] == bare[1]


def _same_value(choice: str, said: str) -> bool:
    return bool(choice) and bool(equal(choice, said).right)


def last_letter(text: str, count: int) -> str | None:
    """The letter a text begins with, or the last one that is neither denied nor an article."""
    among = LETTERS[: max(count, 2)]
    leading = re.match(rf"\W*([{among}])(?=[.。):：,，、]|[\u4e00-\u9fff]|\s*$)", text)
    if leading:
        return leading.group(1)
    several = re.search(
        rf"(?:choices?|options?|answers?|选项?)\s*(?:is|are|为|是)?\s*\(?([{among}](?:[\s,]{{0,2}}[{among}]){{1,9}})\b",
        text,
    )
    if several:
        return joined(several[1])
    denied = re.sub(
        rf"(?:\bnot|n't(?:\s+be)?|\bnon|不是|不选)\s*\(?[{among}]\b(?:\s*(?:or|and|,|或)\s*[{among}]\b)*",
        " ",
        text,
    )
    letters = re.findall(
        rf"(?<![A-Za-z\\'])\(?([{among}])\)?(?![A-Za-z'])(?!\s+[a-z]{{3,}}\s+[a-z])", denied
    )
    if not letters:
        letters = re.findall(
            rf"(?<![A-Za-z\\'])([{among.replace('A', '').replace('I', '')}])(?![A-Za-z'])", denied
        )
    return letters[-1] if letters else None
