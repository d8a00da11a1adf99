from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from serendip.domain import Invalid, NotFound, NotReady, SerendipError
from serendip.store import Artifacts

MANIFEST = {"name": "als", "kind": "als", "config": {"n_factors": 2}, "created_at": "2026-03-01T12:00:00Z"}
SRC = str(Path(__file__).parents[2] / "src")


def some_arrays() -> dict[str, np.ndarray]:
    return {
        "items/factors": np.arange(12, dtype=np.float32).reshape(4, 3),
        "counts": np.array([3, -1, 4]),
        "ids": np.array(["a", "käse", ""]),
        "mask": np.array([True, False]),
        "none": np.zeros((0, 3), dtype=np.float32),
        "one": np.array(2.5),
        "turned": np.arange(6.0).reshape(2, 3).T,
    }


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path / "artifacts")


@pytest.fixture
def version(artifacts: Artifacts) -> str:
    return artifacts.save(MANIFEST, some_arrays())


def test_what_is_saved_comes_back_equal_and_read_only(artifacts: Artifacts, version: str) -> None:
    manifest, arrays = artifacts.load(version)
    assert {key: manifest[key] for key in MANIFEST} == MANIFEST
    assert manifest["id"] == version
    for title, array in some_arrays().items():
        np.testing.assert_array_equal(arrays[title], array)
        assert (arrays[title].dtype, arrays[title].shape) == (array.dtype, array.shape)
    with pytest.raises(ValueError, match="read-only"):
        arrays["counts"][0] = 9


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    array=arrays_of.arrays(
        st.sampled_from(["<f4", "<f8", "<i8", "<i2", "<u1", "?", "<U3", "S2"]),
        arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    )
)
def test_any_plain_array_comes_back_equal(artifacts: Artifacts, array: np.ndarray) -> None:
    _, found = artifacts.load(artifacts.save({"name": "any"}, {"array": array}))
    np.testing.assert_array_equal(found["array"], array)
    assert found["array"].dtype == array.dtype


def test_the_id_tells_the_content_and_not_the_moment(artifacts: Artifacts, version: str) -> None:
    assert version.startswith("als-")
    assert artifacts.save({**MANIFEST, "created_at": "later"}, some_arrays()) == version
    assert artifacts.save({**MANIFEST, "config": {"n_factors": 3}}, some_arrays()) != version
    assert artifacts.save(MANIFEST, {**some_arrays(), "one": np.array(2.6)}) != version
    assert len(artifacts.ids()) == 3


def test_a_removed_version_is_gone(artifacts: Artifacts, version: str) -> None:
    _, arrays = artifacts.load(version)
    assert artifacts.remove(version)
    assert not artifacts.remove(version)
    assert artifacts.ids() == []
    assert arrays["items/factors"].sum() == 66
    with pytest.raises(NotFound):
        artifacts.load(version)


@pytest.mark.parametrize(
    "name", ["../als-000000000000", "..", "", "/etc", "als-00000000000", "als-00000000000g", "a/b"]
)
def test_an_id_cannot_lead_out_of_the_folder(artifacts: Artifacts, version: str, name: str) -> None:
    with pytest.raises(NotFound):
        artifacts.load(name)
    assert not artifacts.remove(name)


@pytest.mark.parametrize("name", [None, "", "../x", "A", "a/b", ".hidden"])
def test_a_name_that_could_not_be_a_folder_is_refused(artifacts: Artifacts, name: object) -> None:
    with pytest.raises(Invalid):
        artifacts.save({"name": name}, {})


def test_objects_are_refused(artifacts: Artifacts) -> None:
    for wrong in (np.array([{}]), np.array([None]), np.zeros(2, dtype=[("a", "f4")]), np.array(["2026"], "M8[D]")):
        with pytest.raises(Invalid, match="numbers and text"):
            artifacts.save(MANIFEST, {"array": wrong})
    with pytest.raises(Invalid, match="plain JSON"):
        artifacts.save({**MANIFEST, "score": float("nan")}, {})
    assert artifacts.ids() == []
    assert list(artifacts.folder.iterdir()) == []


def test_every_single_bit_is_guarded(artifacts: Artifacts, version: str) -> None:
    chance = random.Random(7)
    for file in sorted((artifacts.folder / version).iterdir()):
        sound = file.read_bytes()
        for _ in range(25):
            bad = bytearray(sound)
            bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
            file.write_bytes(bad)
            with pytest.raises(Invalid, match=version):
                artifacts.load(version)
        file.write_bytes(sound)
    artifacts.load(version)


