"""``python -m fogcatcher`` is the command ``fogcatcher``: both come through this door."""

import signal


def main() -> None:
    """Run the command line. Ctrl-C while all is still being imported ends it, and says nothing."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from fogcatcher.cli.main import main as run

    signal.signal(signal.SIGINT, before)
    run()


if __name__ == "__main__":
    main()
