"""Benches against the official SDK: `make bench`. One question per module of `benches.questions`."""
