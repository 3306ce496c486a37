"""What a user sees when something can't be done: one clear line and an exit code."""

import click


class Failure(click.ClickException):
    """The command was understood but could not do its work; exit code 1."""

    exit_code = 1


class Refusal(click.ClickException):
    """What the user gave (a flag, a file, an environment variable) can't be used; exit code 2."""

    exit_code = 2


def root_cause(error: BaseException) -> BaseException:
    """Return the first error inside nested exception groups, or `error` itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def one_line(error: BaseException) -> str:
    """Return what went wrong as one line for a user, without a traceback."""
    cause = root_cause(error)
    text = str(cause).partition("\n")[0] or "no details"
    understood = isinstance(cause, click.ClickException | OSError | ValueError)
    return text if understood else f"{type(cause).__name__}: {text}"
