# SPDX-License-Identifier: MIT OR Apache-2.0
"""Hand-written programs: the talk's examples and CPython's published cases.

CLASSIC is a list of (program, check).  check(trace) says whether the trace is
what the source (talk, PEP or CPython test) publishes; None means the trace is
only compared between implementations.
"""


def prog(ident, funcs, main, slots=1, kind="gen", level=1):
    return {"id": ident, "kind": kind, "level": level, "profile": "classic",
            "slots": slots, "funcs": funcs, "main": main}


def fn(body, ints=3, gens=0):
    """Numbers the statements (the site is the second element, 0 here)."""
    count = [0]

    def walk(block):
        for s in block:
            count[0] += 1
            s[1] = count[0]
            if s[0] == "try":
                walk(s[2])
                for h in s[3]:
                    walk(h[2])
                if s[4] is not None:
                    walk(s[4])
            elif s[0] == "if":
                walk(s[3])
                walk(s[4])
            elif s[0] == "loop":
                walk(s[3])
    walk(body)
    return {"ints": ints, "gens": gens, "body": body}


# short spellings of statements
def Y(e, dst=None): return ["yield", 0, e, dst]
def LOG(e): return ["log", 0, e]
def SET(dst, e): return ["set", 0, dst, e]
def CALL(f, arg=None, dst=None): return ["yfrom", 0, ["call", f, arg], dst]
def LIST(items, dst=None): return ["yfrom", 0, ["list", items], dst]
def VAR(t, dst=None): return ["yfrom", 0, ["var", t], dst]
def RET(e): return ["return", 0, e]
def RAISE(name, e=None): return ["raise", 0, name, e]
def RERAISE(): return ["reraise", 0]
def TRY(body, handlers, final=None): return ["try", 0, body, handlers, final]
def ON(names, body, dst=None): return [names.split(), dst, body]
def IF(c, then, orelse=()): return ["if", 0, c, then, list(orelse)]
def LOOP(n, body): return ["loop", 0, n, body]
def NEW(v, f, arg=None): return ["new", 0, v, f, arg]
def DEL(t): return ["del", 0, t]
def STATE(t): return ["state", 0, t]
def DRIVE(op, t, arg=None, dst=None, mode="traced"):
    return ["drive", 0, op, t, arg, dst, mode]


def outcomes(*want):
    """The outcomes of the driver operations other than `new`, in order."""
    def check(trace):
        got = [e[4:] for e in trace if e[0] == "op" and e[2] != "new"]
        return got[:len(want)] == [list(w) for w in want]
    return check


def both(*checks):
    return lambda trace: all(c(trace) for c in checks)


def logs(*want):
    """(gid, value) of the log events, in order."""
    return lambda trace: [(e[1], e[3]) for e in trace if e[0] == "log"] == list(want)


def order(*want):
    """These events occur, in this order (each a prefix)."""
    def check(trace):
        i = 0
        for e in trace:
            if i < len(want) and e[:len(want[i])] == list(want[i]):
                i += 1
        return i == len(want)
    return check


IGNORED = ["RuntimeError", "generator ignored GeneratorExit"]
BUSY = ["ValueError", "generator already executing"]
ESCAPED = ["RuntimeError", "generator raised StopIteration"]
JUST_STARTED = ["TypeError", "can't send non-None value to a just-started generator"]
y = lambda v: ("yielded", v)
ret = lambda v=None: ("returned", v)
err = lambda e: ("raised", e)
closed = ("closed", None)
dropped = ("ok",)

C = CLASSIC = []


def case(ident, funcs, main, check=None, **kw):
    C.append((prog(ident, funcs, main, **kw), check))


N, D, CL = ["next", 0], ["drop", 0], ["close", 0]
def S(v, slot=0): return ["send", slot, v]
def T(name, v=None, slot=0): return ["throw", slot, name, v]
def G(f, arg=None, slot=0): return ["new", slot, f, arg]


