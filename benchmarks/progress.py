"""A bar on the terminal: how much is done, what runs, and how long the rest may take."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO


class Progress:
    """Writes to stderr; one line that is overwritten on a terminal, lines of their own into a file."""

    def __init__(self, total: int, stream: TextIO = sys.stderr) -> None:
        self.total, self.done, self.stream, self.begin = total, 0, stream, time.monotonic()
        self.terminal = stream.isatty()

    def show(self, text: str) -> None:
        """What runs now."""
        passed = time.monotonic() - self.begin
        filled = 20 * self.done // max(self.total, 1)
        line = f"[{'#' * filled}{'.' * (20 - filled)}] {self.done}/{self.total}  {clock(passed)}"
        if self.done:
            line += f", about {clock(passed / self.done * (self.total - self.done))} left"
        line += f"  {text}"
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            self.stream.write("\r" + line[:width].ljust(width))
        else:
            self.stream.write(line + "\n")
        self.stream.flush()

    def say(self, text: str) -> None:
        """A line that stays."""
        if self.terminal:
            self.stream.write("\r".ljust(shutil.get_terminal_size().columns) + "\r")
        self.stream.write(text + "\n")
        self.stream.flush()


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
