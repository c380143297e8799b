"""The one error that users see: a line that says what is wrong, where, and what to do about it."""


class InputError(ValueError):
    """Something the user gave (a file, a key, an id) is wrong.

    The message is one line: the place (file and line, or key), what was found, what was expected and what to
    do. The command line prints it without a traceback and exits with code 2.
    """