# --- the talk ---------------------------------------------------------------
# def coro(): step = 0; while True: received = yield step; step += 1
case("talk-step-counter",
     [fn([SET("x0", 0), LOOP(4, [Y("x0", "x1"), LOG("x1"),
                                 SET("x0", ["add", "x0", 1])])])],
     [G(0), N, S(100), S(200), T("E0", 7), N],
     both(outcomes(y(0), y(1), y(2), err(["E0", 7]), ret()),
          logs((0, 100), (0, 200))))
# throw caught inside: the next yield is throw()'s result
case("talk-throw-valueerror",
     [fn([LOOP(3, [TRY([Y(1, "x0")], [ON("E0", [LOG(-1)])])]), RET(9)])],
     [G(0), N, T("E0", 1), N, T("E1", 2), N],
     both(outcomes(y(1), y(1), y(1), err(["E1", 2]), ret()), logs((0, -1))))
case("talk-return-42", [fn([Y(1), Y(2), RET(42)])],
     [G(0), N, N, N, N], outcomes(y(1), y(2), ret(42), ret()))
# internal / general
case("talk-internal-general",
     [fn([CALL(1, None, "x0"), LOG("x0"), Y("x0"), RET(0)]),
      fn([Y(1, "x0"), LOG("x0"), Y(2, "x1"), LOG("x1"), RET(10)])],
     [G(0), N, S(100), S(200), N],
     both(outcomes(y(1), y(2), y(10), ret(0)),
          logs((1, 100), (1, 200), (0, 10))))
case("talk-await",
     [fn([CALL(1, None, "x0"), LOG("x0"), RET(["add", "x0", 1])]),
      fn([Y(1, "x0"), RET("x0")])],
     [G(0), S(None), S(41), S(None)],
     outcomes(y(1), ret(42), err(["RuntimeError",
                                  "cannot reuse already awaited coroutine"])),
     kind="coro")

# --- PEP 255 / test_generators tutorial and pep doctests ----------------------
case("gen-tutorial", [fn([Y(1), Y(2)])], [G(0), N, N, N, N],
     outcomes(y(1), y(2), ret(), ret()))
case("gen-return-in-try", [fn([TRY([RET(None)], [ON("BaseException", [Y(1)])])])],
     [G(0), N], outcomes(ret()))
case("gen-stopiteration-is-caught",
     [fn([TRY([RAISE("StopIteration")], [ON("BaseException", [Y(42)])])])],
     [G(0), N, N], outcomes(y(42), ret()))
case("gen-return-finally-yields", [fn([TRY([RET(5)], [], [Y(1)])])],
     [G(0), N, N], outcomes(y(1), ret(5)))
case("gen-resume-self", [fn([DRIVE("next", "s0", None, "x0", "raw"), Y("x0")])],
     [G(0), N, N], outcomes(err(BUSY), ret()), level=3)
case("gen-exception-propagates", [fn([RAISE("E0", 1), Y(42)])],
     [G(0), N, N], outcomes(err(["E0", 1]), ret()))
case("gen-try-except-finally",
     [fn([TRY([Y(1),
               TRY([Y(2), RAISE("E0"), Y(3)],
                   [ON("E0", [Y(4), Y(5), RERAISE()]),
                    ON("BaseException", [Y(6)])]),
               Y(7)], [ON("BaseException", [Y(8)])]),
          Y(9), TRY([SET("x0", 12)], [], [Y(10)]), Y(11)])],
     [G(0)] + [N] * 9,
     outcomes(y(1), y(2), y(4), y(5), y(8), y(9), y(10), y(11), ret()))

# --- test_generators: send, throw, close, finalisation -----------------------
case("gen-send-just-started", [fn([Y(1, "x0"), LOG("x0"), Y(2)])],
     [G(0), S(5), N, S(42), N],
     outcomes(err(JUST_STARTED), y(1), y(2), ret()))
case("gen-throw-conditions",
     [fn([LOOP(9, [TRY([Y(None, "x0"), LOG("x0")], [ON("E0", [LOG(-5)])])])])],
     [G(0), N, T("E0", 1), T("E0", 2), S(1), T("E1", 3), S(2), T("E0", 6),
      G(0), T("E0", 7)],
     outcomes(y(None), y(None), y(None), y(None), err(["E1", 3]), ret(),
              err(["E0", 6]), err(["E0", 7])))
