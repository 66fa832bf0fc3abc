"""A model without a cloud account: it plays a script, so an example runs anywhere and a test knows every word."""

import copy
import json
import re
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from strands.models import Model
from strands.types.content import ContentBlock, Messages
from strands.types.streaming import RedactContentEvent, StopReason, StreamEvent


@dataclass(frozen=True)
class Answer:
    """What the model says in one call: its texts and tool uses, and what a guardrail replaces.

    The stop reason is `tool_use` or `end_turn`, whichever fits the content, if it is not given.
    """

    content: list[ContentBlock]
    stop_reason: StopReason | None = None
    redact_user: str | None = None
    redact_assistant: str | None = None


# A function is called with the conversation; an exception is raised, as a provider would.
Line = str | Answer | Exception | Callable[[Messages], "Line"]


class ScriptedModel(Model):
    """Says one line of its script per call. `seen` is the conversation that each call was given."""

    def __init__(self, script: Iterable[Line]) -> None:
        self.seen: list[Messages] = []
        self._script = iter(script)
        self._config: dict[str, Any] = {"model_id": "scripted"}

    async def stream(self, messages: Messages, *args: Any, **kwargs: Any) -> AsyncGenerator[StreamEvent, None]:
        """The next line of the script, as the events in which a provider streams it."""
        self.seen.append(copy.deepcopy(messages))
        line = next(self._script, RuntimeError("The script has no further line."))
        while callable(line):
            line = line(messages)
        if isinstance(line, Exception):
            raise line
        for event in _events(Answer([{"text": line}]) if isinstance(line, str) else line):
            yield event

    def structured_output(self, *args: Any, **kwargs: Any) -> AsyncGenerator[dict[str, Any], None]:
        raise NotImplementedError("A script has no structured output.")

    def update_config(self, **model_config: Any) -> None:
        self._config.update(model_config)

    def get_config(self) -> dict[str, Any]:
        return self._config


class MemoryModel(ScriptedModel):
    """Knows nothing but the conversation: asked "What is my …?" it answers from an earlier "My … is …."."""

    def __init__(self) -> None:
        super().__init__(repeat(recall))


def tool_use(tool: str, **arguments: Any) -> ContentBlock:
    """A call of the tool with these arguments, for an answer's content."""
    return {"toolUse": {"toolUseId": f"tooluse_{uuid.uuid4().hex[:12]}", "name": tool, "input": arguments}}


def recall(messages: Messages) -> str:
    """What the MemoryModel says to this conversation."""
    said = [block["text"] for message in messages for block in message["content"] if "text" in block]
    asked = re.search(r"what is my (.+)\?", said[-1], re.IGNORECASE)
    if asked is None:
        return "I will remember that."
    told = dict(re.findall(r"^My (.+) is (.+)\.", "\n".join(said), re.MULTILINE))
    if asked[1] not in told:
        return f"You have not told me your {asked[1]}."
    return f"Your {asked[1]} is {told[asked[1]]}."


def _events(answer: Answer) -> Iterable[StreamEvent]:
    yield {"messageStart": {"role": "assistant"}}
    for block in answer.content:
        if "toolUse" in block:
            call = block["toolUse"]
            yield {"contentBlockStart": {"start": {"toolUse": {"toolUseId": call["toolUseId"], "name": call["name"]}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(call["input"])}}}}
        else:
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": block["text"]}}}
        yield {"contentBlockStop": {}}
    fitting: StopReason = "tool_use" if any("toolUse" in block for block in answer.content) else "end_turn"
    yield {"messageStop": {"stopReason": answer.stop_reason or fitting}}
    redaction: RedactContentEvent = {}
    if answer.redact_user is not None:
        redaction["redactUserContentMessage"] = answer.redact_user
    if answer.redact_assistant is not None:
        redaction["redactAssistantContentMessage"] = answer.redact_assistant
    if redaction:
        yield {"redactContent": redaction}