def test_truncated_lengthened_and_missing_files_are_refused(artifacts: Artifacts, version: str) -> None:
    for file in sorted((artifacts.folder / version).iterdir()):
        sound = file.read_bytes()
        for bad in (b"", sound[:-1], sound[: len(sound) // 2], sound + b"\0"):
            file.write_bytes(bad)
            with pytest.raises(Invalid):
                artifacts.load(version)
        file.unlink()
        with pytest.raises(Invalid):
            artifacts.load(version)
        file.symlink_to("/etc/hostname")
        with pytest.raises(Invalid):
            artifacts.load(version)
        file.unlink()
        file.write_bytes(sound)
    artifacts.load(version)


def forged(artifacts: Artifacts, array: np.ndarray | bytes, **told: object) -> str:
    """A version whose sums all fit, made by somebody who wants to harm."""
    raw = array if isinstance(array, bytes) else b""
    if isinstance(array, np.ndarray):
        path = artifacts.folder / "forged.npy"
        np.save(path, array, allow_pickle=True)
        raw = path.read_bytes()
        path.unlink()
    shape = list(array.shape) if isinstance(array, np.ndarray) else [1]
    dtype = array.dtype.str if isinstance(array, np.ndarray) else "<f4"
    entry = {
        "file": "0.npy",
        "sha256": hashlib.sha256(raw).hexdigest(),
        "bytes": len(raw),
        "dtype": dtype,
        "shape": shape,
    }
    manifest = {"name": "forged", "format": 1, "files": {"array": {**entry, "finite": True, **told}}}

    def canonical(value: object) -> bytes:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1).encode()

    manifest["id"] = "forged-" + hashlib.sha256(canonical(manifest)).hexdigest()[:12]
    manifest["checksum"] = hashlib.sha256(canonical(manifest)).hexdigest()
    folder = artifacts.folder / str(manifest["id"])
    folder.mkdir(exist_ok=True)
    (folder / "0.npy").write_bytes(raw)
    (folder / "manifest.json").write_bytes(canonical(manifest))
    return str(manifest["id"])


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def test_a_forged_version_that_is_sound_loads_so_that_the_next_test_means_something(
    artifacts: Artifacts, version: str
) -> None:
    artifacts.load(forged(artifacts, np.arange(3.0)))


def test_forged_versions_are_refused_though_their_sums_fit(artifacts: Artifacts, version: str) -> None:
    numbers = np.arange(3.0)
    bombs = [
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,), }\n"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }\n"),
        header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n") + b"cos\nsystem\n",
        header("(" * 60_000),
        header("__import__('os').system('false')"),
        b"PK\x03\x04 a zip",
        b"",
    ]
    versions = [forged(artifacts, bomb) for bomb in bombs]
    versions += [forged(artifacts, bombs[1], shape=[-1], bytes=len(bombs[1]) - 4)]
    versions += [forged(artifacts, np.array([{"a": 1}], dtype=object))]
    versions += [forged(artifacts, np.array([1.0, np.nan]))]
    versions += [forged(artifacts, np.asfortranarray(np.ones((2, 3))))]
    versions += [
        forged(artifacts, numbers, **told)
        for told in [
            {"file": "../0.npy"},
            {"file": "/etc/passwd"},
            {"file": 7},
            {"file": "manifest.json"},
            {"bytes": None},
            {"sha256": None},
            {"shape": [4]},
            {"shape": "3"},
            {"shape": None},
            {"dtype": "<f4"},
            {"dtype": None},
        ]
    ]
    for wrong in versions:
        with pytest.raises(Invalid, match="damaged"):
            artifacts.load(wrong)


def test_manifests_that_are_none_are_refused(artifacts: Artifacts, version: str) -> None:
    path = artifacts.folder / version / "manifest.json"
    for bad in (b"[" * 100_000, b"{}", b"[]", b"null", b"\xff\xfe", b'{"a":' * 50_000, b'{"format": 2}'):
        path.write_bytes(bad)
        with pytest.raises(SerendipError):
            artifacts.load(version)


def test_saving_again_mends_a_damaged_version(artifacts: Artifacts, version: str) -> None:
    (artifacts.folder / version / "0.npy").write_bytes(b"")
    assert artifacts.save(MANIFEST, some_arrays()) == version
    artifacts.load(version)
    assert [path.name for path in artifacts.folder.iterdir()] == [version]


def test_a_killed_writer_leaves_a_draft_that_nobody_sees_and_that_is_cleaned(
    artifacts: Artifacts, version: str
) -> None:
    program = """
import sys, time
import numpy as np
import serendip.bundle as b
import serendip.store.artifacts as a
b.sync_folder = lambda folder: (print("written", flush=True), time.sleep(60))
a.Artifacts(sys.argv[1]).save({"name": "als"}, {"array": np.ones(9)})
"""
    command = [sys.executable, "-c", program, str(artifacts.folder)]
    writer = subprocess.Popen(command, env={"PYTHONPATH": SRC}, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    writer.stdout.readline()
    assert artifacts.ids() == [version]
    assert artifacts.clean_drafts() == 0
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    assert artifacts.clean_drafts() == 1
    assert [path.name for path in artifacts.folder.iterdir()] == [version]


def test_a_folder_that_cannot_be_written_to_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotReady):
        Artifacts(tmp_path / "file").save(MANIFEST, some_arrays())
    assert Artifacts(tmp_path / "nowhere").ids() == []
