"""The entry point of the command `retrain`, whose imports take longer than most of its work."""

import gc
import os

from retraining.runs import interruption


def main() -> None:
    """Load and run the command; an interruption while it loads is no traceback either."""
    interruption.install()
    # Modules are no garbage: looking for some while they load costs a tenth of the time.
    gc.disable()
    # Looking for plugins, pydantic reads the metadata of every installed package; none concerns us.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        from retraining.cli import app
    except BaseException:
        if interruption.received():
            interruption.end()
        raise
    gc.enable()
    app.main()


if __name__ == "__main__":
    main()
