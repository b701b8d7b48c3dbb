# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes programs from a seed."""

from .runtime import Runtime

GEN_EVENT_LIMIT = 400    # a program whose trace is longer is not used
GEN_EVENT_LIMIT_DEEP = 1500
GEN_STEP_LIMIT = 4000    # nor one that executes more statements


class Rng:
    """splitmix64: the same numbers on every Python version."""

    MASK = (1 << 64) - 1

    def __init__(self, *seeds):
        self.state = 0
        for s in seeds:
            self.state = (self.state ^ (s & self.MASK)) & self.MASK
            self.next()

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.MASK
        return z ^ (z >> 31)

    def below(self, n):
        return self.next() % n

    def range(self, lo, hi):
        return lo + self.below(hi - lo + 1)

    def chance(self, percent):
        return self.below(100) < percent

    def pick(self, items):
        return items[self.below(len(items))]

    def weighted(self, table):
        """table: list of (weight, item)."""
        k = self.below(sum(w for w, _ in table))
        for w, item in table:
            if k < w:
                return item
            k -= w
        raise AssertionError


PROFILES = (
    (12, "basic"), (15, "deleg"), (8, "deep"), (15, "cleanup"), (14, "inner"),
    (16, "shared"), (6, "mixed"), (14, "edge"),
)

# level 1: bodies hold no generator variables; 2: local generator variables;
# 3: bodies also use the driver's slots (shared handles, reentrancy)
LEVELS = {"basic": 1, "deleg": 1, "deep": 1, "cleanup": 1, "inner": 2,
          "shared": 3, "mixed": 3, "edge": 1}


