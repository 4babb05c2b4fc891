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
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__, frameworks, kernel
from .errors import EigengradError, InputError, UndecidedError

if TYPE_CHECKING:
    from .auditing.reporting import Report


class _Parser(argparse.ArgumentParser):
    """One sentence on standard error and exit status 2, instead of the usage as well; options by their whole names."""

    def __init__(self, *names: Any, **options: Any) -> None:
        super().__init__(*names, **{"allow_abbrev": False, **options})

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"eigengrad: {message[:1].upper()}{message[1:].rstrip('.')}. See {self.prog} --help.\n")


def parser() -> argparse.ArgumentParser:
    top = _Parser(prog="eigengrad", description="The derivative of a symmetric eigenproblem, and who has it right.")
    top.add_argument("--version", action="version", version=f"eigengrad {__version__} ({kernel()})")
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
    _frameworks(compare)
    _outputs(compare, html=False)
    explain = commands.add_parser(
        "explain",
        help="say why two gradients, or two sets of eigenvectors, differ",
        description="Find the cause by which two gradients differ: a convention, a choice that no decomposition fixes, "
        "precision, a bug; and what is left after it.",
    )
    explain.add_argument("first", metavar="G1", help="a gradient: .npy .npz .csv .txt .mtx, or - for standard input")
    explain.add_argument("second", metavar="G2", help="the other one")
    explain.add_argument("matrix", metavar="A", nargs="?", help="the matrix; with it more causes can be told")
    explain.add_argument("--key", metavar="NAME", help="which array of .npz files")
    _outputs(explain)
    audit = commands.add_parser(
        "audit",
        help="hold the gradient that a framework returns for your loss against differences",
        description="Is the gradient of a function of yours its derivative, and has it one? This runs the code of the "
        "module, which is looked for in the current folder and where Python looks.",
    )
    audit.add_argument("loss", metavar="MODULE:FUNCTION", help="a function of one matrix that returns one number")
    audit.add_argument("matrix", metavar="A", help="a square matrix: .npy .npz .csv .txt .mtx, or - for standard input")
    audit.add_argument("--key", metavar="NAME", help="which array of an .npz file")
    audit.add_argument("--framework", metavar="NAME", help="whose gradient; found by what the module has imported")
    _outputs(audit)
    card = commands.add_parser(
        "scorecard",
        help="run each framework's own eigh, and eigengrad, through a set of documented traps",
        description="Each installed framework's own functions, and eigengrad in it, on fixed problems whose truth is "
        "known in closed form, graded.",
    )
    card.add_argument("--show", metavar="TRAP", help="print the program of one trap instead of running all")
    card.add_argument("--ours", action="store_true", help="with --show: the program that calls eigengrad")
    _frameworks(card)
    card.add_argument("--page", metavar="FILE.md", help="write the page of the documentation")
    _outputs(card, plot=False)
    return top


def _frameworks(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--frameworks",
        metavar="A,B",
        help=f"only these, of: {','.join(frameworks.FRAMEWORKS)} (all that are installed)",
    )


def _outputs(command: argparse.ArgumentParser, html: bool = True, plot: bool = True) -> None:
    command.add_argument("--json", metavar="FILE", help="write the result as JSON")
    if html:
        command.add_argument("--html", metavar="FILE", help="write one page that needs nothing else")
    if plot:
        command.add_argument("--plot", metavar="FILE.png", help="write a picture")
    command.add_argument("--no-color", action="store_true", help="plain text, as everywhere but on a terminal")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    # TensorFlow writes to standard error while it is imported; as a program, not a library, we may ask it not to.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without λ gets a question mark, not a traceback
            stream.reconfigure(errors="replace")
    if sys.stdout is None:  # closed by the caller
        sys.stdout = io.StringIO()
    top = parser()
    options = top.parse_args(arguments)
    if options.command is None:
        top.print_help()
        return 2
    try:
        return _COMMANDS[options.command](options)
    except EigengradError as error:
        print(f"eigengrad: {error}", file=sys.stderr)
        return 3 if isinstance(error, UndecidedError) else 2
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
    _check_targets(options)
    if options.matrix is None:
        if options.key is not None:
            raise InputError("--key names an array in an .npz file; no file was given.")
        matrix, source = compare.question(), "the matrix of the question"
    else:
        matrix = matrices.load(options.matrix, options.key)
        source = "the matrix on standard input" if options.matrix == "-" else options.matrix
    found = compare.compare(matrix, options.index, names, source)
    judged = verdict.judge(found)
    files: dict[str | None, Callable[[], bytes]] = {
        options.json: lambda: _bytes(report.as_json(found, judged)),
        options.plot: lambda: picture.picture(found),
    }
    _deliver(files, report.text(found, judged, _color(options)))
    return judged.exit_code


def _explain(options: argparse.Namespace) -> int:
    from .auditing import matrices
    from .auditing.explain import explain

    _check_targets(options)
    inputs = [options.first, options.second, options.matrix]
    if inputs.count("-") > 1:
        raise InputError("Standard input can be one of the arrays alone; name files for the others.")
    if options.key is not None and not any(str(name).lower().endswith(".npz") for name in inputs):
        raise InputError("--key names an array in an .npz file; none is given, and it takes no other.")
    keys = [options.key if str(name).lower().endswith(".npz") else None for name in inputs]
    g1, g2 = (matrices.load_gradient(name, key) for name, key in zip(inputs[:2], keys[:2], strict=True))
    a = None if options.matrix is None else matrices.load(options.matrix, keys[2])
    return _report(explain(g1, g2, a, names=(options.first, options.second)), options)


def _audit(options: argparse.Namespace) -> int:
    from .auditing import loading, matrices
    from .auditing.audit import audit

    _check_targets(options)
    matrix = matrices.load(options.matrix, options.key)
    print(f"eigengrad: This runs the code of {options.loss.partition(':')[0]}.", file=sys.stderr)
    # What the module prints is not the report.
    with redirect_stdout(sys.stderr), _Progress() as progress, loading.named(options.loss):
        loss = loading.function(options.loss)
        found = audit(loss, matrix, framework=options.framework, progress=progress)
    return _report(found, options)


def _scorecard(options: argparse.Namespace) -> int:
    from .auditing import scorecard

    names = _names(options.frameworks)
    if options.show is not None:
        for name in names or ["torch"]:
            sys.stdout.write(scorecard.show(options.show, name, options.ours))
        return 0
    _check_targets(options)
    _writable(options.page)
    with _Progress() as progress:
        found = scorecard.scorecard(names, progress)
    if options.page is not None:
        _write(options.page, _bytes(scorecard.markdown(found)))
    return _report(found, options)


_COMMANDS = {"compare": _compare, "explain": _explain, "audit": _audit, "scorecard": _scorecard}


class _Progress:
    """A line on a terminal that says how far it is, and is gone at the end."""

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()

    def __enter__(self) -> _Progress:
        return self

    def __call__(self, done: int, total: int, what: str = "") -> None:
        if self.shown:
            print(f"\r\033[K{done} of {total}  {what}"[:100], end="", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _report(found: Report, options: argparse.Namespace) -> int:
    files = {options.json: lambda: _bytes(found.json()), options.html: lambda: _bytes(found.html())}
    if getattr(options, "plot", None) is not None:
        files[options.plot] = found.png
    _deliver(files, found.text(_color(options)))
    return found.exit_code


def _bytes(text: str) -> bytes:
    """Also where the name of a file is in it that is none in UTF-8."""
    return text.encode("utf-8", "replace")


def _deliver(files: dict[str | None, Callable[[], bytes]], text: str) -> None:
    """All files are made before the first is written, and the report is printed last."""
    made = {target: make() for target, make in files.items() if target is not None}
    for target, content in made.items():
        _write(target, content)
    sys.stdout.write(text)
    sys.stdout.flush()


def _color(options: argparse.Namespace) -> bool:
    return not options.no_color and "NO_COLOR" not in os.environ and sys.stdout.isatty()


def _check_targets(options: argparse.Namespace) -> None:
    """Before the work: whether every file that is asked for can be written."""
    from .auditing import picture

    plot = getattr(options, "plot", None)
    if plot is not None:
        if not plot.lower().endswith(".png"):
            raise InputError(f"--plot writes a .png file; {plot} has another ending. Name one with .png.")
        picture.available()
    named = [x for x in (getattr(options, name, None) for name in ("json", "html", "plot", "page")) if x is not None]
    for target in named:
        _writable(target)
    inputs = [getattr(options, name, None) for name in ("first", "second", "matrix")]
    read = {Path(x).resolve() for x in inputs if x is not None}
    for k, target in enumerate(named):
        if target == "-":
            raise InputError("An output needs the name of a file, not -; the report itself goes to standard output.")
        if Path(target).resolve() in {Path(x).resolve() for x in named[:k]}:
            raise InputError(f"Two outputs both name {target}; give them different files.")
        if Path(target).resolve() in read or target.endswith(".py"):
            raise InputError(f"{target} is read here, or is a program, and would be replaced; name another file.")


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
        raise InputError("An output needs the name of a file; an empty one was given.")
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
