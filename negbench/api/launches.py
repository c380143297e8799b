"""Carry out a command in one of the processes that torchrun has started."""

from __future__ import annotations

from collections.abc import Callable

from negbench.training import launched


def carry_out(command: Callable[[], object]) -> None:
    """Carry out a command in the first of several processes, and help it with its trainings in the others."""
    launched.join()  # before anything looks for GPUs, or for torchrun's variables
    from negbench.training.loop import help_with

    launched.carry_out(command, help_with)
