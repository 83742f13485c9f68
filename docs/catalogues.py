"""The texts of the site in other languages.

    python docs/catalogues.py --update             after a text changed: bring it into the catalogues
    python docs/catalogues.py --count              missing, fuzzy and obsolete messages of each language
    python docs/catalogues.py --missing es         what is to be translated, as JSON: page -> list of messages
    python docs/catalogues.py --fill es FILE.json  message -> translation, from a JSON file

Translated are the start page, the labs and the overview of how-tos. A message is Markdown: `code`, $formulas$
and where [links](x.md) lead stay as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from sphinx_intl.catalog import dump_po

from lab_notebooks import DOCS, LANGUAGES, LOCALE, formulas

TEMPLATES = DOCS.parent / "build" / "gettext"
OTHERS = LANGUAGES[1:]
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_NOTHING_TO_SAY = re.compile(r"(?:`[^`]+`|\$[^$]+\$|\[([\w/.-]+)\]\(\1\)|[\d\W_])+")


def translated_pages() -> list[str]:
    """Return the names of the pages that are translated, as "labs/00-two-pixels"."""
    labs = sorted(path.relative_to(DOCS).with_suffix("").as_posix() for path in (DOCS / "labs").glob("*.md"))
    return ["index", "how-to", *labs]


def only_translated() -> list[str]:
    """Return patterns that leave out of a build all pages but those that are translated."""
    pages = {f"{page}.md" for page in translated_pages()}
    folders = ["commands", "extensions"]
    return folders + [path.name for path in DOCS.glob("*.md") if path.name not in pages]


def file_of(page: str, language: str) -> Path:
    """Return the catalogue of a page."""
    return LOCALE / language / "LC_MESSAGES" / f"{page}.po"


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)


def catalogues(language: str) -> Iterator[tuple[str, Path, Catalog]]:
    """Yield each page that has a catalogue with it."""
    for page in translated_pages():
        path = file_of(page, language)
        if path.exists():
            yield page, path, read(path)


def said(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def missing(language: str) -> dict[str, list[str]]:
    """Return the messages of each page that have no translation, or one of an earlier text."""
    found = {
        page: [str(m.id) for m in said(catalogue) if not m.string or m.fuzzy]
        for page, _, catalogue in catalogues(language)
    }
    return {page: messages for page, messages in found.items() if messages}


def counts(language: str) -> tuple[int, int, int]:
    """Return how many messages are missing, fuzzy and obsolete."""
    all_of = [catalogue for _, _, catalogue in catalogues(language)]
    messages = [message for catalogue in all_of for message in said(catalogue)]
    return (
        sum(not m.string for m in messages),
        sum(m.fuzzy for m in messages),
        sum(len(catalogue.obsolete) for catalogue in all_of),
    )


def fill(language: str, translations: Mapping[str, str]) -> int:
    """Set the translations in every catalogue that has the message; return how many were set.

    A translation that is there and not fuzzy is replaced too.
    """
    done = 0
    for _, path, catalogue in catalogues(language):
        here = [message for message in said(catalogue) if message.id in translations]
        for message in here:
            message.string = translations[str(message.id)]
            message.flags.discard("fuzzy")
        if here:
            dump_po(str(path), catalogue, width=0)
        done += len(here)
    return done


def is_the_same_everywhere(message: str, page: str) -> bool:
    """Whether a message holds nothing but code, formulas and names of files."""
    if _NOTHING_TO_SAY.fullmatch(message):
        return True
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    return message in [" ".join(formula.split()) for formula in formulas(text)] + formulas(text)


def update() -> None:
    """Collect the messages of all pages, and bring them into the catalogues. Raises CalledProcessError."""
    build = [sys.executable, "-m", "sphinx", "-q", "-E", "-b", "gettext", str(DOCS), str(TEMPLATES)]
    subprocess.run(build, check=True, env=os.environ | {"CATALOGUES": "1"}, stderr=subprocess.DEVNULL)
    for template in TEMPLATES.rglob("*.pot"):
        if template.relative_to(TEMPLATES).with_suffix("").as_posix() not in translated_pages():
            template.unlink()
    intl = [sys.executable, "-m", "sphinx_intl", "update", "-p", str(TEMPLATES), "-d", str(LOCALE), "-w", "0"]
    languages = [argument for language in OTHERS for argument in ("-l", language)]
    subprocess.run([*intl, "--no-obsolete", *languages], check=True, stdout=subprocess.DEVNULL)
    for language in OTHERS:
        for page, path, catalogue in catalogues(language):
            for message in said(catalogue):
                if is_the_same_everywhere(str(message.id), page):
                    message.string = message.id
            # A date that changes with every update says nothing and fills the history.
            catalogue.creation_date = catalogue.revision_date = BEGINNING
            catalogue.header_comment = f"# {page} in the language {language}"
            catalogue.fuzzy = False
            dump_po(str(path), catalogue, width=0)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--update", action="store_true")
    what.add_argument("--count", action="store_true")
    what.add_argument("--missing", choices=OTHERS)
    what.add_argument("--fill", nargs=2, metavar=("LANGUAGE", "FILE"))
    asked = parser.parse_args(arguments)
    if asked.update:
        update()
    if asked.missing:
        print(json.dumps(missing(asked.missing), indent=1, ensure_ascii=False))
    if asked.fill:
        language, file = asked.fill
        print(f"{fill(language, json.loads(Path(file).read_text(encoding='utf-8')))} messages set")
    if asked.update or asked.count:
        for language in OTHERS:
            print("{}: {} missing, {} fuzzy, {} obsolete".format(language, *counts(language)))
        for page in translated_pages():
            if not all(file_of(page, language).exists() for language in OTHERS):
                print(f"{page} has no catalogue yet: --update makes it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
