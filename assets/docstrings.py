"""Docstrings for the site: Sphinx's roles become code, and lines that describe a parameter become a list."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):`~?(?:[\w.]*\.)?(\w+)`")
PARAMETER = re.compile(r"^([a-z_]\w*(?:, [a-z_]\w*)*): ", re.MULTILINE)


class Docstrings(griffe.Extension):
    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            text = ROLE.sub(r"`\1`", obj.docstring.value)
            first = PARAMETER.search(text)
            if first:  # a list begins after an empty line
                text = text[: first.start()] + "\n" + PARAMETER.sub(r"- **\1**: ", text[first.start() :])
            obj.docstring.value = text
