"""`python -m durable_execution_sdk.cli`."""

from durable_execution_sdk.cli import main

main()