case("gen-close-simple",
     [fn([TRY([Y(0)], [ON("GeneratorExit", [LOG(1)])])]), fn([Y(0)])],
     [G(0), N, CL, CL, G(0), CL, G(1), CL, G(1), N, CL],
     both(outcomes(y(0), closed, closed, closed, closed, y(0), closed),
          logs((0, 1))))
case("gen-del-runs-finally", [fn([TRY([Y(0)], [], [LOG(1)])])],
     [G(0), N, D], both(outcomes(y(0), dropped), logs((0, 1))))
case("gen-generatorexit-not-exception",
     [fn([TRY([Y(0)], [ON("Exception", [LOG(1)])], [LOG(2)])])],
     [G(0), N, D], logs((0, 2)))
case("gen-ignores-close",
     [fn([TRY([Y(0)], [ON("GeneratorExit", [Y(7)])])])],
     [G(0), N, CL, ["state", 0], CL, ["state", 0]],
     outcomes(y(0), err(IGNORED), ("state", "SUSPENDED", None), closed,
              ("state", "CLOSED", None)))
case("gen-ignores-del",
     [fn([TRY([TRY([Y(0)], [ON("GeneratorExit", [Y(7)])])], [], [LOG(1)])])],
     [G(0), N, D],
     both(order(["dropped", 0], ["unraisable", 0, IGNORED], ["op", 2, "drop"]),
          logs()))
case("gen-close-raises",
     [fn([TRY([Y(0)], [ON("GeneratorExit", [RAISE("E0", 3)])])])],
     [G(0), N, CL, CL], outcomes(y(0), err(["E0", 3]), closed))
case("gen-pep479", [fn([Y(1), RAISE("StopIteration"), Y(2)])],
     [G(0), N, N, N], outcomes(y(1), err(ESCAPED), ret()))
case("gen-close-return-values",
     [fn([TRY([Y(0)], [ON("GeneratorExit", [RET(3)])])]), fn([Y(0), RET(4)])],
     [G(0), N, CL, CL, G(1), N, CL, G(0), CL, G(0), N, N, CL])
case("gen-yieldfrom-introspection",
     [fn([STATE("s0"), CALL(1), STATE("s0"), Y(0), STATE("s0")]),
      fn([STATE("s0"), Y(0), STATE("s0")])],
     [G(0), ["state", 0], N, ["state", 0], N, ["state", 0], N, ["state", 0]],
     both(outcomes(("state", "CREATED", None), y(0), ("state", "SUSPENDED", 1),
                   y(0), ("state", "SUSPENDED", None), ret(),
                   ("state", "CLOSED", None)),
          lambda t: all(e[4:] == ["RUNNING", None]
                        for e in t if e[0] == "state")), level=3)

# --- test_yield_from.py (PEP 380) -------------------------------------------
g2 = [Y(21, "x0"), LOG("x0"), Y(22, "x0"), LOG("x0")]
case("pep380-initial-next",
     [fn([LOG(1), CALL(1), LOG(2)]), fn([LOG(3), Y(42), LOG(4)])],
     [G(0), N, N],
     both(outcomes(y(42), ret()), logs((0, 1), (1, 3), (1, 4), (0, 2))))
case("pep380-raise-in-initial-next",
     [fn([TRY([LOG(1), CALL(1)], [], [LOG(2)])]),
      fn([TRY([LOG(3), RAISE("E0", 9)], [], [LOG(4)]), Y(0)])],
     [G(0), N],
     both(outcomes(err(["E0", 9])), logs((0, 1), (1, 3), (1, 4), (0, 2))))
case("pep380-delegate-next",
     [fn([Y(11), CALL(1), Y(12)]), fn([Y(21), Y(22)])], [G(0)] + [N] * 5,
     outcomes(y(11), y(21), y(22), y(12), ret()))
case("pep380-raise-in-delegated-next",
     [fn([TRY([Y(11), CALL(1), Y(12)], [], [LOG(2)])]),
      fn([TRY([Y(21), RAISE("E0", 5), Y(22)], [], [LOG(1)])])],
     [G(0), N, N, N],
     both(outcomes(y(11), y(21), err(["E0", 5])), logs((1, 1), (0, 2))))
