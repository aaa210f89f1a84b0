"""The Makefile: its targets, what they run, and that the pages name no other."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.project.tracked import ROOT, name_of, tracked

TARGETS = frozenset(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def make(*arguments: str) -> str:
    """Return what make prints; with -n that is what it would run."""
    # The make that runs the tests hands its own flags and variables on; they are not to be seen here.
    clean = {"PATH": os.environ["PATH"]}
    run = subprocess.run(["make", *arguments], cwd=ROOT, env=clean, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_help_is_the_default_and_lists_every_target() -> None:
    listed = {line.split()[0] for line in make().splitlines()}
    assert listed == TARGETS


def test_every_make_command_in_the_pages_is_a_target() -> None:
    named = {
        (name_of(path), target)
        for path in tracked("*.md")
        for block in re.findall(r"```.*?```|`[^`\n]+`", path.read_text(), flags=re.DOTALL)
        for target in re.findall(r"\bmake ([a-z][a-z-]*)", block)
    }
    assert named
    assert {(page, target) for page, target in named if target not in TARGETS} == set()


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("demo",), "-m demo"),
        (("demo-once",), "-m demo --once"),
        (("demo-once", "UNSAFE=1"), "-m demo --once --unsafe"),
        (("films", "FILMS=some/folder"), "-m films some/folder"),
        (("films", "FILMS=some/folder", "STEP=5"), "-m films some/folder --step 5"),
        (("bench",), "-m bench"),
    ],
)
def test_the_target_runs(arguments: tuple[str, ...], command: str) -> None:
    lines = [" ".join(line.split()) for line in make("-n", *arguments).splitlines()]
    assert [line for line in lines if line.endswith(command)] != [], lines


@pytest.mark.parametrize("target", ["demo", "demo-once", "films", "bench", "check", "test", "screenshots", "lock"])
def test_the_target_sets_the_checkout_up_first(target: str) -> None:
    assert re.search(rf"^{target}: setup\b", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
