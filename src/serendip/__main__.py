"""``python -m serendip`` is the command ``serendip``."""

from serendip.cli import main

main()