case("pep380-delegate-send",
     [fn([Y(11, "x0"), LOG("x0"), CALL(1), Y(12, "x0"), LOG("x0")]), fn(g2)],
     [G(0), N, S(1), S(2), S(3), S(4)],
     both(outcomes(y(11), y(21), y(22), y(12), ret()),
          logs((0, 1), (1, 2), (1, 3), (0, 4))))
case("pep380-raise-while-delegating-send",
     [fn([Y(11, "x0"), LOG("x0"), CALL(1), Y(12, "x0"), LOG("x0")]),
      fn([Y(21, "x0"), LOG("x0"), RAISE("E0", 4)])],
     [G(0), N, S(1), S(2)],
     both(outcomes(y(11), y(21), err(["E0", 4])), logs((0, 1), (1, 2))))
delegator = fn([TRY([Y(11), CALL(1), Y(12)], [], [LOG(2)])])
case("pep380-delegate-close",
     [delegator, fn([TRY([Y(21), Y(22)], [], [LOG(1)])])], [G(0), N, N, CL],
     both(outcomes(y(11), y(21), closed), logs((1, 1), (0, 2))))
case("pep380-raise-while-delegating-close",
     [delegator, fn([TRY([Y(21), Y(22)], [], [LOG(1), RAISE("E0", 8)])])],
     [G(0), N, N, CL],
     both(outcomes(y(11), y(21), err(["E0", 8])), logs((1, 1), (0, 2))))
case("pep380-delegate-throw",
     [delegator, fn([TRY([Y(21), Y(22)], [], [LOG(1)])])],
     [G(0), N, N, T("E0", 8)],
     both(outcomes(y(11), y(21), err(["E0", 8])), logs((1, 1), (0, 2))))
case("pep380-generator-return-value",
     [fn([CALL(1, None, "x0"), LOG("x0"), CALL(1, 1, "x0"), LOG("x0")]),
      fn([Y(21), RET("p")])], [G(0), N, N, N],
     both(outcomes(y(21), y(21), ret()), logs((0, None), (0, 1))))
case("pep380-list", [fn([LIST([0, 1, 2], "x0"), LOG("x0")])],
     [G(0), S(None), S(None), S(None), N],
     both(outcomes(y(0), y(1), y(2), ret()), logs((0, None))))
case("pep380-list-close", [fn([TRY([LIST([0, 1, 2])], [], [LOG(1)])])],
     [G(0), N, CL], both(outcomes(y(0), closed), logs((0, 1))))
case("pep380-list-throw", [fn([TRY([LIST([0, 1, 2])], [], [LOG(1)])])],
     [G(0), N, N, T("E0", 3)],
     both(outcomes(y(0), y(1), err(["E0", 3])), logs((0, 1))))
case("pep380-list-send", [fn([TRY([LIST([0, 1, 2])], [], [LOG(1)])])],
     [G(0), N, S(42)],
     both(outcomes(y(0), err(["AttributeError",
                              "'list_iterator' object has no attribute 'send'"])),
          logs((0, 1))))
case("pep380-empty", [fn([LIST([]), RET(3)])], [G(0), N], outcomes(ret(3)))
case("pep380-loop",
     [fn([Y(11), CALL(1), LOG(9)]), fn([Y(21), VAR("s0"), LOG(9)])],
     [G(0), N, N, N], both(outcomes(y(11), y(21), err(BUSY)), logs()), level=3)
case("pep380-throw-returns-value",
     [delegator, fn([TRY([Y(21), Y(22)], [ON("E0", [LOG(5), Y(23), Y(24)])])])],
     [G(0), N, N, T("E0", 1), N, N, N],
     both(outcomes(y(11), y(21), y(23), y(24), y(12), ret()),
          logs((1, 5), (0, 2))))
case("pep380-next-and-return",
     [fn([NEW("a0", 1, "p"), DRIVE("next", "a0"), DRIVE("next", "a0", None, "x0"),
          RET("x0")], gens=1), fn([Y(None), RET("p")])],
     [G(0, None), N, G(0, 1), N, G(0, 77), N],
     outcomes(ret(None), ret(1), ret(77)), level=2)
