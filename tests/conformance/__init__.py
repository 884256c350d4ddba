"""The public conformance requirements, each with a handler of ours, over the embedded engine.

The requirements are data of aws/aws-durable-execution-conformance-tests (Apache-2.0) and no part of this repository:
the environment variable `DURABLE_CONFORMANCE` names the folder that holds them. `validator` judges, `running` runs.
"""
