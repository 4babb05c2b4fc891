"""explain, audit and scorecard from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from harness import harness
from test_cli import COMMAND, run

from eigengrad import cli

LOSSES = """
import numpy as np
def smallest(a):
    w, V = np.linalg.eigh(a)
    return w[0], np.outer(V[:, 0], V[:, 0])
def logdet(a):
    return np.linalg.slogdet(a)[1], np.linalg.inv(a).T
def slow(a):
    import time
    time.sleep(0.05)
    return logdet(a)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_losses", raising=False)
    g = np.random.default_rng(1).standard_normal((3, 3))
    g = g + g.T
    np.save("g.npy", g)
    np.savetxt("lower.csv", np.tril(g) + np.tril(g, -1), delimiter=",")
    np.save("twice.npy", 2 * g)
    np.save("other.npy", g[::-1])
    np.savez("both.npz", g=g, h=g)
    np.savetxt("packed.txt", np.array([[g[0, 0], 2 * g[1, 0], 2 * g[2, 0], g[1, 1], 2 * g[2, 1], g[2, 2]]]))
    np.save("nan.npy", np.where(np.eye(3) > 0, np.nan, g))
    np.save("pair.npy", np.diag([1.0, 1.0, 3.0]))
    np.save("spd.npy", g @ g + np.eye(3))
    Path("my_losses.py").write_text(LOSSES)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["g.npy", "g.npy"], 0, "Equal, to rounding"),
        (["g.npy", "lower.csv"], 0, "Two conventions: lower"),
        (["packed.txt", "g.npy"], 0, "Two conventions: vech"),
        (["g.npy", "twice.npy", "pair.npy"], 1, "A bug: factor 2"),
        (["g.npy", "nan.npy", "pair.npy"], 1, "equal eigenvalues 0 to 1"),
        (["g.npy", "other.npy"], 3, "Not explained"),
        (["g.npy", "both.npz", "--key", "h"], 0, "Equal"),
        (["g.npy", "both.npz"], 2, "choose one with --key"),
        (["g.npy", "absent.npy"], 2, "cannot be read"),
        (["g.npy", "pair.npy", "--json", "absent/x"], 2, "no folder"),
    ],
    ids=str,
)
def test_explain(folder, capsys, arguments, code, says):
    assert cli.main(["explain", *arguments]) == code
    out, err = capsys.readouterr()
    assert says in (err if code == 2 else out)
    assert (err == "") == (code != 2)


def test_arrays_that_are_not_square_are_printed_whole(folder, capsys):
    for x, lines in (
        (np.array([[1, 4], [2, 5], [3, 6]]), ["[1. 4.]", "[2. 5.]", "[3. 6.]"]),
        (np.array([[1, 2, 3], [4, 5, 6]]), ["[1. 2. 3.]", "[4. 5. 6.]"]),
        (np.array([1, 4, 3]), ["[1. 4. 3.]"]),
    ):
        np.save("x.npy", x.astype(float))
        assert cli.main(["explain", "x.npy", "x.npy"]) == 0
        out = capsys.readouterr().out
        assert all(f"{line}   {line}" in out for line in lines), out


def test_files_are_written_and_read_back(folder, capsys):
    pytest.importorskip("matplotlib")
    arguments = ["explain", "g.npy", "lower.csv", "pair.npy", "--json", "o.json", "--html", "o.html", "--plot", "o.png"]
    assert cli.main(arguments) == 0
    document = json.loads(Path("o.json").read_text(encoding="utf-8"))
    assert (document["kind"], document["cause"], document["names"]) == ("explain", "convention", ["g.npy", "lower.csv"])
    assert np.array_equal(document["g1"], np.load("g.npy"))
    assert "Two conventions: lower" in Path("o.html").read_text(encoding="utf-8")
    assert Path("o.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["my_losses:logdet", "spd.npy"], 0, "Right"),
        (["my_losses:smallest", "spd.npy"], 0, "Right along symmetric directions alone"),
        (["my_losses:smallest", "pair.npy"], 1, "There is no derivative: kink"),
        (["my_losses:smallest", "nan.npy"], 2, "no eigenvalue is defined"),
        (["my_losses:absent", "spd.npy"], 2, "there are smallest, logdet, slow"),
        (["my_losses:logdet", "spd.npy", "--framework", "julia"], 2, "it can be numpy"),
    ],
    ids=str,
)
def test_audit(folder, capsys, arguments, code, says):
    before = list(sys.path)
    assert cli.main(["audit", *arguments, "--no-color"]) == code
    out, err = capsys.readouterr()
    assert says in (err if code == 2 else out)
    assert "Traceback" not in err
    assert set(sys.path) - set(before) <= {os.getcwd()}, "the current folder alone is added"
    if "my_losses" in sys.modules:
        assert "This runs the code of my_losses" in err


def test_audit_by_a_framework_that_the_module_imported(folder, capsys):
    harness("torch")
    Path("of_torch.py").write_text("import torch\ndef f(a):\n    return torch.linalg.eigvalsh(a)[0]\n")
    sys.modules.pop("of_torch", None)
    assert cli.main(["audit", "of_torch:f", "spd.npy", "--json", "o.json"]) == 0
    assert json.loads(Path("o.json").read_text(encoding="utf-8"))["framework"] == "torch"


def test_an_interrupted_audit_leaves_no_file(folder):
    process = subprocess.Popen(
        [*COMMAND, "audit", "my_losses:slow", "spd.npy", "--json", "o.json", "--html", "o.html"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    time.sleep(2.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    assert err.decode().endswith("eigengrad: interrupted; no file was written.\n")
    assert out == b""
    assert not list(folder.glob("o.*"))


def test_progress_on_a_terminal_alone(folder):
    import pty

    master, slave = pty.openpty()
    process = subprocess.Popen([*COMMAND, "audit", "my_losses:logdet", "spd.npy"], stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    process.communicate(timeout=120)
    shown = os.read(master, 65536).decode()
    os.close(master)
    assert " of " in shown
    assert shown.rstrip().endswith("\x1b[K")
    assert b" of 96" not in run("audit", "my_losses:logdet", "spd.npy").stderr


def test_scorecard_of_one_framework(folder, capsys):
    harness("autograd")
    assert cli.main(["scorecard", "--frameworks", "autograd", "--json", "o.json", "--page", "card.md"]) == 0
    out = capsys.readouterr().out
    assert "space-rotated" in out
    document = json.loads(Path("o.json").read_text(encoding="utf-8"))
    assert {r["framework"] for r in document["results"]} == {"autograd"}
    assert "| trap | autograd | eigengrad |" in Path("card.md").read_text(encoding="utf-8")
    assert cli.main(["scorecard", "--show", "sum", "--frameworks", "autograd", "--ours"]) == 0
    assert "eigengrad.autograd" in capsys.readouterr().out
    assert cli.main(["scorecard", "--show", "nothing"]) == 2
    assert "there are sum" in capsys.readouterr().err
