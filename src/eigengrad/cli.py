"""The command line: arguments, files and exit codes, no logic.

Exit codes of all commands: 0 agree, or every difference is explained by a convention; 1 a difference that changes the
loss; 2 bad input or usage; 3 not explained; 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import __version__, frameworks
from .errors import EigengradError, InputError


class _Parser(argparse.ArgumentParser):
    """One sentence on standard error and exit status 2, instead of the usage as well."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"eigengrad: {message[:1].upper()}{message[1:].rstrip('.')}. See {self.prog} --help.\n")


def parser() -> argparse.ArgumentParser:
    top = _Parser(prog="eigengrad", description="The derivative of a symmetric eigenproblem, and who has it right.")
    top.add_argument("--version", action="version", version=f"eigengrad {__version__}")
    commands = top.add_subparsers(dest="command", metavar="command", parser_class=_Parser)
    compare = commands.add_parser(
        "compare",
        help="show the gradient of one eigenvalue in every framework, and which function has it",
        description="The gradient of one eigenvalue of a matrix, as the formula, each installed framework and "
        "eigengrad have it: which entries the function reads that has this gradient, whether it is right, and why "
        "they differ. "
        "Without a file: the matrix of the question, numpy.random.seed(123), randn(4, 4), plus its transpose.",
    )
    compare.add_argument(
        "matrix", nargs="?", help="a square matrix: .npy .npz .csv .txt .mtx, or - for standard input (up to order 256)"
    )
    compare.add_argument(
        "--index", type=int, default=0, metavar="I", help="which eigenvalue, ascending from 0; -1 is the last"
    )
    compare.add_argument("--key", metavar="NAME", help="which array of an .npz file")
    compare.add_argument(
        "--frameworks",
        metavar="A,B",
        help=f"only these, of: {','.join(frameworks.FRAMEWORKS)} (all that are installed)",
    )
    compare.add_argument("--json", metavar="FILE", help="write the result as JSON")
    compare.add_argument("--plot", metavar="FILE.png", help="write a picture")
    compare.add_argument("--no-color", action="store_true", help="plain text, as everywhere but on a terminal")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    # TensorFlow writes to standard error while it is imported; as a program, not a library, we may ask it not to.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without λ gets a question mark, not a traceback
            stream.reconfigure(errors="replace")
    top = parser()
    options = top.parse_args(arguments)
    if options.command is None:
        top.print_help()
        return 2
    try:
        return _compare(options)
    except EigengradError as error:
        print(f"eigengrad: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("eigengrad: interrupted; no file was written.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"eigengrad: The report cannot be written: {error.strerror or error}.", file=sys.stderr)
        return 2


def _compare(options: argparse.Namespace) -> int:
    from .auditing import compare, matrices, picture, report, verdict

    names = _names(options.frameworks)
    if options.plot is not None:
        if not options.plot.lower().endswith(".png"):
            raise InputError(f"--plot writes a .png file; {options.plot} has another ending. Name one with .png.")
        picture.available()
    for target in (options.json, options.plot):
        _writable(target)
    if options.json is not None and options.json == options.plot:
        raise InputError(f"--json and --plot both name {options.json}; give them different files.")
    if options.matrix is None:
        if options.key is not None:
            raise InputError("--key names an array in an .npz file; no file was given.")
        matrix, source = compare.question(), "the matrix of the question"
    else:
        matrix = matrices.load(options.matrix, options.key)
        source = "the matrix on standard input" if options.matrix == "-" else options.matrix
    found = compare.compare(matrix, options.index, names, source)
    judged = verdict.judge(found)
    files = {}
    if options.json is not None:
        files[options.json] = report.as_json(found, judged).encode()
    if options.plot is not None:
        files[options.plot] = picture.picture(found)
    for target, content in files.items():
        _write(target, content)
    color = not options.no_color and "NO_COLOR" not in os.environ and sys.stdout.isatty()
    sys.stdout.write(report.text(found, judged, color))
    sys.stdout.flush()
    return judged.exit_code


def _names(text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in frameworks.FRAMEWORKS]
    if unknown or not names:
        known = ", ".join(frameworks.FRAMEWORKS)
        raise InputError(f"--frameworks takes names out of {known}; not {', '.join(unknown) or 'nothing'}.")
    return list(dict.fromkeys(names))


def _writable(target: str | None) -> None:
    """Before the work, not after it: whether a file can be written there."""
    if target is None:
        return
    if not target:
        raise InputError("--json and --plot need the name of a file; an empty one was given.")
    path = Path(target)
    if path.is_dir():
        raise InputError(f"{target} is a folder; name a file to write.")
    if not path.parent.is_dir():
        raise InputError(f"{target} cannot be written: there is no folder {path.parent}. Make it, or name another.")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise InputError(f"{target} cannot be written: permission denied. Name another file.")


def _write(target: str, content: bytes) -> None:
    """All or nothing: into a file beside it, which then takes its name. A device or a pipe is written to as it is."""
    path = Path(target)
    beside = None
    try:
        if path.exists() and (not path.is_file() or path.absolute().is_relative_to("/dev")):
            with path.open("ab") as device:
                device.write(content)
            return
        path = path.resolve()  # a link stays, what it points to is replaced
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            beside = Path(file.name)
            file.write(content)
        mask = os.umask(0)
        os.umask(mask)
        beside.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~mask)
        beside.replace(path)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror or error}. Name another file.") from None
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)
