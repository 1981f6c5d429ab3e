"""`python -m rlft`, for launchers such as torchrun."""

from rlft.tool.main import main

main()