case("pep380-send-and-return",
     [fn([NEW("a0", 1, "p"), DRIVE("next", "a0"), DRIVE("send", "a0", 66, "x0"),
          RET("x0")], gens=1), fn([Y(None, "x0"), LOG("x0"), RET("p")])],
     [G(0, 1), N], both(outcomes(ret(1)), logs((1, 66))), level=2)
case("pep380-catch-and-return",
     [fn([CALL(1, None, "x0"), LOG("x0"), Y("x0")]),
      fn([TRY([Y(1)], [ON("E0", [LOG(5)])]), RET(2)])],
     [G(0), N, T("E0", 0)], both(outcomes(y(1), y(2)), logs((1, 5), (0, 2))))
for name, inner, want in (
        ("returns", [TRY([Y(0)], [ON("GeneratorExit", [RET(None)])])],
         err(["GeneratorExit"])),
        ("yields", [TRY([Y(0)], [ON("GeneratorExit", [Y(0)])])], err(IGNORED)),
        ("raises", [TRY([Y(0)], [ON("GeneratorExit", [RAISE("E0", 6)])])],
         err(["E0", 6]))):
    case("pep380-generatorexit-sub-" + name,
         [fn([LOG(1), CALL(1), LOG(2)]), fn([LOG(3)] + inner)],
         [G(0), N, T("GeneratorExit")],
         both(outcomes(y(0), want), logs((0, 1), (1, 3))))
case("pep380-claims-to-be-running",
     [fn([Y(0), CALL(1), Y(3)]),
      fn([Y(1), TRY([VAR("s0")], [ON("ValueError", [])]), Y(2)])],
     [G(0)] + [N] * 5, outcomes(y(0), y(1), y(2), y(3), ret()), level=3)
# TestInterestingEdgeCases: what the inner generator does when it is ended
EDGE = {
    "nothing": [Y(1), Y(2), RET(9)],
    "raises-generatorexit": [TRY([Y(1), Y(2), RET(9)], [], [RAISE("GeneratorExit")])],
    "raises-stopiteration": [TRY([Y(1), Y(2), RET(9)], [], [RAISE("StopIteration")])],
    "raises-exception": [TRY([Y(1), Y(2), RET(9)], [], [RAISE("E1", 5)])],
    "yields": [TRY([Y(1)], [], [Y(2)]), RET(9)],
    "returns": [TRY([Y(1), Y(2)], [], [RET(9)])],
}
WANT = {
    ("nothing", "close"): closed,
    ("nothing", "GeneratorExit"): err(["GeneratorExit"]),
    ("nothing", "StopIteration"): err(ESCAPED),
    ("nothing", "E0"): err(["E0", 7]),
    ("raises-generatorexit", "close"): closed,
    ("raises-generatorexit", "GeneratorExit"): err(["GeneratorExit"]),
    ("raises-generatorexit", "StopIteration"): err(["GeneratorExit"]),
    ("raises-generatorexit", "E0"): err(["GeneratorExit"]),
    ("raises-stopiteration", "close"): err(ESCAPED),
    ("raises-stopiteration", "GeneratorExit"): err(ESCAPED),
    ("raises-stopiteration", "StopIteration"): err(ESCAPED),
    ("raises-stopiteration", "E0"): err(ESCAPED),
    ("raises-exception", "close"): err(["E1", 5]),
    ("raises-exception", "GeneratorExit"): err(["E1", 5]),
    ("raises-exception", "StopIteration"): err(["E1", 5]),
    ("raises-exception", "E0"): err(["E1", 5]),
    ("yields", "close"): err(IGNORED),
    ("yields", "GeneratorExit"): err(IGNORED),
    ("yields", "StopIteration"): y(2),
    ("yields", "E0"): y(2),
    ("returns", "close"): closed,
    ("returns", "GeneratorExit"): err(["GeneratorExit"]),
    ("returns", "StopIteration"): ret(9),
    ("returns", "E0"): ret(9),
}
for name, body in EDGE.items():
    for what in ("close", "GeneratorExit", "StopIteration", "E0"):
        import copy
        op = CL if what == "close" else T(what, None if what == "GeneratorExit" else 7)
        case("edge-%s-%s" % (name, what),
             [fn([CALL(1, None, "x0"), RET("x0")]), fn(copy.deepcopy(body))],
             [G(0), N, op, N, N], outcomes(y(1), WANT[name, what]))

