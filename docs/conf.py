"""How the site is built:  make docs

Everything comes from this checkout; nothing is fetched, when it is built or when it is read. Two variables of
the environment count: ``CATALOGUES``, set while the messages to translate are collected, and
``SITE_LANGUAGES``, the languages that are built beside each other.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

from sphinx.deprecation import RemovedInSphinx10Warning

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))
# What myst-nb calls is no concern of who writes these pages.
warnings.filterwarnings("ignore", category=RemovedInSphinx10Warning)

from extensions.lab_outputs import executed_before, labs_without_outputs  # noqa: E402
from fogcatcher.base.version import __version__  # noqa: E402

project = "Fogcatcher"
author = "the authors of Fogcatcher"
project_copyright = "Apache-2.0"
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "extensions.mathml",
    "extensions.docstrings",
    "extensions.source_pages",
    "extensions.command_pages",
    "extensions.equation_page",
    "extensions.module_page",
]
exclude_patterns = ["_templates", "locale", "examples"]
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type"]
nitpicky = False

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_url_schemes = dict.fromkeys(("http", "https", "mailto", "source"))
nb_execution_mode = "cache" if executed_before() else "off"
nb_execution_cache_path = str(DOCS.parent / "build" / "labs")
nb_execution_excludepatterns = labs_without_outputs()
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_render_image_options = {"class": "pixels"}
nb_code_prompt_show = "{type}"
nb_code_prompt_hide = "{type}"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
toc_object_entries = False

language = "en"
locale_dirs = ["locale"]
gettext_compact = False
gettext_location = False
gettext_uuid = False
if os.environ.get("CATALOGUES"):
    from catalogues import only_translated

    exclude_patterns += only_translated()

html_theme = "furo"
html_title = "Fogcatcher"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
templates_path = ["_templates"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "languages.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_context = {"site_languages": os.environ.get("SITE_LANGUAGES", "").split()}
