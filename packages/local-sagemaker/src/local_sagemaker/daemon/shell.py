"""What services take over from the shell that starts them."""

from collections.abc import Mapping

# What any program needs. The rest of a shell may be secret: keys, tokens, proxies with passwords.
_NAMES = (
    "HOME",
    "LANG",
    "LANGUAGE",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "PATH",
    "PYTHONPATH",
    "TMPDIR",
    "TZ",
    "USER",
)
_PREFIXES = ("LC_",)
_NOT_FOR_PIP = ("AWS_", "PYTHON")


def for_services(shell: Mapping[str, str]) -> dict[str, str]:
    """The variables that a process which stays in the background gets: any process of the user reads them."""
    return {name: value for name, value in shell.items() if name in _NAMES or name.startswith(_PREFIXES)}


def for_pip(shell: Mapping[str, str]) -> dict[str, str]:
    """The variables with which requirements are installed: the user's settings of indexes and proxies."""
    return {name: value for name, value in shell.items() if not name.startswith(_NOT_FOR_PIP)}
