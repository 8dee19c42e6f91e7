"""Types of job for tests with real workers; each line of their log is written at once."""

import os
import time

from glance_mini.workers.base import JobType


def note(path, *words):
    """Append a line to the log; it ends with the clock that all processes of the machine share."""
    line = " ".join(map(str, (*words, os.getpid(), time.monotonic_ns()))) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


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
