"""Random `async def` workflows, and the check that every run of an execution repeats what the runs before it showed."""

from tests.support.timed_programs.checking import Difference, check
from tests.support.timed_programs.making import make
from tests.support.timed_programs.nodes import Program

__all__ = ["Difference", "Program", "check", "make"]
