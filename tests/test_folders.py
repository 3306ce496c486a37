import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_no_folder_imports_what_the_house_rule_forbids() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [str(lint), "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout
