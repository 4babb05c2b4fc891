"""A framework's process, as bench.py sees it: what it says, line by line, and when it works."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pools

WORKER = Path(__file__).parent / "worker.py"


class Process:
    """One worker, in a session of its own, so that Ctrl-C reaches bench.py alone, which ends it."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - ours to close
        self.run = subprocess.Popen(
            [sys.executable, str(WORKER), json.dumps(task)],
            env=pools.environment(task["threads"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            start_new_session=True,
        )
        self.asks = self.ended = False

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: Any) -> None:
        if self.run.poll() is None:
            self.run.kill()
        self.run.communicate()
        self.log.close()

    def turn(self) -> Iterator[dict[str, Any]]:
        """What it says until it asks for its next turn, or ends."""
        if self.asks and self.run.stdin:
            try:
                self.run.stdin.write("\n")
                self.run.stdin.flush()
            except BrokenPipeError:
                pass  # it has ended, and what it said last is still to be read
        self.asks = False
        for text in self.run.stdout or ():
            line = json.loads(text)
            if "turn" in line:
                self.asks = True
                return
            yield line
        self.ended = True

    def failure(self) -> str | None:
        """Of one that has ended: how, if not well."""
        if not self.run.wait():
            return None
        self.log.seek(0)
        said = self.log.read().strip().splitlines()
        return f"ended with {self.run.returncode}: {said[-1] if said else 'without a word'}"


def rounds(*processes: Process) -> Iterator[tuple[int, dict[str, Any]]]:
    """What they say, with the number of who says it: one works, and the others wait."""
    left = dict(enumerate(processes))
    while left:
        for number, process in list(left.items()):
            for line in process.turn():
                yield number, line
            if process.ended:
                del left[number]
