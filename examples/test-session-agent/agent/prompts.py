"""What the agent is told about itself."""

SYSTEM_PROMPT = "You are a helpful assistant. Remembers what it is told, whatever happens to its process."
