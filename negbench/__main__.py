"""``python -m negbench``: the command line."""

from negbench.cli import main

if __name__ == "__main__":
    main()
