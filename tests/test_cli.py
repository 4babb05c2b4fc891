"""The command line, as real processes, but for the many files that it reads."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from harness import harness

from eigengrad import cli

COMMAND = [sys.executable, "-m", "eigengrad"]
ANALYTIC = """\
[ 0.312 -0.204 -0.398 -0.12 ]
[-0.204  0.133  0.26   0.079]
[-0.398  0.26   0.509  0.154]
[-0.12   0.079  0.154  0.046]"""
UPPER = """\
[0.312 -0.407 -0.797 -0.241]
[0.     0.133  0.52   0.157]
[0.     0.     0.509  0.308]
[0.     0.     0.     0.046]"""
LOWER = """\
[ 0.312  0.     0.     0.   ]
[-0.407  0.133  0.     0.   ]
[-0.797  0.52   0.509  0.   ]
[-0.241  0.157  0.308  0.046]"""


def run(*arguments, stdin=None, environment=None, **options):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env={**os.environ, **(environment or {})},
        check=False,
        **options,
    )


def bare(*arguments, **options):
    """Without frameworks, which take seconds to import."""
    return run("compare", *arguments, "--frameworks", "numpy", **options)


def here(capture, *arguments):
    """`bare` in this process, where it is not the process that is asked: to start one takes half a second."""
    try:
        code = cli.main(["compare", *map(str, arguments), "--frameworks", "numpy"])
    except SystemExit as stop:
        code = stop.code
    out, err = capture.readouterr()
    return SimpleNamespace(returncode=code, stdout=out, stderr=err)


def refused(result):
    """One sentence on standard error, exit status 2, no traceback, nothing on standard output."""
    text = result.stderr.decode()
    assert result.returncode == 2, text
    assert result.stdout == b""
    assert text.startswith("eigengrad: ")
    assert text.count("\n") == 1
    assert "Traceback" not in text
    return text


def symmetric(n, seed=0):
    x = np.random.default_rng(seed).standard_normal((n, n))
    return x + x.T


def test_the_question(tmp_path):
    harness("torch"), harness("tensorflow"), harness("jax"), harness("autograd")
    target, picture = tmp_path / "out.json", tmp_path / "out.png"
    result = run("compare", "--json", target, "--plot", picture)
    text = result.stdout.decode()
    assert result.returncode == 0, result.stderr.decode()
    assert result.stderr == b""
    for block in (ANALYTIC, UPPER, LOWER):
        for row in block.splitlines():
            assert row in text
    for sentence in ("Is this intended?", "Why is it not documented?", "Are the gradients wrong?"):
        assert sentence in text
    flat = " ".join(text.split())
    assert "PyTorch has changed since the question" in flat
    assert "the derivative of no function of the entries that are read" in flat
    assert "\x1b" not in text
    found = json.loads(target.read_text(encoding="utf-8"))
    assert found["schema_version"] == 1
    assert found["dtype"] == "float64"
    assert set(found["versions"]) >= {"eigengrad", "numpy", "torch", "tensorflow"}
    rows = {f["title"]: f for f in found["findings"]}
    for title in ("analytic v vᵀ", "eigengrad, NumPy", "eigengrad, PyTorch", "eigengrad, TensorFlow"):
        assert rows[title]["convention"] == rows[title]["reads"] == "symmetric"
        assert rows[title]["by_entries"] < 1e-9
    assert (rows["PyTorch"]["convention"], rows["PyTorch"]["reads"]) == ("symmetric", "lower")
    assert rows["PyTorch"]["by_entries"] > 0.1 > 1e-9 > rows["PyTorch"]["along_symmetric"]
    assert (rows["TensorFlow"]["convention"], rows["TensorFlow"]["reads"]) == ("lower", "lower")
    assert (rows["JAX"]["convention"], rows["JAX"]["reads"]) == ("symmetric", "symmetric")
    assert (rows["autograd"]["convention"], rows["autograd"]["reads"]) == ("lower", "lower")
    assert max(rows[name]["by_entries"] for name in ("TensorFlow", "JAX", "autograd")) < 1e-9
    a = np.array(found["matrix"])
    v = np.linalg.eigh(a)[1][:, 0]
    assert np.allclose(rows["analytic v vᵀ"]["gradient"], np.outer(v, v), rtol=1e-13)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_numpy_alone_says_what_is_missing(tmp_path):
    """Frameworks that are not found, and one whose import fails."""
    for name in ("torch", "tensorflow"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('libbroken.so: cannot open')\n")
    result = run("compare", environment={"PYTHONPATH": str(tmp_path)})
    text = " ".join(result.stdout.decode().split())
    assert result.returncode == 0
    assert "PyTorch was left out: installed, but its import fails (ImportError: libbroken.so: cannot open)" in text
    assert "eigengrad, NumPy" in text
    hidden = "import sys; sys.modules.update(torch=None, tensorflow=None); from eigengrad.cli import main; main()"
    code = hidden.replace("main()", "sys.exit(main(['compare']))")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    text = " ".join(result.stdout.split())
    assert result.returncode == 0, result.stderr
    assert "PyTorch was left out: not installed. To add it: pip install 'eigengrad[torch]'" in text


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".txt", ".mtx"])
@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
def test_every_kind_of_file_and_standard_input(tmp_path, capfdbinary, suffix, complex_):
    import scipy.io
    import scipy.sparse

    a = np.round(symmetric(3), 3) + (1j * np.array([[0, 1, 2], [-1, 0, 3], [-2, -3, 0]]) if complex_ else 0.0)
    path = tmp_path / f"a{suffix}"
    write = {
        ".npy": lambda: np.save(path, a),
        ".npz": lambda: np.savez(path, one=a),
        ".csv": lambda: path.write_text("\n".join(",".join(str(x).strip("()") for x in row) for row in a)),
        ".txt": lambda: path.write_text("# a\n" + "\n".join(" ".join(str(x).strip("()") for x in row) for row in a)),
        ".mtx": lambda: scipy.io.mmwrite(path, scipy.sparse.coo_array(a)),
    }
    write[suffix]()
    out = tmp_path / "out.json"
    read = here(capfdbinary, path, "--json", out, "--index", 1)
    assert read.returncode == 0
    found = json.loads(out.read_text(encoding="utf-8"))
    matrix = found["matrix"]
    back = np.array(matrix["real"]) + 1j * np.array(matrix["imag"]) if complex_ else np.array(matrix)
    assert np.array_equal(back, a)
    assert np.allclose(found["eigenvalues"], np.linalg.eigvalsh(a), rtol=1e-12)
    piped = bare("-", "--index", 1, stdin=path.read_bytes())
    assert piped.returncode == 0
    named = piped.stdout.replace(b"the matrix on standard input", str(path).encode())
    assert named.split()[-50:] == read.stdout.split()[-50:]


def test_dense_matrix_market(tmp_path):
    import scipy.io

    scipy.io.mmwrite(tmp_path / "a.mtx", symmetric(3))
    assert bare(tmp_path / "a.mtx").returncode == 0


def bad_files(folder):
    np.save(folder / "rectangle.npy", np.ones((2, 3)))
    np.save(folder / "vector.npy", np.ones(3))
    np.save(folder / "empty.npy", np.ones((0, 0)))
    np.save(folder / "nan.npy", np.diag([1.0, np.nan]))
    np.save(folder / "inf.npy", np.diag([np.inf, 1.0]))
    np.save(folder / "text.npy", np.array([["a", "b"], ["c", "d"]]))
    np.save(folder / "pickle.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    np.save(folder / "large.npy", np.eye(257))
    np.savez(folder / "several.npz", a=np.eye(2), b=np.eye(3))
    np.savez(folder / "none.npz")
    (folder / "broken.npz").write_bytes(b"PK\x03\x04 no archive")
    (folder / "broken.npy").write_bytes(b"\x93NUMPY no header")
    (folder / "words.csv").write_text("a,b\nc,d\n")
    (folder / "ragged.txt").write_text("1 2\n3\n")
    (folder / "nothing.txt").write_text("")
    (folder / "binary.txt").write_bytes(bytes(range(128, 256)))
    (folder / "broken.mtx").write_text("%%MatrixMarket matrix coordinate real general\n2 2 9\n1 1 1\n")
    (folder / "large.mtx").write_text("%%MatrixMarket matrix coordinate real general\n9999999 9999999 1\n1 1 1\n")
    (folder / "unknown.dat").write_text("1")
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    (folder / "vast.npy").write_bytes(b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n")
    (folder / "vast.mtx").write_text("%%MatrixMarket matrix coordinate real general\n2 2 999999999999\n1 1 1\n")
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999, 2), }"
    (folder / "long.npy").write_bytes(b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n")
    (folder / "nested.npy").write_bytes(b"\x93NUMPY\x01\x00" + (401).to_bytes(2, "little") + b"(" * 400 + b"\n")
    (folder / "long.mtx").write_text("%%MatrixMarket matrix coordinate real general\n2 2 1\n1 99999999999999999999 1\n")
    np.savez(folder / "damaged.npz", a=np.eye(4))
    whole = bytearray((folder / "damaged.npz").read_bytes())
    whole[whole.index(np.float64(1.0).tobytes())] ^= 1
    (folder / "damaged.npz").write_bytes(whole)
    (folder / "folder.npy").mkdir()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rectangle.npy"], "2 rows and 3 columns"),
        (["vector.npy"], "not a matrix"),
        (["empty.npy"], "empty matrix"),
        (["nan.npy"], "row 1, column 1"),
        (["inf.npy"], "row 0, column 0"),
        (["text.npy"], "not numbers"),
        (["pickle.npy"], "objects of Python"),
        (["damaged.npz"], "no matrix.*CRC"),
        (["nested.npy"], "no matrix"),
        (["long.npy"], "no matrix"),
        (["long.mtx"], "no matrix"),
        (["large.npy"], "order 257"),
        (["several.npz"], "--key"),
        (["several.npz", "--key", "c"], "no array 'c'"),
        (["none.npz"], "no arrays"),
        (["broken.npz"], "no matrix"),
        (["broken.npy"], "no matrix"),
        (["words.csv"], "'a' is not a number"),
        (["ragged.txt"], "different lengths"),
        (["nothing.txt"], "is empty"),
        (["binary.txt"], "no matrix"),
        (["broken.mtx"], "no matrix"),
        (["large.mtx"], "9999999 rows"),
        (["unknown.dat"], "ending .dat"),
        (["folder.npy"], "cannot be read"),
        (["absent.npy"], "No such file"),
        (["--key", "a"], "no file was given"),
        (["--index", "4"], "no eigenvalue 4"),
        (["--index", "-5"], "no eigenvalue -5"),
        (["--index", "x"], "invalid int"),
        (["--json", "absent/out.json"], "no folder"),
        (["--json", "."], "is a folder"),
        (["--plot", "out.jpg"], ".png"),
        (["--bogus"], "nrecognized arguments"),
        (["--json", ""], "empty"),
        (["--json", "x.png", "--plot", "x.png"], "different files"),
        (["vast.npy"], "no matrix|memory"),
        (["vast.mtx"], "no matrix|memory"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else None,
)
def test_bad_input_is_one_sentence(tmp_path, monkeypatch, capfdbinary, arguments, says):
    bad_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    assert re.search(says, refused(here(capfdbinary, *arguments)))
    assert sorted(p.name for p in tmp_path.iterdir()) == before, "nothing is written"


def test_bad_usage():
    assert "frameworks" in refused(run("compare", "--frameworks", "nothing"))
    assert "invalid choice" in refused(run("explode"))
    assert run().returncode == 2
    assert run("--version").stdout.startswith(b"eigengrad ")


def test_a_plot_without_matplotlib(tmp_path):
    code = (
        "import sys; sys.modules['matplotlib'] = None; from eigengrad.cli import main; "
        "sys.exit(main(['compare', '--frameworks', 'numpy', '--plot', 'x.png', '--json', 'x.json']))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path, check=False)
    assert "matplotlib" in refused(result)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_permission(tmp_path, monkeypatch, capsys):
    """In this process, with a system that says no: the superuser may write everywhere."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert cli.main(["compare", "--frameworks", "numpy", "--json", str(tmp_path / "out.json")]) == 2
    assert "permission denied" in capsys.readouterr().err


def test_a_disk_that_fills_up_leaves_what_was_there(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = tmp_path / "out.json"
    target.write_text("old")
    monkeypatch.setattr(cli.Path, "chmod", full)
    assert cli.main(["compare", "--frameworks", "numpy", "--json", str(target)]) == 2
    assert (
        capsys.readouterr().err
        == f"eigengrad: {target} cannot be written: No space left on device. Name another file.\n"
    )
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


def test_links_stay_links_and_devices_are_written_to(tmp_path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    assert bare("--json", tmp_path / "link.json").returncode == 0
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text(encoding="utf-8"))["kind"] == "compare"
    assert b'"kind": "compare"' in bare("--json", "/dev/stdout").stdout


def test_an_existing_file_is_replaced_whole(tmp_path):
    target = tmp_path / "out.json"
    target.write_text("old")
    assert bare("--json", target).returncode == 0
    assert json.loads(target.read_text(encoding="utf-8"))["kind"] == "compare"
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


def test_interrupted_it_says_so_and_leaves_no_file(tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "compare", "-", "--frameworks", "numpy", "--json", "out.json"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    data = io.BytesIO()
    np.save(data, symmetric(250))
    process.stdin.write(data.getvalue())  # more than a pipe holds: the program is there when this is done
    process.stdin.close()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.stdin = None
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    assert err.decode() == "eigengrad: interrupted; no file was written.\n"
    assert out == b""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="names of files are bytes on POSIX alone")
def test_a_name_that_is_no_text(tmp_path):
    name = os.fsdecode(b"\xff.csv")
    (tmp_path / name).write_text("1,2\n2,1\n")
    assert bare(name, "--json", "out.json", cwd=tmp_path).returncode == 0
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["index"] == 0


def test_a_reader_that_stops_early_is_no_error():
    result = subprocess.run(
        f"{sys.executable} -m eigengrad compare --frameworks numpy | head -1",
        shell=True,
        capture_output=True,
        check=True,
    )
    assert result.stderr == b""


def test_a_matrix_that_is_not_symmetric(tmp_path):
    a = np.random.default_rng(3).standard_normal((3, 3))
    np.save(tmp_path / "a.npy", a)
    result = bare(tmp_path / "a.npy", "--json", tmp_path / "out.json")
    text = " ".join(result.stdout.decode().split())
    assert "The matrix is not symmetric" in text
    assert "those are different matrices here" in text
    assert "along every symmetric direction so do" not in text
    found = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert abs(found["asymmetry"] - np.max(np.abs(a - a.T)) / np.max(np.abs(a))) < 1e-15
    values = {f["reads"]: f["eigenvalue"] for f in found["findings"]}
    assert abs(values["lower"] - np.linalg.eigvalsh(a, "L")[0]) < 1e-14
    assert abs(values["upper"] - np.linalg.eigvalsh(a, "U")[0]) < 1e-14
    assert max(f["by_entries"] for f in found["findings"]) < 1e-9


def test_a_repeated_eigenvalue(tmp_path):
    np.save(tmp_path / "a.npy", np.diag([1.0, 1.0, 2.0]))
    result = bare(tmp_path / "a.npy")
    assert result.returncode == 1
    assert "one of 2 equal ones" in result.stdout.decode()
    assert bare(tmp_path / "a.npy", "--index", -1).returncode == 0


def verdict(tmp_path, a, *arguments):
    np.save(tmp_path / "a.npy", a)
    result = bare(tmp_path / "a.npy", "--json", tmp_path / "out.json", *arguments)
    return result.returncode, json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))


def test_conjugated_gradients_are_no_errors(tmp_path):
    harness("jax"), harness("autograd")
    np.save(tmp_path / "a.npy", np.array([[1, 2 + 1j, 0], [2 - 1j, 3, 1j], [0, -1j, 5]]))
    out = tmp_path / "out.json"
    result = run("compare", tmp_path / "a.npy", "--frameworks", "jax,autograd", "--json", out)
    assert result.returncode == 0, result.stderr.decode()
    rows = {f["title"]: f for f in json.loads(out.read_text(encoding="utf-8"))["findings"]}
    assert rows["JAX"]["convention"] == rows["eigengrad, JAX"]["convention"] == "conjugate+symmetric"
    assert rows["autograd"]["convention"] == "conjugate+lower"
    assert max(f["by_entries"] for f in rows.values()) < 1e-9


def test_a_diagonal_matrix_cannot_tell_the_triangles_apart(tmp_path):
    for a in (np.diag([1.0, 2.0, 3.0]), np.array([[2.0]])):
        code, found = verdict(tmp_path, a)
        assert code == 0
        assert {f["reads"] for f in found["findings"]} == {f["convention"] for f in found["findings"]} == {"any"}
        assert "nothing to intend" in found["verdict"][0]


def test_close_eigenvalues_are_judged_as_far_as_they_can_be(tmp_path):
    Q = np.linalg.qr(symmetric(4))[0]
    near = [(Q * [1, 1 + gap, 2, 3]) @ Q.T for gap in (1e-6, 1e-12)]
    code, found = verdict(tmp_path, near[0] + near[0].T)
    assert code == 0
    assert {f["reads"] for f in found["findings"]} == {"symmetric", "lower", "upper"}
    code, found = verdict(tmp_path, near[1] + near[1].T)
    assert code == 3
    assert "cannot be judged" in found["verdict"][0]


