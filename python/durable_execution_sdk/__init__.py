"""Durable execution: write a long workflow as one ordinary function, on AWS Lambda or on your own machine."""

from durable_execution_sdk._edges.ambient import connect_ambient

connect_ambient()
del connect_ambient

__all__: list[str] = []
