"""Questions to language models behind OpenAI-compatible servers: retried, budgeted, and never asked twice."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, ClassVar

from pydantic import BaseModel, Field, field_validator

from negbench.chat.address import checked_address, checked_variable
from negbench.chat.answers import Answers
from negbench.errors import InputError
from negbench.numbers import not_booleans
from negbench.plain_values import NotPlainError, checked_text

CUT = "was cut off at the server's limit of tokens; raise it"
EMPTY = "is empty"
OTHER = "is by the model {!r:.60}, where earlier answers are by {!r:.60}; set model to the name of the one you mean"
WITHHELD = "(withheld by the server's content filter)"
"""Stored where a filter has kept an answer back, which is a refusal and no fault of the server's."""


class MissingKeyError(InputError):
    """There is no API key, without which nothing can be asked; answers that are kept can be read."""


class Chat(BaseModel):
    """How a part reaches a language model, by the official client."""

    _numbers = not_booleans

    fetching: ClassVar[frozenset[str]] = frozenset({"key", "budget", "retries", "timeout", "workers"})
    """Fields that say how answers are fetched, and not what they are."""

    model: str = Field(default="gpt-4o-mini", min_length=1, description="Name of the model, as the server has it.")
    server: str | None = Field(default=None, description="Base URL of an OpenAI-compatible server; null for OpenAI's.")
    key: str = Field(default="OPENAI_API_KEY", min_length=1, description="Environment variable that holds the API key.")
    budget: int = Field(
        default=10_000,
        ge=1,
        description=(
            "Largest number of requests per stage; a run with a larger budget goes on where a smaller one stopped."
        ),
    )
    retries: int = Field(
        default=3,
        ge=0,
        le=20,
        description="How often a request that failed, or whose reply holds no answer, is sent again.",
    )
    timeout: float = Field(default=60.0, gt=0, description="Timeout of a request, in seconds.")
    workers: int = Field(default=8, ge=1, le=64, description="Number of requests sent at the same time.")

    @field_validator("server")
    @classmethod
    def _is_an_address(cls, server: str | None) -> str | None:
        return None if server is None else checked_address(server)

    @field_validator("key")
    @classmethod
    def _names_a_variable(cls, key: str) -> str:
        return checked_variable(key)

    def require_key(self, who: str) -> str:
        """Return the API key; MissingKeyError, which begins with ``who``, where there is none."""
        key = os.environ.get(self.key, "").strip()
        if not key:
            raise MissingKeyError(f"{who}: the environment variable {self.key} holds no key; set it")
        return key

    def ask(self, who: str, instructions: str, texts: Sequence[str]) -> list[str]:
        """Return the answer to each text after ``instructions``; those that are kept in the store are not asked for.

        Raises InputError, which begins with ``who``, without a key, over the budget, and where the server refuses,
        does not answer, or gives replies without a whole answer or by another model than the first, which are not kept;
        what came by then is. What a model thought aloud is kept, too, and left out.
        """
        kept = Answers()
        names = [kept.name(self.server or "", self.model, instructions, text) for text in texts]
        by_name = kept.find(names)
        missing = {name: text for name, text in zip(names, texts, strict=True) if name not in by_name}
        if missing:
            by_name |= self._fetch(who, instructions, missing, kept)
        return [without_thoughts(by_name[name]) for name in names]

    def _fetch(self, who: str, instructions: str, missing: dict[str, str], kept: Answers) -> dict[str, str]:
        import openai

        key = self.require_key(who)
        client = openai.OpenAI(api_key=key, base_url=self.server, max_retries=self.retries, timeout=self.timeout)

        def fetch(name: str, text: str) -> tuple[str, str]:
            answer = self._answer(client, kept, instructions, text)
            kept.keep(name, answer)
            return name, answer

        allowed = list(missing.items())[: self.budget]
        fetched: dict[str, str] = {}
        late: list[str] = []
        broken: list[str] = []
        with ThreadPoolExecutor(self.workers) as pool:
            waiting = [pool.submit(fetch, *question) for question in allowed]
            for done in as_completed(waiting):
                try:
                    name, answer = done.result()
                    fetched[name] = answer
                except (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError) as error:
                    late.append(_reason(error, key))
                except BrokenReplyError as error:
                    broken.append(str(error).replace(key, HIDDEN))
                except openai.APIStatusError as error:
                    for other in waiting:
                        other.cancel()
                    # a server may repeat the key, and a chain of errors is written to a file as a whole
                    raise InputError(
                        f"{who}: the server refuses: {_reason(error, key)}; check the model, the address and the key"
                    ) from None
        goes_on = "the answers that came are kept, and a new run goes on from there"
        if late or broken:
            reasons = [f"{len(broken)} with a reply that {broken[0]}"] if broken else []
            reasons += [f"{len(late)} for: {late[0]}"] if late else []
            raise InputError(
                f"{who}: {len(late) + len(broken)} of {len(allowed)} requests were not answered "
                f"({'; '.join(reasons)}); {goes_on}"
            )
        if left := len(missing) - len(allowed):
            raise InputError(f"{who}: its budget of {self.budget} requests is spent, {left} are left; {goes_on}")
        return fetched

    def _answer(self, client: Any, kept: Answers, instructions: str, text: str) -> str:
        """Return the answer to one text, asked again while replies are broken; BrokenReplyError for the last one."""
        import openai

        fault: str | None = None
        for _ in range(self.retries + 1):
            try:
                reply: Any = client.chat.completions.create(
                    model=self.model,
                    temperature=0,
                    messages=[{"role": "system", "content": instructions}, {"role": "user", "content": text}],
                )
            except (openai.APIResponseValidationError, json.JSONDecodeError, UnicodeDecodeError):
                answer, fault = "", "is no JSON"
            else:
                answer, fault = read(reply)
                fault = fault or self._other_model(reply, kept)
            if fault is None:
                return answer
            if fault == CUT:  # it would be cut off again
                break
        raise BrokenReplyError(fault)

    def _other_model(self, reply: Any, kept: Answers) -> str | None:
        """Return what is wrong where another model than the first answers under this name; None if it names none."""
        answering = getattr(reply, "model", None)
        if not isinstance(answering, str) or not answering.strip():
            return None
        first = kept.first_model(kept.name(self.server or "", self.model), answering)
        return None if first == answering else OTHER.format(answering, first)


