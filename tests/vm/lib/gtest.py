# SPDX-License-Identifier: Apache-2.0
"""Follows what a GoogleTest program prints, test by test."""
import dataclasses
import re

# Not tied to the line's start: a child of the test may have left a line without its end.
STARTED = re.compile(r"\[ RUN      \] (\S+)$")
ENDED = re.compile(r"\[ +(OK|FAILED|SKIPPED) +\] (\S+?)(?:, where .*)? \((\d+) ms\)$")
SKIP_PLACE = re.compile(r"^\S+:\d+: Skipped$")


@dataclasses.dataclass
class Test:
    """One test that began. `outcome` is ok, failed, skipped, or crashed when it has no end."""
    name: str
    outcome: str = "crashed"
    milliseconds: int = 0
    output: list = dataclasses.field(default_factory=list)

    def skip_reason(self):
        """Returns what the test gave as the reason of its skip, in one line."""
        words = [line for line in self.output if line and not SKIP_PLACE.match(line)]
        return " ".join(words)


class Stream:
    """Takes the program's output in pieces and keeps the tests in it. One thread."""

    def __init__(self, on_end):
        """`on_end` is called with each Test that has ended."""
        self.tests = []
        self.outside = []  # lines that belong to no test
        self._on_end = on_end
        self._rest = b""
        self._current = None

    def feed(self, data):
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line.decode(errors="replace").rstrip("\r"))

    def finish(self):
        """Ends the stream; a test without an end is then told as crashed."""
        if self._rest:
            self._line(self._rest.decode(errors="replace"))
            self._rest = b""
        if self._current:
            self._on_end(self._current)
            self._current = None

    def count(self, *outcomes):
        return sum(test.outcome in outcomes for test in self.tests)

    def _line(self, line):
        if started := STARTED.search(line):
            self._current = Test(started[1])
            self.tests.append(self._current)
            return
        ended = ENDED.search(line)
        # The summary repeats the names of failed tests when none is running.
        if not ended or not self._current or ended[2] != self._current.name:
            (self._current.output if self._current else self.outside).append(line)
            return
        if rest := line[:ended.start()]:
            self._current.output.append(rest)
        self._current.outcome = ended[1].lower()
        self._current.milliseconds = int(ended[3])
        self._on_end(self._current)
        self._current = None
