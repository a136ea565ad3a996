"""``python -m visavis``: the command line, also where its script is not on the path."""

from visavis.cli import main

main()
