"""The agent: its prompt, its tools, its model, and where its conversations are kept."""

from pathlib import Path

from dotenv import load_dotenv

# What the environment sets wins over the file.
load_dotenv(Path(__file__).parent.parent / ".env")
