"""Settings of all tests."""

from hypothesis import settings

# The first example of a test may compile its kernels; tests assert what is right, never how fast.
settings.register_profile("serendip", deadline=None)
settings.load_profile("serendip")
