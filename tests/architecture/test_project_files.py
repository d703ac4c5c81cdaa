"""Guards over the repository as a whole: what is promised in one place is kept in the other."""

import ast
import dataclasses
import json
import re
import subprocess
from pathlib import Path

import pytest

from core.config import Settings
from core.queue import Queue
from schedule import SCHEDULE

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "core",
    "integration",
    "segments",
    "mailings",
    "insights",
    "demo",
    "styleguide",
    "benchmarks",
)
LONGEST_FILE = 350

# Split, so that this file does not contain them itself.
FORBIDDEN = {
    "a path of somebody's machine": ["/work" + "/(main|shared|lib)", "/ro" + "ot/", "/home" + "/[a-z]+/"],
    "a package registry": [
        "registry\\.npm" + "js", "npm" + "js\\.(org|com)", "pypi" + "\\.org",
        "python" + "hosted", "deb" + "\\.debian",
    ],
    "the tools it was written with": ["clau" + "de", "anthro" + "pic", "chat" + "gpt"],
}  # fmt: skip


def tracked() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def modules() -> list[Path]:
    inside = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    return [*ROOT.glob("*.py"), *inside]


def procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines)}


def test_every_queue_has_a_worker_of_its_own():
    workers = {name: line for name, line in procfile().items() if name.startswith("worker-")}
    assert workers == {f"worker-{q}": f"flask --app wsgi worker {q}" for q in Queue}


def test_the_procfile_runs_everything():
    assert {"release", "web", "sender", "ticker"} <= procfile().keys()


def test_every_setting_is_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    names = [field.name.upper() for field in dataclasses.fields(Settings)]
    assert [name for name in names if f"`{name}`" not in readme] == []


def test_every_module_says_what_it_is_for():
    nameless = [path for path in modules() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert [str(path.relative_to(ROOT)) for path in nameless] == []


def test_files_stay_readable_in_one_sitting():
    long = {str(path): len(path.read_text().splitlines()) for path in modules()}
    assert {name: lines for name, lines in long.items() if lines > LONGEST_FILE} == {}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_project_speaks_only_of_itself(what):
    pattern = re.compile("|".join(FORBIDDEN[what]), re.IGNORECASE)
    found = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", "ignore")
        found += [f"{path.relative_to(ROOT)}: {hit.group()}" for hit in pattern.finditer(text)]
    assert found == []


def test_requirements_are_pinned():
    loose = []
    for name in ("requirements.txt", "requirements-dev.txt", "demo/requirements.txt"):
        for line in (ROOT / name).read_text().splitlines():
            if line and not line.startswith(("#", "-r ")) and "==" not in line:
                loose.append(f"{name}: {line}")
    manifest = json.loads((ROOT / "package.json").read_text())
    for kind in ("dependencies", "devDependencies"):
        loose += [f"{name} {v}" for name, v in manifest[kind].items() if not v[0].isdigit()]
    assert loose == []


def test_periodic_jobs_exist_and_have_names_of_their_own():
    import importlib

    for periodic in SCHEDULE:
        module, _, function = periodic.function.rpartition(".")
        assert callable(getattr(importlib.import_module(module), function))
    assert len({periodic.name for periodic in SCHEDULE}) == len(SCHEDULE)
