"""The site is built from this checkout alone, and every link in it leads somewhere."""

import html.parser
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fogcatcher
from catalogues import OTHERS, counts, file_of, is_the_same_everywhere, read, translated_pages
from extensions.docstrings import as_rst
from extensions.mathml import mathml
from fogcatcher.explain.equations import index
from lab_notebooks import DOCS, Lab, all_labs, messages

ROOT = DOCS.parent


def test_every_picture_is_in_the_gallery_and_every_page_in_the_contents():
    gallery = (DOCS / "gallery.md").read_text(encoding="utf-8")
    assert {path.name for path in DOCS.glob("*.png")} == set(re.findall(r"\]\(([\w-]+\.png)\)", gallery))
    contents = (DOCS / "index.md").read_text(encoding="utf-8").split()
    assert {path.stem for path in DOCS.glob("*.md")} - {"index"} <= set(contents)


def test_every_public_name_is_in_the_reference():
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    assert set(re.findall(r"auto(?:class|function):: fogcatcher\.(\w+)", page)) == set(fogcatcher.__all__)


def test_a_docstring_stays_as_it_is_written():
    said = "Return (B, *S) of ``x``.\n\n    x_s = a * b\n\nNot a_link_, `so`."
    assert as_rst(said) == (
        "Return (B, \\*S) of ``x``.\n\n::\n\n    x_s = a * b\n\nNot a\\_link\\_, \\`so\\`."
    )


def test_formulas_become_mathml_and_unknown_commands_are_refused():
    assert "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>" in mathml(r"\frac{a}{b}", "inline")
    with pytest.raises(ValueError, match="nosuch"):
        mathml(r"\nosuch{a}", "inline")


# --- other languages ----------------------------------------------------------------------------


@pytest.mark.parametrize("language", OTHERS)
def test_no_message_is_missing_fuzzy_or_obsolete(language: str):
    assert counts(language) == (0, 0, 0)


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("lab", all_labs(), ids=lambda lab: lab.name)
def test_the_catalogue_of_a_lab_is_that_of_its_text(lab: Lab, language: str):
    """Of the text as it stands, by the way of the notebooks; after a change: make catalogues."""
    file = file_of(f"labs/{lab.name}", language)
    if not file.exists():
        pytest.skip("not translated yet: make catalogues")
    known = {str(message.id) for message in read(file) if message.id}
    text = [cell.source for cell in lab.notebook.cells if cell.cell_type == "markdown"]
    assert set(messages("\n\n".join(text))) <= known


def test_code_and_formulas_need_no_translation():
    assert is_the_same_everywhere("`a b`, $x_t$ 1.", "index")
    assert is_the_same_everywhere("[data.md](data.md)", "index")
    assert not is_the_same_everywhere("`a` and $x_t$", "index")
    assert not is_the_same_everywhere("[the data](data.md)", "index")
    assert "labs/index" in translated_pages() and "experiments" not in translated_pages()


# --- the site itself ----------------------------------------------------------------------------


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links, self.loaded, self.names = list[str](), list[str](), set[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.names |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in ("img", "script", "link", "source", "iframe"):
            self.loaded += [given[name] for name in ("src", "href") if name in given]


def _read(page: Path) -> _Links:
    found = _Links()
    found.feed(page.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("site")
    build = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        "-d",
        str(out / "trees"),
    ]
    done = subprocess.run([*build, str(DOCS), str(out / "en")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out / "en"


@pytest.mark.slow
def test_every_link_leads_to_a_file_and_a_place_in_it_and_nothing_comes_from_outside(site: Path):
    pages = {page: _read(page) for page in site.rglob("*.html")}
    assert len(pages) > 100
    for page, found in pages.items():
        assert not [link for link in found.loaded if re.match(r"(https?:)?//", link)], page
        for link in found.links + found.loaded:
            path, _, place = re.sub(r"\?v=\w+", "", link).partition("#")
            if re.match(r"\w+:", link) or (not path and not place):
                continue
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), (page, link)
            if place and target in pages:
                assert place in pages[target].names, (page, link)


@pytest.mark.slow
def test_pages_have_what_they_promise(site: Path):
    api = (site / "api.html").read_text(encoding="utf-8")
    assert "Ho et al. 2020, equation 4" in api and "source/fogcatcher/diffusion/process.py.html#L" in api
    equations = (site / "equations.html").read_text(encoding="utf-8")
    assert all(entry.path in equations for entry in index())
    lab = (site / "labs" / "00-two-pixels.html").read_text(encoding="utf-8")
    loads_mathjax = "mathjax" in lab.lower().replace("mathjax_ignore", "")  # a class that MyST sets
    assert lab.count("<math") > 10 and "$$" not in lab and not loads_mathjax
    assert "searchindex.js" in (site / "search.html").read_text(encoding="utf-8")
    assert (site / "searchindex.js").stat().st_size > 10_000
