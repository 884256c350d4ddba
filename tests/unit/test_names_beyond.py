"""The names that the official Python SDK has not: each is where its documentation says, and stays there."""

from __future__ import annotations

import importlib

import pytest

NAMES = {
    "": """ConcurrencyConfig ConcurrentExecutionItem DurablePromise PromiseCombinatorError PromiseTimeoutError
        SDK_VERSION create_class_serdes create_class_serdes_with_dates default_serdes retry_presets
        with_durable_execution""",
    "aio": "DurablePromise",
    "concurrency.models": "ConcurrentExecutionItem",
    "config": "ConcurrencyConfig CustomCompletionConfig ThresholdCompletionConfig",
    "exceptions": """DurableExecutionClientError DurableExecutionClientErrorScope PromiseCombinatorError
        PromiseTimeoutError is_durable_execution_client_error""",
    "execution": "DurableExecutionConfig PluginsConfig with_durable_execution",
    "filesystem_serdes": "create_filesystem_serdes",
    "lambda_service": "DurableExecutionApiClient DurableExecutionClient WireTimestamp",
    "logger": "DurableContextLogger DurableLogData DurableLoggingContext refresh_log_config",
    "plugin": """AttemptEndInfo AttemptInfo DURABLE_INSTRUMENTATION_PLUGIN_API_VERSION DurableInstrumentationPluginType
        PluginInvocationStatus PluginOperationStatus""",
    "retries": "retry_presets",
    "serdes": """AnySerDes SerDesConfig SerDesDeserializer Serdes SerdesContext create_class_serdes
        create_class_serdes_with_dates default_serdes""",
    "types": """ConcurrentExecutorFunc DurableExecutionHandler DurableLambdaHandler DurableLogger MapFunc RetryableFunc
        StepFunc WaitForConditionCheckFunc WaitForConditionWaitStrategyFunc""",
}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in NAMES.items() for name in names.split()]
)
def test_the_name_is_there(module: str, name: str) -> None:
    found = importlib.import_module(f"durable_execution_sdk.{module}".rstrip("."))
    assert getattr(found, name) is not None


def test_a_name_that_nobody_wrote_is_not() -> None:
    with pytest.raises(AttributeError):
        _ = importlib.import_module("durable_execution_sdk").NoSuchName
