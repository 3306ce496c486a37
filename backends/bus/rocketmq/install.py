"""Install the RocketMQ client: `python -m backends.bus.rocketmq.install`.

`rocketmq-client-python` is bindings without their native library. The library comes out of the
wheel of another package, `rocketmq`, which can't be installed beside it because both own the module
name; only its library is taken, into `lib/relaymesh` of this Python environment.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import click

from backends.bus.rocketmq.loader import LIBRARY, RocketMQClientMissingError, load_client

BINDINGS = "rocketmq-client-python==2.0.0"
LIBRARY_WHEEL = "rocketmq==0.4.4"
INSIDE_WHEEL = "rocketmq/"


def main() -> None:
    """Fetch bindings and library, then prove that they load; exits with 1 and one line if not."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        raise SystemExit("the RocketMQ client exists for Linux on x86_64 only")
    try:
        pip("install", "--no-deps", BINDINGS)
        with tempfile.TemporaryDirectory() as folder:
            pip("download", "--no-deps", "--only-binary", ":all:", "-d", folder, LIBRARY_WHEEL)
            (wheel,) = Path(folder).glob("*.whl")
            extract_library(wheel, LIBRARY.parent)
        load_client()
    except (subprocess.CalledProcessError, RocketMQClientMissingError) as error:
        raise SystemExit(f"the RocketMQ client could not be installed: {error}") from None
    click.echo(f"RocketMQ client installed, its library in {LIBRARY.parent}")


def pip(*arguments: str) -> None:
    """Run pip of this environment; raises `CalledProcessError`."""
    subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *arguments], check=True
    )


def extract_library(wheel: Path, folder: Path) -> None:
    """Put the wheel's shared objects into `folder`, as they lie in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if ".so" in name and name.startswith(INSIDE_WHEEL):
                target = folder / name.removeprefix(INSIDE_WHEEL)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))


if __name__ == "__main__":
    main()
