r"""Answers that are meant to be right whatever the gold answer is: no reward for them.

Alternatives within one answer (``3 or 4``) need no rule: they are a list, and a list is not its
part. What has to be found is several final answers, and one answer that says two things.
"""

import re
from itertools import pairwise

from seekmath.verify.clean import clean
from seekmath.verify.compare import Comparison
from seekmath.verify.equal import DEFAULT, equal
from seekmath.verify.extract import box_run, final_marks
from seekmath.verify.latex import parse
from seekmath.verify.lexer import Unreadable
from seekmath.verify.numeric import roughly
from seekmath.verify.tree import Node
from seekmath.verify.value import TooMuchWork, Work, variables

_MOST_ANSWERS = 12


def hedged(prediction: str, answer: str) -> str:
    """What is hedged in a solution, or an empty text.

    Args:
        prediction: the solution.
        answer: the answer extracted from it.
    """
    others = _other_answers(prediction, answer)
    if len(others) > _MOST_ANSWERS or any(not equal(answer, one).right for one in others):
        return "several different answers"
    return "an answer that says two things" if _contradicts_itself(answer) else ""


def _other_answers(prediction: str, answer: str) -> list[str]:
    """Boxed and #### answers besides the last; boxes joined to the last are part of it."""
    run = box_run(prediction)
    joined = set(run[1]) if run and ", ".join(run[1]) == answer else {answer}
    return [one for one in dict.fromkeys(final_marks(prediction)) if one not in joined]


def _contradicts_itself(answer: str) -> bool:
    """3 = 4 = 5, x = 3 = 5 or 5 ≈ 7, of which only one end would be compared."""
    if not re.search(r"=|≈|\\approx|\\sim|\\equiv", answer):
        return False
    try:
        return _contradiction(parse(clean(answer).text), Work())
    except (Unreadable, TooMuchWork, RecursionError):
        return False  # cannot be right either


def _contradiction(node: Node, work: Work) -> bool:
    if node.op != "rel":
        return any(_contradiction(part, work) for part in node.operands)
    constants = [part for part in node.operands if not variables(part)]
    pairs = list(pairwise(constants))
    if "~" in node.text.split():
        return not all(roughly(*pair, work) for pair in pairs)
    comparison = Comparison(DEFAULT, work)
    alike = set(node.text.split()) == {"="}
    return alike and not all(comparison.same(*pair) for pair in pairs)
