"""The site: each page is a notebook in plain Markdown, whose blocks of Python run when it is built (`make docs`).

A page reads well where it lies, on a code host, and opens in Jupyter by Jupytext. A block may carry
tags behind its language, as `python tags=["remove-input"]`. Where one fails, the build fails.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
# What kernels need: the helpers beside this file, one thread, and no remarks of TensorFlow on the machine.
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
# And a profile of IPython that is nobody's own.
profile = Path(tempfile.mkdtemp(prefix="eigengrad-docs-")) / "profile_default"
atexit.register(shutil.rmtree, profile.parent, ignore_errors=True)
profile.mkdir()
settings = ("c.IPKernelApp.log_level = 'ERROR'", "c.HistoryManager.enabled = False")
(profile / "ipython_kernel_config.py").write_text("\n".join(settings))
os.environ.update(IPYTHONDIR=str(profile.parent), OMP_NUM_THREADS="1", JAX_PLATFORMS="cpu")
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")
logging.getLogger("traitlets").setLevel(logging.WARNING)

project, author = "eigengrad", "The eigengrad developers"
copyright = "The eigengrad developers"
release = version = metadata.version("eigengrad")

extensions = ["myst_nb", "sphinx_design", "sphinx.ext.autodoc", "tabs", "reference"]
source_suffix = {".md": "myst-nb"}
exclude_patterns = ["_static"]
nitpicky = True
smartquotes = False

nb_custom_formats = {".md": ["pages.notebook", {}, False]}
nb_execution_mode = "auto"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_output_stderr = "warn"
nb_merge_streams = True
nb_mime_priority_overrides = [("html", "text/html", 0), ("html", "text/markdown", 1)]
nb_render_markdown_format = "myst"
myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 3

autodoc_default_options = {"members": False}
autodoc_typehints = "none"
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "eigengrad"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"top_of_page_buttons": []}
pygments_style, pygments_dark_style = "a11y-light", "a11y-dark"

#: Pages that a table of contents names, and that may not have been written: each is left out where it is not there.
OPTIONAL = ("batches", "distributed", "speed")


def setup(app: Any) -> None:
    def present(app: Any, name: str, source: list[str]) -> None:
        missing = [page for page in OPTIONAL if not (HERE / f"{page}.md").exists()]
        if name == "index" and missing:
            source[0] = re.sub(rf"^({'|'.join(missing)})\n", "", source[0], flags=re.MULTILINE)

    app.connect("source-read", present)