class Maker:
    def __init__(self, rng, size, profile, kind):
        self.r = rng
        self.size = size
        self.profile = profile
        self.kind = kind
        self.level = LEVELS[profile]
        self.site = 0
        self.nfuncs = {"basic": rng.range(1, 2), "deleg": rng.range(2, 5),
                       "deep": 1, "cleanup": rng.range(1, 3),
                       "inner": rng.range(2, 4), "shared": rng.range(2, 3),
                       "mixed": rng.range(2, 4), "edge": rng.range(2, 4)}[profile]
        if profile == "edge" and rng.chance(30):
            self.level = 2
        self.slots = {"shared": rng.range(2, 3), "mixed": rng.range(2, 3)}.get(
            profile, rng.range(1, 2))

    # -- small things ------------------------------------------------------

    def new_site(self):
        self.site += 1
        return self.site

    def literal(self):
        return None if self.r.chance(12) else self.r.range(-9, 99)

    def expr(self, c, depth=0):
        k = self.r.below(100)
        if k < 45 or (depth and k < 60):
            return self.r.range(-9, 99)
        if k < 55:
            return None
        if k < 80 and c["ints"]:
            return "x%d" % self.r.below(c["ints"])
        if k < 90:
            return "p"
        if depth:
            return self.r.range(0, 9)
        return [self.r.pick(["add", "add", "sub"]), self.expr(c, 1),
                self.expr(c, 1)]

    def cond(self, c):
        k = self.r.below(3)
        if k == 0:
            return ["lt", self.expr(c), self.expr(c)]
        if k == 1:
            return ["eq", self.expr(c), self.expr(c)]
        return ["none", self.expr(c)]

    def dst(self, c, percent=60):
        if c["ints"] and self.r.chance(percent):
            return "x%d" % self.r.below(c["ints"])
        return None

    def raisable(self):
        return self.r.weighted([(22, "E0"), (22, "E1"), (14, "E2"), (10, "E3"),
                                (14, "GeneratorExit"), (10, "StopIteration")])

    def catchable(self):
        n = 1 if self.r.chance(75) else 2
        names = []
        for _ in range(n):
            name = self.r.weighted([
                (18, "E0"), (18, "E1"), (10, "E2"), (6, "E3"),
                (18, "GeneratorExit"), (9, "StopIteration"), (9, "RuntimeError"),
                (6, "ValueError"), (4, "TypeError"), (3, "AttributeError"),
                (10, "Exception"), (5, "BaseException")])
            if name not in names:
                names.append(name)
        return names

    def gen_target(self, c):
        options = []
        if c["gens"]:
            options += ["a%d" % i for i in range(c["gens"])] * 3
        if self.level >= 3:
            options += ["s%d" % i for i in range(self.slots)] * 2
        return self.r.pick(options) if options else None

    def payload(self, c, name):
        return None if name == "GeneratorExit" else self.expr(c)

    # -- statements --------------------------------------------------------

    def block(self, c, depth, low=1, high=4):
        out = []
        for _ in range(self.r.range(low, high)):
            if c["budget"] <= 0 and out:
                break
            c["budget"] -= 1
            stmt = self.stmt(c, depth)
            out.append(stmt)
            if stmt[0] in ("return", "raise", "reraise"):
                break
        return out

    def stmt(self, c, depth):
        r, p = self.r, self.profile
        deleg = p in ("deleg", "deep", "mixed")
        table = [(30, "yield"), (5, "log"), (4, "set"), (3, "raise"),
                 (3, "return")]
        if c["callees"]:
            table.append((22 if deleg else 10, "yfrom"))
        table.append((4, "yfromlist"))
        if depth < 4:
            table += [(26 if p == "cleanup" else 15, "try"), (5, "if"),
                      (5 if c["loops"] < 2 else 0, "loop")]
        if c["handler"]:
            table.append((5, "reraise"))
        if c["gens"] and c["callees"]:
            table.append((14, "new"))
        if c["gens"] or self.level >= 3:
            table += [(20, "drive"), (8, "yfromvar"), (3, "del"), (4, "state")]
        kind = r.weighted(table)
        site = self.new_site()
        if kind == "yield":
            return ["yield", site, self.expr(c), self.dst(c)]
        if kind == "log":
            return ["log", site, self.expr(c)]
        if kind == "set":
            if not c["ints"]:
                return ["log", site, self.expr(c)]
            return ["set", site, "x%d" % r.below(c["ints"]), self.expr(c)]
        if kind == "raise":
            name = self.raisable()
            return ["raise", site, name, self.payload(c, name)]
        if kind == "return":
            return ["return", site, self.expr(c)]
        if kind == "reraise":
            return ["reraise", site]
        if kind == "yfrom":
            return ["yfrom", site, ["call", r.pick(c["callees"]), self.expr(c)],
                    self.dst(c)]
        if kind == "yfromlist":
            return ["yfrom", site,
                    ["list", [self.expr(c) for _ in range(r.below(4))]],
                    self.dst(c)]
        if kind == "yfromvar":
            return ["yfrom", site, ["var", self.gen_target(c)], self.dst(c)]
        if kind == "new":
            return ["new", site, "a%d" % r.below(c["gens"]),
                    r.pick(c["callees"]), self.expr(c)]
        if kind == "del":
            return ["del", site, self.gen_target(c)]
        if kind == "state":
            return ["state", site, self.gen_target(c)]
        if kind == "drive":
            op = r.weighted([(40, "next"), (22, "send"), (20, "throw"),
                             (10, "close")])
            arg = None
            if op == "send":
                arg = self.expr(c)
            elif op == "throw":
                name = self.raisable()
                arg = [name, self.payload(c, name)]
            return ["drive", site, op, self.gen_target(c), arg, self.dst(c),
                    "raw" if r.chance(45) else "traced"]
        if kind == "if":
            return ["if", site, self.cond(c), self.block(c, depth + 1, 1, 2),
                    self.block(c, depth + 1, 1, 2) if r.chance(50) else []]
        if kind == "loop":
            c["loops"] += 1
            body = self.block(c, depth + 1, 1, 3)
            c["loops"] -= 1
            return ["loop", site, r.range(1, 3), body]
        return self.st_try(c, depth, site)

    def st_try(self, c, depth, site):
        r = self.r
        body = self.block(c, depth + 1, 1, 3)
        if r.chance(75) and not any(s[0] in ("yield", "yfrom") for s in body):
            if c["callees"] and r.chance(50):
                body.insert(0, ["yfrom", self.new_site(),
                                ["call", r.pick(c["callees"]), self.expr(c)],
                                self.dst(c)])
            else:
                body.insert(0, ["yield", self.new_site(), self.expr(c),
                                self.dst(c)])
        handlers = []
        if r.chance(12):
            handlers.append([["GeneratorExit"], None, [
                ["raise", self.new_site(), r.pick(["E0", "E1", "E2", "E3"]),
                 self.expr(c)] if r.chance(60)
                else ["return", self.new_site(), self.expr(c)]]])
        if r.chance(8):
            handlers.append([["RuntimeError", "ValueError"], None,
                             [["log", self.new_site(), self.expr(c)]]])
        count = r.weighted([(25, 0), (50, 1), (25, 2)])
        saved, c["handler"] = c["handler"], True
        for _ in range(count):
            handlers.append([self.catchable(), self.dst(c, 40),
                             self.block(c, depth + 1, 0, 2)])
        c["handler"] = saved
        final = None
        if not handlers or r.chance(40):
            final = self.block(c, depth + 1, 0, 2)
        return ["try", site, body, handlers, final]

    # -- functions ---------------------------------------------------------

    def function(self, index):
        r = self.r
        c = {"ints": r.range(0, 3),
             "gens": r.range(1, 2) if self.level >= 2 and (
                 index + 1 < self.nfuncs) else 0,
             "callees": list(range(index + 1, self.nfuncs)),
             "handler": False, "loops": 0,
             "budget": max(3, self.size // self.nfuncs)}
        body = self.block(c, 0, 2, 6)
        if c["gens"] and not any(s[0] == "new" for s in body):
            body.insert(0, ["new", self.new_site(), "a0",
                            r.pick(c["callees"]), self.expr(c)])
        if self.level >= 3 and r.chance(45):
            # two generators that know each other: f0 delegates to slot 1,
            # f1 drives slot 0
            if index == 0:
                body.insert(0, ["yfrom", self.new_site(), ["var", "s1"],
                                self.dst(c)])
                if r.chance(50):
                    body[0] = ["try", self.new_site(), [body[0]], [
                        [["Exception"], self.dst(c),
                         [["yield", self.new_site(), self.expr(c), None]]]],
                        None]
            elif index == 1:
                op = r.pick(["next", "next", "send", "throw", "close"])
                arg = {"send": 5, "throw": ["E0", 5]}.get(op)
                body[:0] = [["yield", self.new_site(), self.expr(c), None],
                            ["drive", self.new_site(), op, "s0", arg, None,
                             "raw" if r.chance(40) else "traced"]]
        return {"ints": c["ints"], "gens": c["gens"], "body": body}

    def recursive(self, index):
        """f(p): if 0 < p delegate to f(p - 1) else a leaf block."""
        r = self.r
        c = {"ints": 2, "gens": 0, "callees": [], "handler": False, "loops": 0,
             "budget": max(4, self.size // 3)}
        leaf = self.block(c, 2, 2, 4)
        if not any(s[0] == "yield" for s in leaf):
            leaf.insert(0, ["yield", self.new_site(), "p", "x1"])
        step = ["if", self.new_site(), ["lt", 0, "p"],
                [["yfrom", self.new_site(), ["call", index, ["sub", "p", 1]],
                  "x0"]],
                leaf]
        body = [step]
        if r.chance(65):
            handlers = []
            if r.chance(60):
                c["handler"] = True
                handlers.append([self.catchable(), "x1", self.block(c, 3, 0, 1)])
                c["handler"] = False
            final = None
            if not handlers or r.chance(50):
                final = [["log", self.new_site(), "p"]] if r.chance(70) else []
            body = [["try", self.new_site(), body, handlers, final]]
        if r.chance(40):
            body.append(["yield", self.new_site(), "p", None])
        body.append(["return", self.new_site(), ["add", "x0", 1]])
        return {"ints": 2, "gens": 0, "body": body}

    def edge(self, index):
        """One layer of a delegation in which every layer reacts somehow."""
        r = self.r
        last = index + 1 == self.nfuncs
        local = not last and self.level >= 2
        c = {"ints": 2, "gens": 1 if local else 0, "callees": [],
             "handler": False, "loops": 0, "budget": 9}

        def reaction(in_handler):
            s = self.new_site()
            k = r.weighted([(25, "pass"), (20, "return"), (22, "raise"),
                            (16, "yield"), (9, "log"),
                            (8 if in_handler else 0, "reraise")])
            if k == "pass":
                return []
            if k == "return":
                return [["return", s, self.expr(c)]]
            if k == "raise":
                name = self.raisable()
                return [["raise", s, name, self.payload(c, name)]]
            if k == "yield":
                return [["yield", s, self.expr(c), self.dst(c)]]
            if k == "log":
                return [["log", s, self.expr(c)]]
            return [["reraise", s]]

        if last:
            inner = [["yield", self.new_site(), self.expr(c), "x0"]
                     for _ in range(r.range(1, 3))]
        elif local:
            inner = [["new", self.new_site(), "a0", index + 1, self.expr(c)]]
            if r.chance(70):
                inner.append(["drive", self.new_site(), "next", "a0", None,
                              "x1", "traced"])
            inner.append(["yfrom", self.new_site(), ["var", "a0"], "x0"])
        else:
            inner = [["yfrom", self.new_site(),
                      ["call", index + 1, self.expr(c)], "x0"]]
        handlers = []
        for names in (["GeneratorExit"], ["E0", "E1"], ["E2"],
                      ["RuntimeError"], ["Exception"]):
            if r.chance(45 if names[0] == "GeneratorExit" else 22):
                handlers.append([names, self.dst(c), reaction(True)])
        final = reaction(False) if r.chance(40) or not handlers else None
        body = [["try", self.new_site(), inner, handlers, final]]
        if r.chance(40):
            body.append(["yield", self.new_site(), self.expr(c), None])
        if r.chance(60):
            body.append(["return", self.new_site(), self.expr(c)])
        return {"ints": 2, "gens": c["gens"], "body": body}

    def edge_main(self):
        r = self.r
        ops = []
        for _ in range(r.range(2, 4)):
            ops.append(["new", 0, 0, self.literal()])
            ops += [["next", 0]] * r.range(1, 2)
            ops.append(r.weighted([
                (26, ["close", 0]), (22, ["throw", 0, "GeneratorExit", None]),
                (38, self.throw_op(0)), (14, ["drop", 0])]))
            ops += [["next", 0]] * r.range(0, 2)
            if r.chance(30):
                ops.append(["close", 0])
        return ops

    # -- the driver --------------------------------------------------------

    def throw_op(self, slot):
        name = self.raisable()
        return ["throw", slot, name,
                None if name == "GeneratorExit" else self.literal()]

    def main(self):
        r = self.r
        ops = []

        def new(slot):
            if self.profile == "deep":
                arg = r.weighted([(30, r.range(1, 4)), (40, r.range(5, 20)),
                                  (25, r.range(21, 70)), (5, r.range(80, 150))])
                func = 0
            else:
                arg = self.literal()
                func = 0 if r.chance(70) else r.below(self.nfuncs)
                if self.level >= 3 and slot < self.nfuncs and r.chance(60):
                    func = slot
            ops.append(["new", slot, func, arg])
            if r.chance(75):
                ops.append(["next", slot] if r.chance(80)
                           else ["send", slot, None])

        if self.level >= 3 and r.chance(60):
            for slot in range(self.slots):
                ops.append(["new", slot, slot % self.nfuncs, self.literal()])
            for _ in range(r.range(1, 3)):
                ops.append(["next", 0 if r.chance(70) else r.below(self.slots)])
        else:
            new(0)
            for slot in range(1, self.slots):
                if r.chance(90 if self.level >= 3 else 50):
                    new(slot)
        cleanup = self.profile == "cleanup"
        for _ in range(r.range(3, 5 + self.size // 3)):
            slot = r.below(self.slots)
            kind = r.weighted([
                (30, "next"), (24, "send"), (16, "throw"),
                (14 if cleanup else 7, "close"), (9 if cleanup else 4, "drop"),
                (6, "state"), (6, "new")])
            if kind == "new":
                new(slot)
            elif kind == "send":
                ops.append(["send", slot, self.literal()])
            elif kind == "throw":
                ops.append(self.throw_op(slot))
            else:
                ops.append([kind, slot])
        return ops

    def program(self, ident):
        if self.profile == "deep":
            funcs = [self.recursive(0)]
        elif self.profile == "edge":
            funcs = [self.edge(i) for i in range(self.nfuncs)]
        else:
            funcs = [self.function(i) for i in range(self.nfuncs)]
        return {"id": ident, "kind": self.kind, "level": self.level,
                "profile": self.profile, "slots": self.slots, "funcs": funcs,
                "main": self.edge_main() if self.profile == "edge"
                else self.main()}


def make_program(seed, index, size):
    """The index-th program of a seed; retries until it is small enough."""
    attempt = 0
    while True:
        rng = Rng(seed, index, attempt, size)
        profile = rng.weighted(list(PROFILES))
        kind = "coro" if rng.chance(15) else "gen"
        program = Maker(rng, size, profile, kind).program(
            "r%d-%d" % (seed, index))
        limit = GEN_EVENT_LIMIT_DEEP if profile == "deep" else GEN_EVENT_LIMIT
        runtime = Runtime(program, step_limit=GEN_STEP_LIMIT, strict=True)
        trace = runtime.run()
        if (len(trace) <= limit and not runtime.limit_hit
                and not runtime.version_dependent):
            return program, trace
        attempt += 1
