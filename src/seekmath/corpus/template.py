"""A model's own chat template, as Hugging Face folders carry it (Jinja, rendered in a sandbox)."""

from datetime import datetime
from pathlib import Path
from typing import Any

from seekmath.core.files import BadInput, read_json
from seekmath.corpus.chat import learned_parts
from seekmath.corpus.tokenizer import Tokenizer


class ChatTemplate:
    """Renders messages to the text that the model is fed, special tokens spelled out."""

    def __init__(self, source: str, tokens: dict[str, str], where: str) -> None:
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        self._tokens, self._where = tokens, where
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise BadInput(f"{where}: chat template: {error}") from None

    @classmethod
    def load(cls, folder: str | Path) -> "ChatTemplate":
        """The template of a model folder: ``chat_template.jinja`` or in the tokenizer's settings.

        Raises:
            BadInput: there is none, or it cannot be read.
        """
        folder = Path(folder)
        path = folder / "tokenizer_config.json"
        config: dict[str, Any] = read_json(path) if path.exists() else {}
        file = folder / "chat_template.jinja"
        source = file.read_text("utf-8") if file.exists() else config.get("chat_template")
        if isinstance(source, list):  # several by name
            named = {entry["name"]: entry["template"] for entry in source}
            source = named.get("default")
        if not source:
            raise BadInput(f"{folder}: holds no chat template; use --template paper")
        tokens = {
            name: token.get("content", "") if isinstance(token, dict) else str(token)
            for name, token in config.items()
            if name.endswith("_token") and token
        }
        return cls(source, tokens, str(file if file.exists() else path))

    def text(self, message: str) -> str:
        """The prompt for one user message, up to where the assistant begins."""
        return self._rendered([{"role": "user", "content": message}], True)

    def example(
        self, tokenizer: Tokenizer, messages: list[dict[str, str]]
    ) -> tuple[list[int], list[bool]]:
        """Token ids of a conversation, and which carry loss: what the assistant writes.

        That is, of each of its turns, all that the template adds after where it has the assistant
        begin, so the token that ends the turn too, but no quoted tool output.

        Raises:
            ValueError: the template shows a turn otherwise once another follows it, so that what
                is learned would not be what the model is fed.
        """
        ids: list[int] = []
        mask: list[bool] = []
        done = ""
        for place, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            for end, begins in ((place, True), (place + 1, False)):
                text = self._rendered(messages[:end], begins)
                if not text.startswith(done):
                    raise ValueError(
                        f"the chat template of {self._where} shows message {place + 1}, or what"
                        " stands before it, otherwise in a longer conversation; use --template"
                        " paper, or conversations of one answer"
                    )
                added, done = text[len(done) :], text
                for piece, learned in [(added, False)] if begins else learned_parts(added):
                    part = tokenizer.encode_template(piece)
                    ids += part
                    mask += [learned] * len(part)
        return ids, mask

    def _rendered(self, messages: list[dict[str, str]], begins: bool) -> str:
        from jinja2 import TemplateError

        try:
            return self._template.render(
                messages=messages, add_generation_prompt=begins, **self._tokens
            )
        except TemplateError as error:
            raise BadInput(f"{self._where}: chat template: {error}") from None


def _refuse(message: str) -> None:
    from jinja2 import TemplateError

    raise TemplateError(message)
