"""The C programs of this folder, compiled on first use and kept for the next."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import click

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O2", "-Wall")


def program(name: str) -> Path:
    """Return the program made from `name`.c of this folder.

    Raises `ClickException` with one line where there is no C compiler, or it fails.
    """
    source = Path(__file__).with_name(f"{name}.c")
    digest = hashlib.sha256(source.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
    made = _cache() / f"{name}-{digest}"
    if not made.exists():
        _compile(source, made)
    return made


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base, "relaymesh-bench")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _compile(source: Path, made: Path) -> None:
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise click.ClickException(
            f"{source.name} needs a C compiler: install gcc or clang ({', '.join(COMPILERS)} "
            "are looked for on PATH)"
        )
    # Beside its place and then moved there: two measurements may start at once.
    with tempfile.TemporaryDirectory(dir=made.parent) as folder:
        fresh = Path(folder, "program")
        done = subprocess.run(
            [compiler, *FLAGS, "-o", str(fresh), str(source)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise click.ClickException(f"{compiler} failed on {source.name}: {_first(done.stderr)}")
        fresh.replace(made)


def _first(text: str) -> str:
    return (text.strip().splitlines() or ["without a word"])[0]
