"""All that is wrong with the data: told at once in the log, and the first of it as the job's reason."""

from failure import InputError

SHOWN = 50


class Problems:
    """Lines of what is wrong, in the order in which they were found."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        self.lines.append(line)

    def end(self) -> None:
        """Raise InputError with the first, if there are any, after all were printed."""
        if not self.lines:
            return
        if len(self.lines) > 1:
            print(f"{len(self.lines)} problems:", *self.lines[:SHOWN], sep="\n")
            if len(self.lines) > SHOWN:
                print(f"and {len(self.lines) - SHOWN} more")
        raise InputError(self.lines[0])
