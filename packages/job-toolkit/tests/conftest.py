"""Property tests have no deadline: the first example may compile something, and machines are busy."""

from hypothesis import settings

current = settings.get_current_profile_name()
settings.register_profile("without-deadline", settings.get_profile(current), deadline=None)
settings.load_profile("without-deadline")
