# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compiles a program to the text of Python functions."""

import re

from .support import ProgramError, RAISABLE


class Compiler:
    def __init__(self, program):
        self.program = program
        self.coro = program.get("kind", "gen") == "coro"
        self.lines = []

    def emit(self, depth, text):
        self.lines.append("  " * depth + text)

    def program_source(self):
        for index, func in enumerate(self.program["funcs"]):
            self.function(index, func)
        return "\n".join(self.lines) + "\n"

    def function(self, index, func):
        self.emit(0, "%sdef f%d(_g, p):" % ("async " if self.coro else "", index))
        # Order matters: CPython releases the locals of a discarded frame in
        # the order in which the names first appear.
        for i in range(func["gens"]):
            self.emit(1, "a%d = None" % i)
        for i in range(func["ints"]):
            self.emit(1, "x%d = None" % i)
        self.emit(1, "try:")
        self.emit(2, "_ev('start', _g, %d)" % index)
        self.block(2, func["body"], None)
        self.emit(2, "return None")
        if not self.coro:
            self.emit(2, "yield")                    # always a generator
        self.emit(1, "finally:")
        self.emit(2, "_ev('exit', _g)")
        for i in range(func["gens"]):
            self.emit(2, "a%d = None" % i)

    def block(self, depth, body, handler):
        for stmt in body:
            self.emit(depth, "_step()")
            getattr(self, "st_" + stmt[0])(depth, handler, *stmt[1:])
        if not body:
            self.emit(depth, "pass")

    def expr(self, e):
        if e is None or type(e) is int:
            return repr(e)
        if type(e) is str:
            if e == "p" or re.fullmatch(r"x\d+", e):
                return e
        elif type(e) is list and len(e) == 3 and e[0] in ("add", "sub"):
            return "_%s(%s, %s)" % (e[0], self.expr(e[1]), self.expr(e[2]))
        raise ProgramError("bad expression %r" % (e,))

    def cond(self, c):
        a = self.expr(c[1])
        if c[0] == "none":
            return "%s is None" % a
        b = self.expr(c[2])
        if c[0] == "eq":
            return "%s == %s" % (a, b)
        if c[0] == "lt":
            return "_num(%s) < _num(%s)" % (a, b)
        raise ProgramError("bad condition %r" % (c,))

    def target(self, t):
        """A generator variable ('a0') or a slot ('s0') as a Python expression."""
        if re.fullmatch(r"a\d+", t):
            return t
        if re.fullmatch(r"s\d+", t):
            return "_s[%s]" % t[1:]
        raise ProgramError("bad target %r" % (t,))

    def assign(self, depth, dst, value):
        if dst is not None:
            self.emit(depth, "%s = %s" % (dst, value))

    # statements: (depth, innermost handler variable, site, ...)

    def st_log(self, d, h, site, e):
        self.emit(d, "_ev('log', _g, %d, %s)" % (site, self.expr(e)))

    def st_set(self, d, h, site, dst, e):
        self.emit(d, "%s = %s" % (dst, self.expr(e)))

    def st_yield(self, d, h, site, e, dst):
        if self.coro:
            self.emit(d, "_r = await _Y(%s)" % self.expr(e))
        else:
            self.emit(d, "_r = yield (%s)" % self.expr(e))
        self.emit(d, "_ev('recv', _g, %d, _r)" % site)
        self.assign(d, dst, "_r")

    def st_yfrom(self, d, h, site, src, dst):
        word = "await" if self.coro else "yield from"
        if src[0] == "call":
            self.emit(d, "_delegate(_g, %d, None, 'call')" % site)
            self.emit(d, "_r = %s _new(%d, %s)" % (word, src[1], self.expr(src[2])))
            self.emit(d, "_ev('yf', _g, %d, _r)" % site)
        elif src[0] == "list":
            items = "[%s]" % ", ".join(self.expr(e) for e in src[1])
            self.emit(d, "_delegate(_g, %d, None, 'list')" % site)
            self.emit(d, "_r = %s %s" % (
                word, "_L(%s)" % items if self.coro else items))
            self.emit(d, "_ev('yf', _g, %d, _r)" % site)
        elif src[0] == "var":
            t = self.target(src[1])
            self.emit(d, "_r = None")
            self.emit(d, "if _delegate(_g, %d, %s, %r):" % (site, t, src[1]))
            self.emit(d + 1, "_r = %s %s" % (word, t))
            self.emit(d + 1, "_ev('yf', _g, %d, _r)" % site)
        else:
            raise ProgramError("bad yfrom source %r" % (src,))
        self.assign(d, dst, "_r")

    def st_return(self, d, h, site, e):
        self.emit(d, "return %s" % self.expr(e))

    def exc(self, name, payload):
        if name not in RAISABLE:
            raise ProgramError("cannot raise %r" % (name,))
        return "_exc(%r, %s)" % (name, self.expr(payload))

    def st_raise(self, d, h, site, name, payload):
        self.emit(d, "raise %s" % self.exc(name, payload))

    def st_reraise(self, d, h, site):
        if h is None:
            raise ProgramError("reraise outside an except block")
        self.emit(d, "raise %s" % h)

    def st_try(self, d, h, site, body, handlers, final):
        if not handlers and final is None:
            raise ProgramError("try without handler or finally")
        self.emit(d, "try:")
        self.block(d + 1, body, h)
        for index, (names, dst, hbody) in enumerate(handlers):
            classes = ", ".join(
                "_X_Exception, _X_GeneratorExit" if n == "BaseException"
                else "_X_" + n for n in names)
            var = "_e%d_%d" % (site, index)
            self.emit(d, "except (%s,) as %s:" % (classes, var))
            self.emit(d + 1, "_r = _caught(_g, %d, %s)" % (site, var))
            self.assign(d + 1, dst, "_r")
            self.block(d + 1, hbody, var)
        if final is not None:
            self.emit(d, "finally:")
            self.emit(d + 1, "_fin(_g, %d)" % site)
            self.block(d + 1, final, h)

    def st_if(self, d, h, site, cond, then, orelse):
        self.emit(d, "if %s:" % self.cond(cond))
        self.block(d + 1, then, h)
        if orelse:
            self.emit(d, "else:")
            self.block(d + 1, orelse, h)

    def st_loop(self, d, h, site, count, body):
        self.emit(d, "for _i%d in range(%d):" % (site, count))
        self.block(d + 1, body, h)

    def st_new(self, d, h, site, var, func, arg):
        self.emit(d, "%s = _new(%d, %s)" % (var, func, self.expr(arg)))
        self.emit(d, "_ev('new', _g, %d, %r, int(%s.__name__))" % (site, var, var))

    def st_drive(self, d, h, site, op, target, arg, dst, mode):
        value = "None"
        if op == "send":
            value = self.expr(arg)
        elif op == "throw":
            value = self.exc(*arg)
        elif op not in ("next", "close"):
            raise ProgramError("bad drive operation %r" % (op,))
        self.emit(d, "_r = _drive(('in', _g, %d), %r, %s, %r, %s, %s)" % (
            site, op, self.target(target), target, value, mode == "raw"))
        self.assign(d, dst, "_r")

    def st_del(self, d, h, site, target):
        t = self.target(target)
        self.emit(d, "_q = 'empty' if %s is None else "
                     "'running' if _rt.state(%s)[0] == 'RUNNING' else 'ok'" % (t, t))
        self.emit(d, "%s = None" % t)
        self.emit(d, "_ev('del', _g, %d, %r, _q)" % (site, target))

    def st_state(self, d, h, site, target):
        self.emit(d, "_state(_g, %d, %s, %r)" % (site, self.target(target), target))


def compile_program(program):
    return Compiler(program).program_source()
