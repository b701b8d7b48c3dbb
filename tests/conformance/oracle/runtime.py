# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs a program with CPython's own generators or coroutines, and traces it."""

import gc
import inspect
import re
import sys
import types
import warnings
import weakref

from .compiler import compile_program
from .coverage import Coverage
from .support import (
    EXC_CLASSES, ListAwaitable, ProgramError, StepLimit, YieldAwaitable, add,
    exc_payload, exc_repr, make_exc, num, strip, sub,
)

STEP_LIMIT = 200_000     # statements per program before the run is given up


class Runtime(Coverage):
    """State of one program execution and the functions its code calls."""

    def __init__(self, program, step_limit=STEP_LIMIT, close_value=False,
                 coverage=False, strict=False):
        self.program = program
        self.strict = strict         # refuse what is not safe on every version
        self.coro = program.get("kind", "gen") == "coro"
        self.step_limit = step_limit
        self.close_value = close_value
        self.trace = []
        self.steps = 0
        self.limit_hit = False
        self.version_dependent = False
        self.delegating = set()      # gids whose body is inside a `yield from`
        self.next_gid = 0
        self.live = {}
        self.slots = [None] * program["slots"]
        self.coverage = set() if coverage else None
        self.funcs = None

    # -- events ------------------------------------------------------------

    def ev(self, *event):
        self.trace.append(list(event))
        if event[0] in ("yf", "catch", "fin", "exit"):
            self.delegating.discard(event[1])

    def step(self):
        self.steps += 1
        if self.steps > self.step_limit:
            self.limit_hit = True
            raise StepLimit

    def fin(self, gid, site):
        """First thing in every finally block."""
        self.ev("fin", gid, site)
        exc = sys.exc_info()[1]
        if exc is not None:
            strip(exc)

    def caught(self, gid, site, exc):
        """First thing in every except block; gives the payload."""
        strip(exc)
        self.ev("catch", gid, site, exc_repr(exc))
        return exc_payload(exc)

    # -- generators --------------------------------------------------------

    def new(self, func, arg):
        gid = self.next_gid
        self.next_gid += 1
        gen = self.funcs[func](gid, arg)
        gen.__name__ = str(gid)
        gen.__qualname__ = str(gid)

        def dropped(_ref, gid=gid):
            del self.live[gid]
            self.ev("dropped", gid)

        self.live[gid] = weakref.ref(gen, dropped)
        return gen

    def state(self, gen):
        """(state, what it delegates to): the introspection of the language."""
        if self.coro:
            st = inspect.getcoroutinestate(gen)[5:]
            yf = gen.cr_await if st == "SUSPENDED" else None
        else:
            st = inspect.getgeneratorstate(gen)[4:]
            yf = gen.gi_yieldfrom if st == "SUSPENDED" else None
        if yf is None or isinstance(yf, YieldAwaitable):
            return st, None
        if isinstance(yf, (types.GeneratorType, types.CoroutineType)):
            return st, int(yf.__name__)
        return st, "iter"

    def observe(self, gid, site, gen, name):
        if gen is None:
            self.ev("state", gid, site, name, "empty")
        else:
            self.ev("state", gid, site, name, *self.state(gen))
            if self.coverage is not None:
                self.cover_state(gen, True)

    def delegate(self, gid, site, gen, name):
        """Announces a `yield from`; false when the variable is empty."""
        if self.coverage is not None:
            self.cover_delegate(gid, gen, name)
        if name not in ("call", "list") and gen is None:
            self.ev("yfrom", gid, site, name, "empty")
            return False
        self.ev("yfrom", gid, site, name)
        self.delegating.add(gid)
        return True

    def drive(self, prefix, op, gen, name, arg, raw):
        """One next/send/throw/close on a generator, traced.

        raw: an exception (StopIteration too) is raised into the caller after
        it has been traced; otherwise it only becomes the traced outcome.
        """
        if gen is None:
            self.ev(*prefix, op, name, "empty")
            return None
        value = None
        error = None
        if op == "throw" and isinstance(arg, StopIteration):
            self.note_stopiteration(gen)
        cov = self.cover_before(op, gen, arg) if self.coverage is not None else None
        try:
            if op in ("close", "throw"):
                self.refuse_unsafe_chain(gen)
            if op in ("close", "throw") and self.unsafe(gen):
                raise ValueError("%s already executing" % (
                    "coroutine" if self.coro else "generator"))
            if op == "close":
                value = gen.close()
                outcome = ["closed", value if self.close_value else None]
                value = None
            else:
                if op == "send":
                    value = gen.send(arg)
                elif op == "throw":
                    value = gen.throw(arg)
                elif self.coro:
                    value = gen.send(None)
                else:
                    value = next(gen)
                outcome = ["yielded", value]
        except StepLimit:
            gen = None
            raise
        except BaseException as exc:
            strip(exc)
            if isinstance(exc, StopIteration):
                value = exc.value
                outcome = ["returned", value]
            else:
                outcome = ["raised", exc_repr(exc)]
            if raw:
                error = exc
        arg = None
        if cov is not None:
            self.cover_after(cov, gen, outcome)
        self.ev(*prefix, op, name, *outcome)
        gen = None                       # the reference goes after the event
        if error is not None:
            try:
                raise error
            finally:
                error = None
        return value

    def chain(self, gen):
        """The delegation chain below gen: list of generators, ends in 'iter'?"""
        out = []
        while True:
            yf = gen.cr_await if self.coro else gen.gi_yieldfrom
            if yf is None or isinstance(yf, YieldAwaitable):
                return out, False
            if not isinstance(yf, (types.GeneratorType, types.CoroutineType)):
                return out, True
            out.append(yf)
            gen = yf

    def unsafe(self, gen):
        """close/throw on a running, delegating generator, before 3.12.

        CPython 3.11 can crash in such a close.  3.12 and newer raise
        ValueError; so does this, in CPython's place.
        """
        return (sys.version_info < (3, 12)
                and int(gen.__name__) in self.delegating
                and self.state(gen)[0] == "RUNNING")

    def refuse_unsafe_chain(self, gen):
        """The same hazard further down the chain: give the program up."""
        if not self.strict and sys.version_info >= (3, 12):
            return
        if self.state(gen)[0] == "SUSPENDED":
            for link in self.chain(gen)[0]:
                if (int(link.__name__) in self.delegating
                        and self.state(link)[0] == "RUNNING"):
                    self.limit_hit = True
                    self.step_limit = 0
                    raise StepLimit

    def note_stopiteration(self, gen):
        """Throwing StopIteration in where CPython versions disagree.

        3.11: thrown into a just-created generator it becomes RuntimeError
        (PEP 479); thrown into a delegation to something without throw() it is
        raised at the delegation (PEP 380).  3.12 and newer: the first escapes
        as it is, the second ends the delegation with the exception's value.
        """
        st, _ = self.state(gen)
        if st == "CREATED" or (
                st == "SUSPENDED" and (self.coro or self.chain(gen)[1])):
            self.version_dependent = True

    # -- the driver --------------------------------------------------------

    def run(self):
        program = self.program
        self.ev("prog", program["id"])
        was_enabled = gc.isenabled()
        gc.disable()
        hook = sys.unraisablehook
        sys.unraisablehook = self.unraisable
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                warnings.showwarning = self.warned
                self.load()
                self.run_ops(program["main"])
                if not self.limit_hit:
                    self.final_drops(len(program["main"]))
                self.slots = None
        finally:
            sys.unraisablehook = hook
            if was_enabled:
                gc.enable()
        if self.limit_hit:
            self.ev("limit")
        else:
            for gid in sorted(self.live):
                self.ev("leak", gid)     # never happens; a fault of this file if so
        self.ev("end", program["id"], len(self.trace) - 1)
        return self.trace

    def load(self):
        namespace = {
            "_rt": self, "_ev": self.ev, "_step": self.step, "_fin": self.fin,
            "_caught": self.caught, "_new": self.new, "_state": self.observe,
            "_delegate": self.delegate, "_drive": self.drive, "_s": self.slots,
            "_add": add, "_sub": sub, "_num": num, "_exc": make_exc,
            "_Y": YieldAwaitable, "_L": ListAwaitable,
        }
        for name, cls in EXC_CLASSES.items():
            namespace["_X_" + name] = cls
        source = compile_program(self.program)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")          # 3.14: return in finally
            code = compile(source, "<program>", "exec", dont_inherit=True)
        exec(code, namespace)
        self.funcs = [namespace["f%d" % i]
                      for i in range(len(self.program["funcs"]))]

    def run_ops(self, ops):
        for index, op in enumerate(ops):
            self.run_op(index, op)
            if self.limit_hit:
                return

    def run_op(self, index, op):
        name, slot = op[0], op[1]
        label = "s%d" % slot
        prefix = ("op", index)
        if name == "new":
            gid = self.next_gid
            self.slots[slot] = self.new(op[2], op[3])    # releases the old one
            self.ev(*prefix, "new", label, "gen", gid)
        elif name == "drop":
            if self.slots[slot] is None:
                self.ev(*prefix, "drop", label, "empty")
            else:
                if self.coverage is not None:
                    self.cover_drop(slot)
                self.slots[slot] = None
                self.ev(*prefix, "drop", label, "ok")
        elif name == "state":
            gen = self.slots[slot]
            if gen is None:
                self.ev(*prefix, "state", label, "empty")
            else:
                self.ev(*prefix, "state", label, "state", *self.state(gen))
                if self.coverage is not None:
                    self.cover_state(gen, False)
        elif name in ("next", "close"):
            self.guarded(prefix, name, slot, label, None)
        elif name == "send":
            self.guarded(prefix, name, slot, label, op[2])
        elif name == "throw":
            self.guarded(prefix, name, slot, label, make_exc(op[2], op[3]))
        else:
            raise ProgramError("unknown driver operation %r" % (name,))

    def guarded(self, prefix, name, slot, label, arg):
        try:
            self.drive(prefix, name, self.slots[slot], label, arg, False)
        except StepLimit:
            pass

    def final_drops(self, index):
        for slot in range(len(self.slots)):
            if self.slots[slot] is not None:
                if self.coverage is not None:
                    self.cover_drop(slot)
                self.slots[slot] = None
                self.ev("op", index, "drop", "s%d" % slot, "end")
                index += 1
                if self.limit_hit:
                    return

    # -- what CPython reports on the side -----------------------------------

    def unraisable(self, info):
        exc = info.exc_value
        if isinstance(exc, StepLimit):
            return
        gid = getattr(info.object, "__name__", None)
        if gid is None:                              # 3.14 puts it in err_msg
            gid = re.search(r"object (\d+) at", info.err_msg or "").group(1)
        strip(exc)
        self.ev("unraisable", int(gid), exc_repr(exc))
        if self.coverage is not None:
            text = str(exc)
            self.coverage.add("drop.ignored" if "ignored GeneratorExit" in text
                              else "drop.raises")

    def warned(self, message, category, filename, lineno, file=None, line=None):
        m = re.match(r"coroutine '(\d+)' was never awaited", str(message))
        if m:
            self.ev("never_awaited", int(m.group(1)))
            if self.coverage is not None:
                self.coverage.add("coro.never_awaited")