HIDDEN = "[the key]"
"""What stands in messages where a server repeats the API key."""


def _reason(error: Exception, key: str) -> str:
    """Return the cause of a client's error in one line, such as ``Connection refused``, without the key."""
    while (deeper := error.__cause__) is not None and isinstance(deeper, Exception):
        error = deeper
    text = " ".join(str(getattr(error, "message", None) or error).split()) or type(error).__name__
    return f"{text.replace(key, HIDDEN):.300}"


class BrokenReplyError(Exception):
    """A server's reply without a whole answer; the message says what it is."""


def read(reply: Any) -> tuple[str, str | None]:
    """Return the answer in a reply and None, or an empty answer and what is wrong with the reply.

    The client checks no types: a reply may be text, or lack any field. A refusal is an answer.
    """
    try:
        choice = reply.choices[0]
        answer, refusal = choice.message.content, getattr(choice.message, "refusal", None)
    except (AttributeError, TypeError, LookupError):
        said = getattr(reply, "error", None) or reply
        return "", f"holds no answer: {' '.join(str(said).split()):.80}"
    end = str(getattr(choice, "finish_reason", None)).lower()
    if end == "content_filter":
        return WITHHELD, None
    if end in ("length", "max_tokens", "model_length"):
        return "", CUT
    if end in ("error", "abort", "cancelled", "insufficient_system_resource"):
        return "", f"ended in the middle ({end})"
    text = answer or refusal
    if not isinstance(text, str) or not text.strip():
        return "", EMPTY
    try:
        return checked_text(text), None
    except NotPlainError:
        return "", "holds half a character"


def without_thoughts(answer: str) -> str:
    """Return what a model says after ``<think>...</think>``, which holds no answer; nothing if that never ends."""
    said = answer.rpartition("</think>")[2]
    return said.partition("<think>")[0]
