"""The client is a program of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
HEAVY = ("numpy", "scipy", "numba", "polars", "sqlalchemy", "fastapi", "starlette", "click", "serendip.library")


def test_the_client_needs_nothing_of_the_server_and_nothing_numeric():
    code = f"import sys, serendip.client; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(SOURCE)}
    )
    assert done.stdout.strip() == ""


def test_the_client_imports_httpx2_and_pydantic_only():
    code = """
import sys
before = set(sys.modules)
import serendip.client
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(top for top in tops if top not in sys.stdlib_module_names and not top.startswith("_")))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(SOURCE)}
    )
    own = {"serendip", "httpx2", "pydantic"}
    of_theirs = {"pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"}
    of_theirs |= {"anyio", "httpcore2", "h11", "idna", "certifi", "sniffio", "truststore", "brotli", "zstandard", "h2"}
    found = set(done.stdout.split())
    assert own <= found
    assert found <= own | of_theirs
