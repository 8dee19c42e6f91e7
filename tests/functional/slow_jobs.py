"""Types of job for tests with real workers, which note what they do in a file that all processes share."""

import os
import time
from pathlib import Path

from glance_mini.workers.base import JobType

LINE = 128
"""Bytes of each line. A page of the system's memory holds a number of whole lines, so that no line is ever half there,
neither for one who reads the file at that moment nor after its writer was killed."""


def note(path, *words):
    """Append a line to the log; it ends with the clock that all processes of the machine share."""
    line = " ".join(map(str, (*words, os.getpid(), time.monotonic_ns()))).ljust(LINE - 1) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def noted(path):
    """Return the words of each line of the log so far; none where nothing was noted."""
    log = Path(path)
    data = log.read_bytes() if log.exists() else b""
    whole = len(data) // LINE * LINE
    return [data[start : start + LINE].decode().split() for start in range(0, whole, LINE)]


class StepsJob(JobType):
    """Takes ``steps`` steps of ``seconds`` each, and notes beginning, steps and end in the file ``log``."""

    kind = "steps"

    @classmethod
    def from_config(cls, conf, services, stack):
        return cls()

    def run(self, job, control):
        log = job.input["log"]
        note(log, "begin", job.id)
        for step in range(job.checkpoint.get("step", 0), job.input.get("steps", 0)):
            control.check()
            time.sleep(job.input["seconds"])
            note(log, "step", step)
            control.checkpoint({"step": step + 1})
        note(log, "end", job.id)
        return {"pid": os.getpid()}


class BrokenJob(JobType):
    """Cannot be built."""

    kind = "broken"

    @classmethod
    def from_config(cls, conf, services, stack):
        raise ValueError("this type of job is broken")
