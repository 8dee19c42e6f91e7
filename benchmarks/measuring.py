"""Measures one call in a process of its own: its seconds, those of the processor, and how far its memory grows."""

import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import NamedTuple

_RESET_PEAK = "5"
"""Source: proc_pid_clear_refs(5)."""

Call = Callable[[], list[str]]


class Measured(NamedTuple):
    """Seconds, those of processors, the growth of memory in MiB to its peak, both with programs, and the result."""

    seconds: float
    cpu: float
    memory: float
    result: list[str]


def measure(prepare: Callable[..., Call], *arguments: object) -> Measured:
    """Return what the call costs that ``prepare`` returns; it is made and called in a new process."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_measured, args=(sending, prepare, arguments))
    process.start()
    sending.close()
    try:
        measured: Measured = receiving.recv()
    finally:
        process.join()
    return measured


def _measured(sending: Connection, prepare: Callable[..., Call], arguments: tuple[object, ...]) -> None:
    call = prepare(*arguments)
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write(_RESET_PEAK)
    before = _peak_mib()
    started, started_cpu = time.perf_counter(), _cpu_seconds()
    result = call()
    seconds, cpu = time.perf_counter() - started, _cpu_seconds() - started_cpu
    programs = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    sending.send(Measured(seconds, cpu, _peak_mib() - before + programs, result))


def _cpu_seconds() -> float:
    """Return what this process, and those that it has waited for, have used of the processors."""
    times = os.times()
    return sum(times[:4])


def _peak_mib() -> float:
    """Return the most memory that this process has had since the peak was reset."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024
