"""What a person waits for before anything happens: imports and help, best of several fresh processes.

python benchmarks/startup.py
"""

import subprocess
import sys
import time

RUNS = 7


def best(code: str) -> float:
    """Return the least seconds of a fresh interpreter that runs ``code``."""
    durations = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        durations.append(time.perf_counter() - start)
    return min(durations)


def main() -> None:
    names = "Model, Denoiser, Process, Objective, load, train, sample, fit"
    torch = best("import torch")
    bare = best("import torch, fogcatcher")
    everything = best(f"import torch; from fogcatcher import {names}")
    show_help = best("import sys; sys.argv[1:] = ['--help']; from fogcatcher.cli.main import main; main()")
    print(f"import torch                        {torch:.3f} s")
    print(f"import fogcatcher, beyond torch     {bare - torch:+.3f} s")
    print(f"all public names, beyond torch      {everything - torch:+.3f} s")
    print(f"fogcatcher --help                   {show_help:.3f} s")


if __name__ == "__main__":
    main()
