"""One wording for every refused argument: its name, what is allowed, and the value that was given."""

from __future__ import annotations

from durable_execution_sdk._model.errors import ValidationError

SUB_TYPE_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
SUB_TYPE_LENGTH = 32
NAME_LENGTH = 256


def refusal(argument: str, value: object, allowed: str) -> ValidationError:
    """The error to raise: "<argument> must be <allowed>, got: <value>"."""
    text = repr(value)
    if len(text) > 200:
        text = f"{text[:200]}..."
    return ValidationError(f"{argument} must be {allowed}, got: {text}")


def check_whole(argument: str, value: object, least: int, allowed: str) -> None:
    """Accept whole numbers from `least` on."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise refusal(argument, value, allowed)


def check_callable(argument: str, value: object) -> None:
    """Accept what can be called."""
    if not callable(value):
        raise refusal(argument, value, "callable")


def check_config(value: object, kind: type) -> None:
    """Accept None, a `kind`, and what has all its fields: another configuration may serve here, too."""
    if value is None or isinstance(value, kind):
        return
    if not all(hasattr(value, field) for field in kind.__dataclass_fields__):  # type: ignore[attr-defined]  # all kinds are
        raise refusal("config", value, f"of type {kind.__name__} or None")


def check_name(value: object) -> None:
    """Accept what the Lambda API takes as the name of an operation; None and "" are no name."""
    if value is None or value == "":
        return
    if not isinstance(value, str) or len(value) > NAME_LENGTH or not (value.isascii() and value.isprintable()):
        raise refusal("name", value, f"1 to {NAME_LENGTH} printable ASCII characters, or None (Lambda API)")


def check_function_name(value: object) -> None:
    """Accept what may be the name of a Lambda function."""
    if not isinstance(value, str) or not value:
        raise refusal("function_name", value, "the name or ARN of a function")


def check_optional_callable(argument: str, value: object) -> None:
    """Accept None, and what can be called."""
    if value is not None and not callable(value):
        raise refusal(argument, value, "callable or None")


def check_optional_serdes(
    argument: str, value: object, methods: tuple[str, ...] = ("serialize", "deserialize")
) -> None:
    """Accept None, and what has the methods of a serializer."""
    if value is not None and not all(callable(getattr(value, method, None)) for method in methods):
        raise refusal(argument, value, f"None or a SerDes (an object with {' and '.join(methods)})")


def check_sub_type(argument: str, value: object) -> None:
    """Accept what the Lambda API takes as subtype; None and "" select the default."""
    if value is None or value == "":
        return
    if not isinstance(value, str) or len(value) > SUB_TYPE_LENGTH or not SUB_TYPE_CHARACTERS.issuperset(value):
        raise refusal(argument, value, f"1 to {SUB_TYPE_LENGTH} of A-Z, a-z, 0-9, hyphen and underscore, or None")
