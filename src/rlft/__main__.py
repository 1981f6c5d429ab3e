"""`python -m rlft`, for launchers such as torchrun."""

from rlft.cli import main

main()
