"""Cases: named coroutines with a hard time limit, run once each, one line of result each."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

#: A case that is not through by then has failed. It is a bound on hanging, not an expectation:
#: whole cases take well under a second.
CASE_SECS_MAX = 120.0


class Skip(Exception):
    """Raised by a case that cannot run here; the reason is printed."""


class Mismatch(AssertionError):
    """What came is not what was promised."""


def check(condition: object, what: str) -> None:
    """An assertion that python -O does not remove."""
    if not condition:
        raise Mismatch(what)


def equal(found: object, wanted: object, what: str) -> None:
    """An assertion that says both sides."""
    if found != wanted:
        raise Mismatch(f"{what}: {found!r}, not {wanted!r}")


@dataclass(frozen=True)
class Case:
    """One test."""

    name: str
    run: Callable[[Any], Awaitable[None]]
    secs_max: float
    #: Words of :attr:`Coordinates.lacks` that make the case pointless.
    needs: frozenset[str]


class Suite:
    """The cases of one file, in the order in which they are written."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cases: list[Case] = []

    def case(self, *needs: str, secs_max: float = CASE_SECS_MAX) -> Callable[[Any], Any]:
        """Decorator; the function's name is the case's name."""

        def register(run: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
            name = f"{self.name}/{run.__name__}" if self.name else run.__name__
            self.cases.append(Case(name, run, secs_max, frozenset(needs)))
            return run

        return register


async def run(
    partner: str,
    suites: list[Suite],
    stage: Callable[[], Any],
    lacks: frozenset[str],
    chosen: list[str],
) -> int:
    """Run the cases whose name starts with one of `chosen` (all, if empty).

    Returns the exit code. `stage` makes what each case gets: an async context manager with
    `describe()`, which says what was going on when the limit ran out.
    """
    failed = ran = 0
    for case in (case for suite in suites for case in suite.cases):
        if chosen and not any(case.name.startswith(prefix) for prefix in chosen):
            continue
        ran += 1
        if missing := case.needs & lacks:
            print(f"skip {partner}/{case.name}: this server has no {', '.join(sorted(missing))}", flush=True)
            continue
        begun = time.monotonic()
        try:
            why = await _run_one(case, stage())
        except Exception as error:  # what could not be cleaned up must not hide the next case either
            why = f"afterwards: {type(error).__name__}: {error}"
        secs = time.monotonic() - begun
        match why:
            case None:
                print(f"ok {partner}/{case.name}  # {secs:.2f} s", flush=True)
            case Skip():
                print(f"skip {partner}/{case.name}: {why}", flush=True)
            case _:
                failed += 1
                print(f"not ok {partner}/{case.name}: {' '.join(str(why).split())}", flush=True)
    if not ran:
        failed = 1
        print(f"not ok {partner}/none: no case is named {' or '.join(chosen)}", flush=True)
    return 1 if failed else 0


async def _run_one(case: Case, stage: Any) -> Exception | str | None:
    async with stage as x:
        try:
            async with asyncio.timeout(case.secs_max):
                await case.run(x)
        except Skip as skip:
            return skip
        except TimeoutError:
            return f"not within {case.secs_max:.0f} s; {_described(x)}"
        except Mismatch as mismatch:
            return str(mismatch)
        except Exception as error:  # a broken case must not hide the next
            traceback.print_exc(limit=-2, file=sys.stderr)
            return f"{type(error).__name__}: {error}"
    return None


def _described(stage: Any) -> str:
    try:
        return str(stage.describe())
    except Exception as error:  # a dead program cannot be asked
        return str(error)
