"""How Sphinx builds the manual."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "glance_mini"
author = "the glance_mini developers"
copyright = f"2026, {author}"  # noqa: A001 (the name that Sphinx wants)

extensions = [
    *("oslo_config.sphinxext", "oslo_policy.sphinxext", "sphinx_copybutton"),
    *("command_reference", "operation_tables"),
]
exclude_patterns = []
nitpicky = True

html_theme = "furo"
html_title = "glance_mini"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}

# A copied command comes without its prompt, and without what the command prints.
copybutton_prompt_text = "$ "
copybutton_line_continuation_character = "\\"
copybutton_exclude = ".linenos, .gp"