def test_a_reading_in_which_the_eigenvalue_is_repeated(tmp_path):
    code, found = verdict(tmp_path, np.array([[1.0, 5.0], [0.0, 1.0]]))
    assert code == 1
    assert found["repeated"] == {"lower": [0, 2]}
    assert "of the matrix in the lower triangle is one of 2 equal ones" in " ".join(found["verdict"])


def test_a_terminal_without_greek_letters_and_a_full_disk():
    assert bare(environment={"PYTHONIOENCODING": "ascii"}).returncode == 0
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [*COMMAND, "compare", "--frameworks", "numpy"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert result.returncode == 2
    assert result.stderr == b"eigengrad: The report cannot be written: No space left on device.\n"


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_units_do_not_matter(tmp_path, scale):
    np.save(tmp_path / "a.npy", symmetric(3) * scale)
    result = bare(tmp_path / "a.npy", "--json", tmp_path / "out.json")
    assert result.returncode == 0
    assert result.stderr == b""
    found = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert max(f["by_entries"] for f in found["findings"]) < 1e-9


def test_colour_only_on_a_terminal():
    """A pseudo-terminal gets colours, unless it is told not to."""
    import pty

    def seen(*arguments, environment=None):
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [*COMMAND, "compare", "--frameworks", "numpy", *arguments],
            stdout=slave,
            env={**os.environ, **(environment or {})},
        )
        os.close(slave)
        chunks = []
        while True:
            try:
                chunk = os.read(master, 4096)
            except OSError:
                break
            if not chunk:
                break
            chunks.append(chunk)
        process.wait()
        os.close(master)
        return b"".join(chunks)

    assert b"\x1b[" in seen()
    assert b"\x1b[" not in seen("--no-color")
    assert b"\x1b[" not in seen(environment={"NO_COLOR": "1"})
