"""House rules that a machine can check: small modules, documents that stay true, one reader of the environment."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from generator.brief import writable_styles

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for package in ("bot", "personalization", "generator") for path in (ROOT / package).rglob("*.py"))
MAX_FILE, MAX_FUNCTION = 500, 60
# Longer for a reason: a training script is read from top to bottom, a migration is a list of tables.
LONG_FUNCTIONS = {("train.py", "train"), ("0001_first.py", "upgrade")}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (path.name, node.name) not in LONG_FUNCTIONS:
            assert node.end_lineno - node.lineno < MAX_FUNCTION, f"{node.name} is too long"


def test_only_the_settings_read_the_environment():
    readers = [path for path in SOURCES if re.search(r"os\.environ|getenv", path.read_text(encoding="utf-8"))]
    assert {path.relative_to(ROOT).as_posix() for path in readers} <= {"bot/settings.py"}


def test_the_readme_names_every_style_and_its_pictures_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert ", ".join(writable_styles()) in readme
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", readme):
        assert (ROOT / target).is_file(), f"README links to {target}"


def test_the_changelog_knows_the_version():
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version
    assert f"## [{version[1]}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_torch_is_pinned():
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
