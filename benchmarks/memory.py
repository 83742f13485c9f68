"""Peak memory of training and of drawing 64 sprites, each in a process of its own.

python benchmarks/memory.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

REPORT = (
    "from fogcatcher.base.memory import peak_memory_mb; print('peak memory', round(peak_memory_mb()), 'MB')"
)


def report(what: str, code: str) -> None:
    """Run ``code`` in a fresh interpreter and print its peak memory."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{REPORT}"], check=True, capture_output=True, text=True
    )
    print(f"{what:40s} {done.stdout.splitlines()[-1]}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        call = "from fogcatcher.cli.main import main; main"
        report("import torch", "import torch")
        report(
            "train sprites, 60 steps", f"{call}(['train', 'sprites', '--steps', '60', '--out', {str(run)!r}])"
        )
        report("sample 64 sprites", f"{call}(['sample', 'sprites', '-n', '64', '--out', {folder!r}])")


if __name__ == "__main__":
    main()
