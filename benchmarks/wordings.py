"""Gold answers in the words of others: right wordings and wrong near-misses, for graders to judge.

Everything follows from the gold answer by rules (no model, no random draw), so that a wording's
right verdict is known. Benchmarks and their golds are read from the folder of real data.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from seekmath.core.files import read_jsonl
from seekmath.verify.extract import all_boxed

LETTERS = "ABCDEFGHIJ"
_CHINESE = ("cmath", "mgsm_zh", "gaokao-mathcloze", "gaokao-mathqa")


@dataclass(frozen=True)
class Gold:
    """A gold answer: of which benchmark, the bare answer, and the texts of the choices."""

    benchmark: str
    answer: str
    choices: tuple[str, ...] = ()

    @property
    def chinese(self) -> bool:
        return self.benchmark in _CHINESE


def golds(data: Path) -> Iterator[Gold]:
    """Every gold answer of ten benchmarks' test splits."""
    for row in read_jsonl(data / "gsm8k/test.jsonl.gz"):
        yield Gold("gsm8k", row["answer"].rpartition("####")[2].strip().replace(",", ""))
    for row in read_jsonl(data / "math/test.jsonl.gz"):
        yield Gold("math", all_boxed(row["solution"])[-1][2])
    for row in read_jsonl(data / "cmath/test.jsonl.gz"):
        yield Gold("cmath", str(row["golden"]))
    for row in read_jsonl(data / "mgsm_zh/mgsm_zh.jsonl.gz"):
        yield Gold("mgsm_zh", str(row["answer"]).replace(",", ""))
    for row in read_jsonl(data / "ocw/test.jsonl.gz"):
        yield Gold("ocw", str(row["answer"]))
    for row in read_jsonl(data / "agieval/gaokao-mathcloze.jsonl.gz"):
        yield Gold("gaokao-mathcloze", str(row["answer"]))
    for name in ("gaokao-mathqa", "sat-math"):
        for row in read_jsonl(data / f"agieval/{name}.jsonl.gz"):
            yield Gold(name, row["label"], tuple(_bare_choice(text) for text in row["options"]))
    for row in read_jsonl(data / "mmlu_stem/test.jsonl.gz"):
        yield Gold("mmlu_stem", row["answer"], tuple(map(str, row["options"])))
    for row in read_jsonl(data / "sat/test.jsonl.gz"):
        texts = re.split(r"(?:^|\s+)[A-D]\)\s*", row["options"])[1:]
        yield Gold("sat", row["Answer"], tuple(texts))


def _bare_choice(text: str) -> str:
    return re.sub(r"^\([A-J]\)\s*", "", text)


# --- sentences around an answer -------------------------------------------------------------------

_ENGLISH = (
    "{v}",
    "We add the parts and simplify.\n\nThus the result is $\\boxed{{{v}}}$.",
    "First 17 and 23 are checked.\nThen the rest follows.\n#### {v}",
    "Putting both together, the answer is ${v}$.",
    "Final Answer: The final answer is ${v}$. I hope it is correct.",
    "**Step 2.** Solve.\n\\[ \\boxed{{{v}}} \\]",
    "There are 3 cases, all alike.\n\n**Answer:** ${v}$",
    "Therefore, the final answer is \\({v}\\).",
    "It follows from step 4 that we get\n$$\\boxed{{{v}}}$$\nand we are done.",
    "<think>Perhaps 5? No, 7.</think>\n\nThe answer is: \\boxed{{{v}}}",
    "```python\nprint(solve())\n```\n```output\n12\n```\nHence $\\boxed{{{v}}}$.<|endoftext|>",
    "Let me compute. $2 + 2 = 4$.\nAnswer: ${v}$",
    "So the correct answer is **{v}**.",
    "the answer to the question is ${v}$",
)
_CHINESE_SENTENCES = (
    "先算2加3。\n所以答案是${v}$。",
    "因此，最后的结果是 $\\boxed{{{v}}}$。",
    "答案：{v}",
    "解：由题意可得。\n故答案为：${v}$.",
    "综上，答案为 \\boxed{{{v}}}",
)
_CHOICE_SENTENCES = (
    "{v}", "({v})", "{v}.", "The answer is {v}.", "The correct answer is ({v}).",
    "\\boxed{{{v}}}", "$\\boxed{{\\text{{({v})}}}}$", "**Answer: {v}**", "Answer: {v}",
    "The second fact excludes one, so the best choice is {v}", "Therefore, option {v} is correct.",
    "Final Answer: The final answer is {v}. I hope it is correct.", "答案是{v}。", "故选：{v}",
    "故选{v}.", "所以正确答案是 ({v})。", "So it must be choice ({v}).\n#### {v}",
)  # fmt: skip