# --- chains and handles --------------------------------------------------------
chain = [fn([TRY([IF(["lt", 0, "p"], [CALL(0, ["sub", "p", 1], "x0")],
                     [Y(1, "x0"), LOG("x0"), Y(2, "x0")])],
                 [ON("E0", [SET("x0", 1)], "x1")], [LOG("p")]),
             RET(["add", "x0", 1])])]
for depth in (3, 50, 200):
    case("chain-%d" % depth, chain,
         [G(0, depth), N, S(5), S(10), G(0, depth), N, T("E0", 3),
          G(0, depth), N, T("E1", 4), G(0, depth), N, CL, G(0, depth), N, D],
         outcomes(y(1), y(2), ret(11 + depth), y(1), ret(2 + depth),
                  y(1), err(["E1", 4]), y(1), closed, y(1), dropped))
case("locals-released-in-order",
     [fn([NEW("a0", 1, 1), NEW("a1", 1, 2), DRIVE("next", "a0"),
          DRIVE("next", "a1"), Y(0)], gens=2),
      fn([TRY([Y("p")], [], [LOG("p")])])],
     [G(0), N, D], both(logs((1, 1), (2, 2)), order(["exit", 0], ["dropped", 1],
                                                    ["dropped", 2])), level=2)
case("drop-self-while-running",
     [fn([DEL("s0"), STATE("s0"), Y(5), Y(6)])], [G(0), N, N],
     order(["del", 0, 1, "s0", "running"], ["op", 1, "next", "s0", "yielded", 5],
           ["dropped", 0], ["exit", 0], ["op", 2, "next", "s0", "empty"]), level=3)
case("shared-sub-advanced-by-driver",
     [fn([VAR("s1", "x0"), LOG("x0"), RET("x0")]), fn([Y(1), Y(2), Y(3), RET(4)])],
     [G(0), G(1, None, 1), N, ["next", 1], N, ["next", 1], N],
     outcomes(y(1), y(2), y(3), ret(4), ret(None)), slots=2, level=3)
case("busy-sub",
     [fn([TRY([VAR("s1")], [ON("ValueError", [Y(50)])])]),
      fn([Y(1), DRIVE("next", "s0"), DRIVE("next", "s0"), Y(2)])],
     [G(0), G(1, None, 1), N, ["next", 1]],
     order(["catch", 0, 1, BUSY], ["in", 1, 2, "next", "s0", "yielded", 50],
           ["in", 1, 3, "next", "s0", "returned", None]), slots=2, level=3)

# --- PEP 492 / test_coroutines -----------------------------------------------
case("coro-reuse",
     [fn([Y(1), RET(5)]), fn([VAR("s0", "x0"), RET("x0")])],
     [G(0), G(1, None, 1), N, N, ["next", 1], S(3), T("E0", 1), CL, CL],
     kind="coro", slots=2, level=3)
case("coro-awaited-already",
     [fn([Y(1), RET(5)]), fn([VAR("s0", "x0"), RET("x0")])],
     [G(0), G(1, None, 1), N, ["next", 1], N],
     outcomes(y(1), err(["RuntimeError", "coroutine is being awaited already"]),
              ret(5)), kind="coro", slots=2, level=3)
case("coro-never-awaited", [fn([Y(1)])], [G(0), D, G(0), CL, D, G(0), N, D],
     lambda t: [e for e in t if e[0] == "never_awaited"] == [["never_awaited", 0]],
     kind="coro")
case("coro-ignores-close",
     [fn([TRY([Y(1)], [ON("GeneratorExit", [Y(2)])])])], [G(0), N, CL, N],
     outcomes(y(1), err(["RuntimeError", "coroutine ignored GeneratorExit"]), ret()),
     kind="coro")
