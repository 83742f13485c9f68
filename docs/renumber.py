"""Put the present line numbers into the links from docs/methods.md to the source.

python docs/renumber.py
"""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).with_name("methods.md")
LINK = re.compile(r"\[`(?P<name>\w+)[^`]*`\]\((?P<file>[\w./]+\.py)#L(?P<line>\d+)\)")


def line_of(name: str, file: Path) -> int:
    """Return the line that defines a class, a function or a constant. Raises ValueError if none does."""
    defines = re.compile(rf"\s*(class|def) {name}\b|{name}\b.*=")
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if defines.match(line):
            return number
    raise ValueError(f"{file} does not define {name}")


def renumbered(text: str) -> str:
    def link(found: re.Match[str]) -> str:
        line = line_of(found["name"], PAGE.parent / found["file"])
        return found[0].replace(f"#L{found['line']}", f"#L{line}")

    return LINK.sub(link, text)


if __name__ == "__main__":
    PAGE.write_text(renumbered(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
