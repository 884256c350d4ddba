"""The agent: one `async def` function.

Every model turn and every tool call is a step, so a crash or a night of waiting for an approval costs nothing and
repeats nothing. Tools that only look run side by side; tools that spend wait for a human. A durable timer bounds it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from durable_execution_sdk import AsyncDurableContext, StepContext, durable_execution
from durable_execution_sdk.config import Duration
from examples.agent import model

NEEDS_APPROVAL = {"book"}
MAX_TURNS = 8


async def call_tool(context: AsyncDurableContext, call: model.ToolCall, outbox: list[str]) -> str:
    """One tool call, approved by a human first if it spends anything."""
    tool, argument = call["tool"], call["argument"]
    if tool in NEEDS_APPROVAL:

        def ask(callback_id: str, _: Any) -> None:
            outbox.append(callback_id)

        answer = await context.wait_for_callback(ask, name=f"approve {tool} {argument}")
        if answer != "yes":
            return f"result {tool} {argument} refused"

    async def run(_: StepContext) -> str:
        return await model.weather(argument)

    body = run if tool == "weather" else (lambda _: model.book(argument))
    return f"result {tool} {await context.step(body, name=f'{tool} {argument}')}"


async def think(context: AsyncDurableContext, turn: int, conversation: list[str]) -> model.Reply:
    """One turn of the model."""

    async def complete(_: StepContext) -> model.Reply:
        return await model.complete(conversation)

    return await context.step(complete, name=f"turn {turn}")


async def converse(context: AsyncDurableContext, question: str, outbox: list[str]) -> str:
    """Let the model talk and act until it has an answer."""
    conversation = [question]
    for turn in range(1, MAX_TURNS + 1):
        reply = await think(context, turn, conversation)
        if reply["answer"] is not None:
            return reply["answer"]
        # Tool calls of one turn run side by side: each task numbers its own operations.
        conversation += await asyncio.gather(*(call_tool(context, call, outbox) for call in reply["calls"]))
    return "no answer after so many turns"


OUTBOX: list[str] = []
"""Where approvals are asked for; a real agent sends a mail or a message."""


@durable_execution
async def agent(event: dict[str, Any], context: AsyncDurableContext) -> str:
    """Answer `event["question"]` within `event["budget_hours"]`."""
    work = asyncio.create_task(converse(context, event["question"], OUTBOX))
    budget = context.wait(Duration.from_hours(event.get("budget_hours", 24)), name="budget")
    done, _ = await asyncio.wait([work, budget], return_when=asyncio.FIRST_COMPLETED)
    if work in done:
        return await work
    return "the budget of time is used up"
