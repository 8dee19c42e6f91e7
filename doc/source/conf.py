"""How Sphinx builds the manual."""

project = "glance_mini"
author = "the glance_mini developers"
copyright = f"2026, {author}"  # noqa: A001 (the name that Sphinx wants)

extensions = ["oslo_config.sphinxext", "oslo_policy.sphinxext"]
html_theme = "alabaster"
html_theme_options = {"description": "An image service that speaks the OpenStack Images API v2"}
exclude_patterns = []
nitpicky = True
