"""YAML with line numbers: the plain data of a file, and on which line each part of it stands."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

import yaml

Path = tuple[str | int, ...]


class ScenarioError(ValueError):
    """What is wrong with a scenario, in one line: file, line, fault and remedy."""


class Source:
    """A YAML file as data, with the line of every path into it."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self._lines: dict[Path, int] = {(): 1}
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            if root is not None:
                self._note(root, ())
            self.data: Any = yaml.safe_load(text)
        except yaml.YAMLError as e:
            mark = getattr(e, "problem_mark", None)
            problem = " ".join(str(getattr(e, "problem", None) or e).split())
            line = mark.line + 1 if mark else 1
            remedy = 'check the indentation, and put values with ":" or "{" in quotes'
            raise ScenarioError(f"{file}:{line}: not readable as YAML: {problem}; {remedy}") from e

    @classmethod
    def read(cls, path: FilePath) -> Source:
        """Read a file.

        Raises:
            ScenarioError: It cannot be read, or is no YAML.
        """
        try:
            return cls(str(path), path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as e:
            raise ScenarioError(f"{path}:1: the file cannot be read: {e}; name a file, or one of the library") from e

    def _note(self, node: yaml.Node, path: Path) -> None:
        if path:
            self._lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            self._note_mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            for i, child in enumerate(node.value):
                self._note(child, (*path, i))

    def _note_mapping(self, node: yaml.MappingNode, path: Path) -> None:
        seen: set[str] = set()
        for key, child in node.value:
            name = str(key.value)
            if name in seen and name != "<<":
                line = key.start_mark.line + 1
                raise ScenarioError(f"{self.file}:{line}: {name!r} is given twice; remove one of the two")
            seen.add(name)
            self._lines[(*path, name)] = key.start_mark.line + 1
            self._note(child, (*path, name))

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest part around it."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def error(self, path: Path, fault: str, remedy: str) -> ScenarioError:
        """A one-line error about a part of the file."""
        one_line = " ".join(f"{fault}; {remedy}".split())
        return ScenarioError(f"{self.file}:{self.line(path)}: {one_line}")
