# SPDX-License-Identifier: MIT OR Apache-2.0
"""What compiled programs use: exceptions, arithmetic, awaitables."""

import json
import platform
import sys
import threading

MODULUS = 10007          # `add` / `sub` results are reduced to 0..10006


def dumps(obj):
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=True)


class UserError(Exception):
    """Base of the program-visible exceptions E0..E3 (one int/None payload)."""


class E0(UserError):
    pass


class E1(UserError):
    pass


class E2(UserError):
    pass


class E3(UserError):
    pass


class StepLimit(BaseException):
    """The program ran too long; never visible to the program."""


class ProgramError(Exception):
    """The JSON is not a valid program."""


EXC_CLASSES = {
    "E0": E0, "E1": E1, "E2": E2, "E3": E3,
    "GeneratorExit": GeneratorExit, "StopIteration": StopIteration,
    "RuntimeError": RuntimeError, "ValueError": ValueError,
    "TypeError": TypeError, "AttributeError": AttributeError,
    "Exception": Exception,
}
RAISABLE = ("E0", "E1", "E2", "E3", "GeneratorExit", "StopIteration")


def make_exc(name, payload):
    if name == "GeneratorExit":
        return GeneratorExit()
    if name == "StopIteration":
        return StopIteration(payload)
    return EXC_CLASSES[name](payload)


def exc_repr(exc):
    if isinstance(exc, UserError):
        return [type(exc).__name__, exc.args[0]]
    if isinstance(exc, GeneratorExit):
        return ["GeneratorExit"]
    if isinstance(exc, StopIteration):
        return ["StopIteration", exc.value]
    return [type(exc).__name__, str(exc)]


def exc_payload(exc):
    if isinstance(exc, UserError):
        return exc.args[0]
    if isinstance(exc, StopIteration):
        return exc.value
    return None


def strip(exc):
    """Drop every traceback reachable from exc.

    A traceback keeps frames, and so their generator variables, alive.  The
    language defines releases by scope, so tracebacks must never own anything.
    """
    seen = set()
    todo = [exc]
    while todo:
        e = todo.pop()
        if e is None or id(e) in seen:
            continue
        seen.add(id(e))
        e.__traceback__ = None
        todo.append(e.__cause__)
        todo.append(e.__context__)


def num(v):
    return 0 if v is None else v


def add(a, b):
    return (num(a) + num(b)) % MODULUS


def sub(a, b):
    return (num(a) - num(b)) % MODULUS


class YieldAwaitable:
    """`await YieldAwaitable(v)` suspends a coroutine with the value v."""

    __slots__ = ("value", "pending")

    def __init__(self, value):
        self.value = value
        self.pending = True

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        if self.pending:
            self.pending = False
            return self.value
        raise StopIteration

    def send(self, value):
        raise StopIteration(value)


class ListAwaitable:
    """`await ListAwaitable(items)` delegates to a plain list iterator."""

    __slots__ = ("items",)

    def __init__(self, items):
        self.items = items

    def __await__(self):
        return iter(self.items)


# The versions whose traces are known to be the same.
VERSIONS = ((3, 11), (3, 12), (3, 13))


def run_main(main):
    """Exits with what main() returns, on a stack for deep delegation chains."""
    if (platform.python_implementation() != "CPython"
            or sys.version_info[:2] not in VERSIONS):
        sys.exit("this is %s %s, and the traces are those of CPython %s" % (
            platform.python_implementation(), platform.python_version(),
            ", ".join("%d.%d" % v for v in VERSIONS)))
    result = []

    def work():
        try:
            result.append(main() or 0)
        except BrokenPipeError:
            result.append(0)

    sys.setrecursionlimit(20000)
    threading.stack_size(256 << 20)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    sys.exit(result[0] if result else 2)
