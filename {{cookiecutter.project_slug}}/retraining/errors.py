"""The one error that users see."""


class UserError(Exception):
    """Something a user can cause and mend: one line that says what was wrong, where, and what to do.

    The command line prints it and ends with exit code 2.
    """
