"""A problem before it is written down: question, steps, program, answer."""

from dataclasses import dataclass, field


@dataclass
class Draft:
    """One generated problem.

    Attributes:
        key: its structure and numbers, without names: what decides train or test.
        question: the text asked, choices not included.
        steps: one line of working each.
        answer: the true final answer.
        ending: the solution's last line, which states the answer that its steps lead to.
        program: Python that prints the answer that the steps lead to.
        printed: what the program prints.
        level: number of dependent steps.
        choices: texts of the choices, lettered from A.
        slipped: whether the steps hold the systematic slip.
        careful: the steps as a solution written for training words them, each restating what
            it uses; empty where they are the same.
    """

    key: str
    question: str
    steps: list[str]
    answer: str
    ending: str
    program: str
    printed: str
    level: int
    choices: list[str] = field(default_factory=list)
    slipped: bool = False
    careful: list[str] = field(default_factory=list)

    def solution(self) -> str:
        """Chain of thought: the steps and the last line."""
        return "\n".join([*self.steps, self.ending])

    def careful_solution(self) -> str:
        """Chain of thought as written for training: every step says what it rests on."""
        return "\n".join([*(self.careful or self.steps), self.ending])

    def program_solution(self) -> str:
        """Program of thought: a Python block that prints the answer."""
        return f"```python\n{self.program}\n```"

    def tool_solution(self) -> str:
        """Tool-integrated: the program, its output, and the last line."""
        return f"{self.program_solution()}\n```output\n{self.printed}\n```\n{self.ending}"
