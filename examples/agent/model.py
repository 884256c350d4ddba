"""A scripted model: it answers as a real one would, from a script and without a network."""

from __future__ import annotations

import asyncio
from typing import TypedDict


class ToolCall(TypedDict):
    """What the model wants done."""

    tool: str
    argument: str


class Reply(TypedDict):
    """What the model says: more tool calls, or an answer."""

    calls: list[ToolCall]
    answer: str | None


async def complete(conversation: list[str]) -> Reply:
    """The model's next turn."""
    await asyncio.sleep(0)  # where a real client would wait for the network
    results = [line for line in conversation if line.startswith("result ")]
    if not results:
        cities = ["Lisbon", "Oslo", "Vienna"]
        return {"calls": [{"tool": "weather", "argument": city} for city in cities], "answer": None}
    if any(line.endswith("refused") for line in results):
        return {"calls": [], "answer": "nothing booked"}
    if not any("booked" in line for line in results):
        warmest = max(results, key=lambda line: int(line.rsplit(" ", 1)[1]))
        return {"calls": [{"tool": "book", "argument": warmest.split(" ")[2]}], "answer": None}
    return {"calls": [], "answer": results[-1].removeprefix("result book ")}


async def weather(city: str) -> str:
    """A tool that only looks."""
    await asyncio.sleep(0)
    return f"{city} {len(city) * 4}"


def book(city: str) -> str:
    """A tool that spends money; a blocking client, for once."""
    return f"booked a trip to {city}"
