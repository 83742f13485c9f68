"""``python -m fogcatcher`` is the command ``fogcatcher``."""

from fogcatcher.cli.main import main

if __name__ == "__main__":
    main()