def right(gold: Gold) -> list[tuple[str, str]]:
    """Kinds and texts of right answers: every sentence, and every writing of the value."""
    if gold.choices:
        letter = [("letter", text.format(v=gold.answer)) for text in _CHOICE_SENTENCES]
        return letter + _choice_repeated(gold, gold.answer)
    sentences = _ENGLISH + _CHINESE_SENTENCES if gold.chinese else _ENGLISH
    found = [("as it is", _placed(text, gold.answer)) for text in sentences]
    for number, (kind, value) in enumerate(writings(gold.answer)):
        found.append((kind, _placed(_ENGLISH[1 + number % 9], value)))
    for kind, text in _of_integers(gold.answer):
        found.append((kind, text))
    return found


def _placed(sentence: str, value: str) -> str:
    """The sentence with the value; where it brings its own dollars, none are doubled."""
    if "$" in value or re.fullmatch("[A-Za-z]+", value):
        sentence = sentence.replace("${v}$", "{v}")
    return sentence.format(v=re.sub(r"\s*\n\s*", " ", value))


def _choice_repeated(gold: Gold, letter: str) -> list[tuple[str, str]]:
    """The letter with its text, and the text alone where it is unlike the others."""
    if letter not in list(LETTERS[: len(gold.choices)]):
        return []
    text = gold.choices[LETTERS.index(letter)]
    plain = re.sub(r"\W", "", text).casefold()
    others = [re.sub(r"\W", "", one).casefold() for one in gold.choices]
    found = [("letter and text", f"The answer is {letter}. {text}")]
    if others.count(plain) == 1 and len(plain) > 3 and "\n" not in text:
        found.append(("choice's text", f"The answer is {text}"))
    return found


_INTEGER = re.compile(r"-?\d{1,15}")
_FRACTION = re.compile(r"(-?)\\[dt]?frac\{(\d+)\}\{(\d+)\}|(-?)(\d+)/(\d+)")
_DECIMAL = re.compile(r"-?\d*\.\d+")


def exact(answer: str) -> Fraction | None:
    """The number that a plain gold answer is, read by rules of its own."""
    if _INTEGER.fullmatch(answer) or _DECIMAL.fullmatch(answer):
        return Fraction(answer)
    match = _FRACTION.fullmatch(answer)
    if match is None:
        return None
    sign, top, bottom = match[1] or match[4], match[2] or match[5], match[3] or match[6]
    return Fraction(int(top), int(bottom)) * (-1 if sign else 1) if int(bottom) else None


def writings(answer: str) -> list[tuple[str, str]]:
    """Other writings of the same value, with their kind."""
    number = exact(answer)
    found = list(_of_latex(answer))
    if number is None:
        return found
    sign, size = ("-" if number < 0 else ""), abs(number)
    top, bottom = size.numerator, size.denominator
    found.append(("fraction", rf"{sign}\frac{{{3 * top}}}{{{3 * bottom}}}"))
    found.append(("named", f"x = {answer}"))
    found.append(("unit", rf"{answer}\text{{ units}}"))
    if bottom == 1:
        found.append(("decimal", f"{sign}{top}.0"))
        if top >= 1000:
            found += [
                ("thousands", f"{sign}{top:,}"),
                ("thousands", f"{sign}{top:,}".replace(",", "{,}")),
                ("thousands", f"{sign}{top:,}".replace(",", ",\\!")),
                ("scientific", _scientific(sign, top)),
            ]
        return found
    found += [
        ("plain fraction", f"{sign}{top}/{bottom}"),
        ("fraction", f"{sign}\\dfrac{{{top}}}{{{bottom}}}"),
    ]
    if top > bottom:
        found.append(("mixed", rf"{sign}{top // bottom}\frac{{{top % bottom}}}{{{bottom}}}"))
    if (10**6 * size).denominator == 1:
        digits = f"{float(size):.6f}".rstrip("0")
        found += [("decimal", sign + digits), ("percent", f"{sign}{float(100 * size):.10g}\\%")]
        found.append(("decimal", f"{sign}{digits}0"))
    return found


