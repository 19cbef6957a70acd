"""`python code/server.py --config config/NAME.yml`: the same as `lightbulb serve`."""

import sys

from lightbulb.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
