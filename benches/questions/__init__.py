"""One question per module: `measure(sdk, **arguments)` runs in a worker and answers with one number."""
