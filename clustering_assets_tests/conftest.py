"""What holds for all tests."""

from hypothesis import settings

# The same examples on every machine and no limit to the time of one, so that a slow or busy machine fails nothing;
# `pytest --hypothesis-profile=search` looks for new ones.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("steady")
