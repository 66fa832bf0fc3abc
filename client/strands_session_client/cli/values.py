"""Merges YAML files, their comments and order kept."""

from collections.abc import Mapping, MutableMapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from strands_session_client.cli.console import Refusal


def load(text: str, name: str) -> Any:
    """The document in the text. Raises Refusal, which calls it by its name, when it is not YAML."""
    documents = load_all(text, name)
    if len(documents) > 1:
        raise Refusal(f"{name} holds more than one document.")
    return (documents or [None])[0] or {}


def load_all(text: str, name: str) -> list[Any]:
    """The documents in the text; raises as `load` does."""
    try:
        return list(_yaml().load_all(text))
    except YAMLError as failure:
        raise Refusal(f"{name} is not YAML: {failure}") from failure


def dump(document: Any) -> str:
    """The document as text."""
    return dump_all([document])


def dump_all(documents: list[Any]) -> str:
    """The documents as text."""
    text = StringIO()
    _yaml().dump_all(documents, text)
    return text.getvalue()


def merged(defaults: str, changed: Mapping[str, Any]) -> str:
    """The defaults with their comments, and wherever something was changed, that."""
    document = load(defaults, "the chart's values")
    _merge(document, changed)
    return dump(document)


def _merge(document: MutableMapping[str, Any], changed: Mapping[str, Any]) -> None:
    for name, value in changed.items():
        mine = document.get(name)
        if isinstance(mine, MutableMapping) and isinstance(value, Mapping) and mine and value:
            _merge(mine, value)
        elif name not in document or mine != value:
            document[name] = value


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
