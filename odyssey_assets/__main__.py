"""``python -m odyssey_assets`` is the ``odyssey`` command."""

from odyssey_assets.cli import main

main()