def _scientific(sign: str, top: int) -> str:
    digits = str(top)
    mantissa = (digits[0] + "." + digits[1:]).rstrip("0").rstrip(".")
    return rf"{sign}{mantissa} \times 10^{{{len(digits) - 1}}}"


def _of_integers(answer: str) -> Iterator[tuple[str, str]]:
    """Sentences that hold a number with money, units, things or Chinese around it."""
    if not _INTEGER.fullmatch(answer) or answer.startswith("-"):
        return
    commas = f"{int(answer):,}"
    yield "money", f"She earns 7 dollars first. So in total she makes ${commas}."
    yield "money", f"The answer is ${commas}.00."
    yield "money", rf"Thus \boxed{{\${answer}}}."
    yield "things", f"The 3 boxes are opened.\nThe answer is {commas} red apples."
    yield "unit", f"The total length is {commas} meters."
    yield "unit", rf"The area is $\boxed{{{answer} \text{{ cm}}^2}}$."
    yield "unit", f"Answer: {commas} miles per hour"
    yield "sum", f"8 - 8 + {answer} = {commas}\nA: {commas}"
    yield "Chinese", f"答：一共有{answer}个苹果。"
    yield "Chinese", f"所以小明还剩下{answer}元。"
    yield "Chinese", f"答案是{answer}平方厘米。"
    yield (
        "full width",
        "答案是" + answer.translate(str.maketrans("0123456789", "０１２３４５６７８９")),
    )
    yield "Chinese numeral", f"答案是{chinese_numeral(int(answer))}。"
    yield "tool", f"```python\nprint(x)\n```\n```output\n{answer}\n```"


def chinese_numeral(number: int) -> str:
    """A number in Chinese characters, with 零 for each gap."""
    if number == 0:
        return "零"
    groups, myriads = [], ["", "万", "亿", "万亿"]
    while number:
        number, group = divmod(number, 10_000)
        groups.append(group)
    text = ""
    for place in reversed(range(len(groups))):
        group = groups[place]
        if group:
            gap = text and group < 1000
            text += ("零" if gap else "") + _below_myriad(group) + myriads[place]
    return re.sub("^一十", "十", text)


def _below_myriad(number: int) -> str:
    text, gap = "", False
    for size, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, size)
        if digit:
            text += ("零" if gap and text else "") + "零一二三四五六七八九"[digit] + name
            gap = False
        else:
            gap = True
    return text


