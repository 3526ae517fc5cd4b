"""`python -m arkway` is the `arkway` command."""

import sys

from arkway.cli import main

if __name__ == "__main__":
    sys.exit(main())
