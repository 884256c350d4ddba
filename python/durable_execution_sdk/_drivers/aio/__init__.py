"""The asyncio driver: `async def` handlers on the same decisions, history and ids as `def` handlers."""
