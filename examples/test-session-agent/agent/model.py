"""Which model the agent speaks through, as MODEL says."""

import os
import re
from collections.abc import AsyncGenerator
from typing import Any

from strands.models import BedrockModel, Model
from strands.types.content import Messages
from strands.types.streaming import StreamEvent


def make_model() -> Model:
    """Amazon Bedrock with the model id in MODEL, or with the SDK's own choice; `scripted` needs no cloud account."""
    name = os.environ.get("MODEL")
    if name == "scripted":
        return ScriptedModel()
    return BedrockModel(model_id=name) if name else BedrockModel()


class ScriptedModel(Model):
    """Knows nothing but the conversation: asked "What is my …?" it answers from an earlier "My … is …."."""

    async def stream(self, messages: Messages, *args: Any, **kwargs: Any) -> AsyncGenerator[StreamEvent, None]:
        """The answer, a word at a time, as a provider streams it."""
        yield {"messageStart": {"role": "assistant"}}
        yield {"contentBlockStart": {"start": {}}}
        for word in re.findall(r"\S+\s*", _recall(messages)):
            yield {"contentBlockDelta": {"delta": {"text": word}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn"}}

    def structured_output(self, *args: Any, **kwargs: Any) -> AsyncGenerator[dict[str, Any], None]:
        raise NotImplementedError("A script has no structured output.")

    def update_config(self, **model_config: Any) -> None:
        """There is nothing to configure."""

    def get_config(self) -> dict[str, Any]:
        return {"model_id": "scripted"}


def _recall(messages: Messages) -> str:
    said = [block["text"] for message in messages for block in message["content"] if "text" in block]
    asked = re.search(r"what is my (.+)\?", said[-1], re.IGNORECASE)
    if asked is None:
        return "I will remember that."
    told = dict(re.findall(r"^My (.+) is (.+)\.", "\n".join(said), re.MULTILINE))
    if asked[1] not in told:
        return f"You have not told me your {asked[1]}."
    return f"Your {asked[1]} is {told[asked[1]]}."
