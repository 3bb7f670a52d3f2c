"""The one exception that this project raises on purpose."""


class PipelineError(Exception):
    """Something a user can cause or mend: the message says what, where, expected, found, what to do."""