def _of_latex(answer: str) -> Iterator[tuple[str, str]]:
    """The same LaTeX dressed otherwise."""
    spaced = re.sub(r"(?<=[,+=])(?!\\!|\d{3}(?!\d))\s*", " ", answer)
    if "\\text" not in answer:
        yield "spacing", spaced
    yield "delimiters", rf"\displaystyle {answer}"
    yield "delimiters", f"\\, {answer} \\;"
    if "\\frac" in answer:
        yield "frac", answer.replace("\\frac", "\\dfrac")
        yield "frac", re.sub(r"\\frac\{(\d)\}\{(\d)\}", r"\\frac\1\2", answer)
    if "\\sqrt" in answer:
        yield "root", re.sub(r"\\sqrt\{(\w)\}", r"\\sqrt \1", answer)
        if not re.search(r"\\sqrt(?!\{\d+\})|\\frac", answer):
            yield "root", re.sub(r"\\sqrt\{(\d+)\}", r" √\1", answer)
            yield "root", re.sub(r"\\sqrt\{(\d+)\}", r" sqrt(\1)", answer)
    if "\\pi" in answer:
        yield "pi", answer.replace("\\pi", "π")
    if "\\left" in answer and "\\begin" not in answer:
        yield "delimiters", re.sub(r"\\(?:left|right)(?![a-z])", "", answer)
    elif re.fullmatch(r"[(\[].*[)\]]", answer) and not re.search(r"[()\[\]]", answer[1:-1]):
        yield "delimiters", rf"\left{answer[0]} {answer[1:-1]} \right{answer[-1]}"
    if "pmatrix" in answer:
        yield "matrix", answer.replace("pmatrix", "bmatrix")
    if re.fullmatch(r"-?\d+(?:,\s*-?\d+)+", answer) and not re.fullmatch(r"\d{1,3},\d{3}", answer):
        parts = re.split(r",\s*", answer)
        yield "list", " and ".join([", ".join(parts[:-1]), parts[-1]])
        yield "list", ", ".join(reversed(parts))
        yield "list", rf"\{{{answer}\}}"
        yield "list", rf"x = {parts[0]} \text{{ or }} x = {parts[1]}" if len(parts) == 2 else answer
    if re.fullmatch(r"[(\[].*,.*[)\]]", answer) and "\\infty" in answer and "cup" not in answer:
        yield "interval", rf"x \in {answer}"
        yield "interval", answer.replace("\\infty", "∞")
    if re.fullmatch(r"\d+\^\\circ", answer):
        yield "degrees", answer.replace("^\\circ", " degrees")
        yield "degrees", answer.replace("^\\circ", "°")
    if re.fullmatch(r"\\text\{[A-Za-z]+\}", answer):
        yield "text", answer[6:-1]
        yield "text", answer[6:-1].lower()
    if re.fullmatch(r"\d+_\{?\d+\}?", answer):
        yield "base", re.sub(r"_\{?(\d+)\}?", r"_{\1}", answer)
        yield "base", re.sub(r"_\{?\d+\}?", "", answer)


# --- wrong answers that look right ----------------------------------------------------------------


def wrong(gold: Gold) -> list[tuple[str, str]]:
    """Kinds and texts of wrong answers close to the gold answer."""
    if gold.choices:
        return _wrong_choices(gold)
    found: list[tuple[str, str]] = []
    for number, (kind, value) in enumerate(_near(gold.answer)):
        sentence = _ENGLISH[number % len(_ENGLISH)]
        found.append((kind, _placed(sentence, value)))
        if number == 0:
            found.append(("gold first", f"I first thought {gold.answer}.\n\\boxed{{{value}}}"))
            found.append(("in Chinese", f"所以答案是${value}$。"))
    return found


def _wrong_choices(gold: Gold) -> list[tuple[str, str]]:
    letters = LETTERS[: len(gold.choices)]
    if gold.answer not in letters:
        return []
    others = [letter for letter in letters if letter != gold.answer]
    found = []
    for number, sentence in enumerate(_CHOICE_SENTENCES):
        found.append(("other letter", sentence.format(v=others[number % len(others)])))
    found.append(("gold first", f"Not {gold.answer}. The answer is {others[0]}."))
    found.append(("every letter", "The answer is " + " or ".join(letters)))
    plain = [re.sub(r"\W", "", one).casefold() for one in gold.choices]
    if len(set(plain)) == len(plain):
        found += [pair for letter in others[:2] for pair in _choice_repeated(gold, letter)[1:]]
    return found


