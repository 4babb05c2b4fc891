"""What must work where NumPy and SciPy are all there is: run by `make release` and `make test-bare`, without pytest."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib import metadata, util
from pathlib import Path

import numpy as np
import scipy.sparse as sp

import eigengrad as eg


def command(*words: str, code: int = 0) -> str:
    run = subprocess.run([sys.executable, "-m", "eigengrad", *words], capture_output=True, text=True)
    assert run.returncode == code, (words, run.returncode, run.stderr)
    return run.stdout


def main() -> None:
    assert "site-packages" in eg.__file__, f"what is installed, not {eg.__file__}"
    assert eg.__version__ == metadata.version("eigengrad")
    present = [name for name in ("torch", "tensorflow", "jax", "autograd", "matplotlib") if util.find_spec(name)]
    assert not present, f"this is no bare environment: {present}"

    w, pullback = eg.numpy.vjp(eg.eigvalsh, np.eye(3))
    assert np.allclose(pullback(3 * w**2), 3 * np.eye(3))
    assert np.array_equal(eg.numpy.vjp(eg.sqrtm, 4.0 * np.eye(2))[1](np.ones((2, 2))), np.full((2, 2), 0.25))
    A = sp.diags_array([-np.ones(99), 2 * np.ones(100), -np.ones(99)], offsets=[-1, 0, 1], format="csr")
    (w, V), pullback = eg.numpy.vjp(eg.eigsh, A, 2, sigma=0)
    assert np.allclose(pullback((np.array([1.0, 0.0]), None)).diagonal(), V[:, 0] ** 2)

    assert "analytic" in command("compare", "--no-color")
    with tempfile.TemporaryDirectory() as folder:
        one, two, page, data = (Path(folder) / name for name in ("one.npy", "two.csv", "page.html", "data.json"))
        np.save(one, np.array([[1.0, 2.0], [2.0, 3.0]]))
        np.savetxt(two, np.array([[1.0, 0.0], [4.0, 3.0]]), delimiter=",")
        said = command("explain", str(one), str(two), "--html", str(page), "--json", str(data))
        assert "convention" in said
        assert json.loads(data.read_text())["cause"] == "convention"
        assert page.read_text().startswith("<!DOCTYPE html>"), "the style and script of pages are in the package"
        assert "doubled" in command("explain", str(one), _doubled(folder), code=1)
    print(f"eigengrad {eg.__version__} works with NumPy {np.__version__} and nothing else.")


def _doubled(folder: str) -> str:
    path = Path(folder) / "doubled.npy"
    np.save(path, np.array([[1.0, 4.0], [4.0, 3.0]]))
    return str(path)


if __name__ == "__main__":
    main()
