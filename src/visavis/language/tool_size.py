"""How much text a tool's definition is: it goes to the language model with every question, and into what is kept."""

import json

from visavis.language.ports import Tool


def characters(tool: Tool) -> int:
    """Characters of its name and description, and of its parameters as JSON text."""
    return len(tool.name) + len(tool.description) + len(json.dumps(tool.parameters, ensure_ascii=False))