def _near(answer: str) -> Iterator[tuple[str, str]]:
    number = exact(answer)
    if number is not None:
        yield from _near_number(answer, number)
        return
    percent = answer.endswith("%")
    if re.search(r"\d_\{?\d", answer):
        yield "last digit", re.sub(r"\d(?=_)", lambda m: "1" if m[0] == "0" else "0", answer)
        return
    last = list(re.finditer(r"(?<![\d.])\d+(?![\d.])", answer))
    # The last digits of an answer are never padding, except those of a time or an ordinal.
    if last and not percent:
        one = last[-1]
        changed = str(int(one.group()) + 1)
        yield "last number by one", answer[: one.start()] + changed + answer[one.end() :]
    if last and len(last) > 1:
        one = last[0]
        yield (
            "first number",
            answer[: one.start()] + str(int(one.group()) + 2) + answer[one.end() :],
        )
    if "\\sqrt" in answer:
        yield "root lost", answer.replace("\\sqrt", "", 1)
    if "\\pi" in answer:
        yield "pi lost", answer.replace("\\pi", "", 1) if answer != "\\pi" else "3"
    if answer.startswith("(") and "," in answer and "infty" not in answer and answer.endswith(")"):
        parts = answer[1:-1].split(",")
        if "(" not in answer[1:-1] and len({re.sub(r"\W", "", p) for p in parts}) == len(parts):
            yield "turned round", "(" + ",".join(reversed(parts)) + ")"
            yield "part lost", "(" + ",".join(parts[:-1]) + ")"
            yield "part added", answer[:-1] + ", 91)"
    if re.fullmatch(r"-?\d+(?:,\s*-?\d+)+", answer) and not re.fullmatch(r"\d{1,3},\d{3}", answer):
        yield "part lost", answer.rpartition(",")[0]
        yield "part added", answer + ", 91"
    if re.fullmatch(r"[(\[][^()\[\]]*,[^()\[\]]*[)\]]", answer) and "infty" in answer:
        swapped = {"(": "[", "[": "("}[answer[0]] if "-\\infty" not in answer else answer[0]
        if swapped != answer[0]:
            yield "bracket", swapped + answer[1:]
    if re.fullmatch(r"\\text\{[A-Za-z]{3,}\}", answer):
        yield "other word", "\\text{Zebra}"
    if (
        last
        and not percent
        and re.fullmatch(r"[^=<>,]*[1-9][^=<>,]*", answer)
        and "text" not in answer
    ):
        yield "ten times", f"10({answer})"
        yield "negated", f"-({answer})"


def _near_number(answer: str, number: Fraction) -> Iterator[tuple[str, str]]:
    if number.denominator == 1:
        whole = int(number)
        yield "one more", str(whole + 1)
        yield "one less", str(whole - 1)
        yield "digit added", f"{whole}7"
        if len(str(abs(whole))) > 1:
            swapped = str(abs(whole))[::-1]
            if int(swapped) != abs(whole):
                yield "digits turned", swapped.lstrip("0")
            yield "digit lost", str(whole)[:-1]
        yield "half more", f"{whole}.5"
    else:
        yield "one more", _written(number + 1)
        yield "last digit", _written(number + Fraction(1, number.denominator))
        if abs(number.numerator) != number.denominator and number:
            yield "upside down", _written(1 / number)
    if number and "%" not in answer:
        yield "ten times", _written(number * 10)
        yield "a hundred times", _written(number * 100)
        yield "a hundredth", _written(number / 100)
        yield "negated", _written(-number)
        yield "of two", f"{answer}, {_written(number + 2)}"
        yield "hedged", rf"{answer} \text{{ or }} {_written(number + 1)}"


def _written(number: Fraction) -> str:
    if number.denominator == 1:
        return str(number.numerator)
    sign = "-" if number < 0 else ""
    return rf"{sign}\frac{{{abs(number.numerator)}}}{{{number.denominator}}}"


def pairs(gold: Gold) -> Iterator[dict[str, Any]]:
    """Every wording of a gold answer with its right verdict."""
    for verdict, found in ((True, right(gold)), (False, wrong(gold))):
        for kind, text in found:
            yield {
                "benchmark": gold.benchmark, "gold": gold.answer, "choices": list(gold.choices),
                "kind": kind, "prediction": text, "expected": verdict,
            }  # fmt: skip
