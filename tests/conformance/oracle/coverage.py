# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which behaviours a program shows: the tags of rows.py."""

import sys


class Coverage:
    """What Runtime has to tell of coverage."""

    def cover_before(self, op, gen, arg):
        st, _ = self.state(gen)
        gids, it = [], False
        if st == "SUSPENDED":
            links, it = self.chain(gen)
            gids = [int(g.__name__) for g in links]
            busy = any(self.state(g)[0] == "RUNNING" for g in links)
            direct = self.state(links[0])[0] if links else None
        else:
            busy, direct = False, None
        kind = None
        if op == "throw":
            kind = type(arg).__name__
        none = op == "next" or (op == "send" and arg is None)
        return (op, st, int(gen.__name__), gids, it, busy, direct, kind, none,
                len(self.trace))

    def cover_after(self, cov, gen, outcome):
        op, st, gid, gids, it, busy, direct, kind, none, mark = cov
        add_tag = self.coverage.add
        window = self.trace[mark:]
        what = outcome[0]
        text = outcome[1][1] if what == "raised" and len(outcome[1]) > 1 else ""
        text = text if isinstance(text, str) else ""
        post, _ = self.state(gen)
        if self.coro:
            add_tag("coro.op")
        if self.coro and "cannot reuse" in text and st == "CLOSED":
            add_tag("coro.reuse." + ("send" if op != "throw" else "throw"))
            return
        if "being awaited already" in text or any(
                e[0] == "catch" and "being awaited already" in str(e[3])
                for e in window):
            add_tag("coro.awaited_already")
        if any(e[0] == "catch" and "cannot reuse" in str(e[3])
               for e in window):
            add_tag("coro.reuse.await")
        if st == "RUNNING":
            add_tag(op + ".running")
            return
        if op in ("next", "send"):
            if st == "CLOSED":
                add_tag(op + ".closed")
                return
            if st == "CREATED" and not none:
                add_tag("send.created.value")
                return
            if op == "send" and st == "CREATED":
                add_tag("send.created.none")
            if st == "SUSPENDED":
                add_tag("send.suspended" if not none else "next.suspended")
            elif op == "next":
                add_tag("next.created")
        if op == "throw":
            if st == "CLOSED":
                add_tag("throw.closed")
                return
            if st == "CREATED":
                add_tag("throw.created" if kind != "StopIteration"
                        else "throw.created.StopIteration")
                return
            if what == "yielded":
                add_tag("throw.handled.yield")
                if kind == "GeneratorExit" and not gids:
                    add_tag("throw.GeneratorExit.yield")
            elif what == "returned":
                add_tag("throw.handled.return")
            else:
                if outcome[1][0] == kind:
                    add_tag("throw.unhandled")
                    if kind == "GeneratorExit":
                        add_tag("throw.GeneratorExit.unhandled")
                elif "raised StopIteration" in text:
                    add_tag("throw.StopIteration")
                else:
                    add_tag("throw.replaced")
            if any(e[0] == "fin" for e in window):
                add_tag("throw.runs_finally")
        if op == "close":
            if st in ("CREATED", "CLOSED"):
                add_tag("close." + st.lower())
                return
            if what == "closed":
                caught = any(e[0] == "catch" and e[1] == gid and
                             e[3][0] == "GeneratorExit" for e in window)
                add_tag("close.handled_return" if caught else "close.unhandled")
                if any(e[0] == "fin" and e[1] == gid for e in window):
                    add_tag("close.runs_finally")
            elif "ignored GeneratorExit" in text and post == "SUSPENDED":
                add_tag("close.ignored")
            else:
                add_tag("close.raises")
        if what == "returned":
            add_tag("return.value" if outcome[1] is not None else "return.none")
        if what == "raised" and op in ("next", "send"):
            add_tag("raise.escapes")
            if "raised StopIteration" in text:
                add_tag("pep479.escape")
        if any(e[0] == "catch" and e[3][0] == "StopIteration" for e in window):
            add_tag("stopiteration.caught")
        if any(e[0] == "catch" and "raised StopIteration" in str(e[3])
               for e in window):
            add_tag("pep479.caught_in_delegator")
        # delegation
        depth = len(gids)
        if depth or it:
            what_op = "send" if op == "send" and not none else (
                "next" if op in ("next", "send") else op)
            for limit in (1, 2, 4, 8, 16, 32, 64):
                if depth >= limit:
                    add_tag("chain.%s.%d" % (what_op, limit))
            if busy:
                add_tag("delegate.busy." + op)
            if it and depth == 0:
                add_tag("iter." + what_op)
        if depth and not busy:
            subid = gids[0]
            sub_exit = [i for i, e in enumerate(window)
                        if e[0] == "exit" and e[1] == subid]
            out_exit = [i for i, e in enumerate(window)
                        if e[0] == "exit" and e[1] == gid]
            yf_val = any(e[0] == "yf" and e[1] == gid for e in window)
            outer_catch = [e for e in window if e[0] == "catch" and e[1] == gid]
            if op == "throw" and kind != "GeneratorExit":
                if not sub_exit and what == "yielded":
                    add_tag("delegate.throw.sub_yields")
                if sub_exit and yf_val:
                    add_tag("delegate.throw.sub_returns")
                if sub_exit and outer_catch:
                    add_tag("delegate.throw.sub_raises_outer_catches")
                if sub_exit and out_exit and what == "raised":
                    add_tag("delegate.throw.propagates")
            if op == "throw" and kind == "GeneratorExit":
                if sub_exit and out_exit and sub_exit[0] < out_exit[0]:
                    add_tag("delegate.genexit.inner_first")
                if sub_exit and any(e[0] == "catch" and e[1] == subid and
                                    e[3][0] == "GeneratorExit" for e in window):
                    add_tag("delegate.genexit.sub_swallows")
                if any(e[3][0] == "GeneratorExit" for e in outer_catch):
                    add_tag("delegate.genexit.outer_catches")
            if op == "close":
                if sub_exit and out_exit and sub_exit[0] < out_exit[0]:
                    add_tag("delegate.close.inner_first")
                if sub_exit and any(e[0] == "catch" and e[1] == subid and
                                    e[3][0] == "GeneratorExit" for e in window):
                    add_tag("delegate.close.sub_swallows")
                if sub_exit and any(e[3][0] in ("E0", "E1", "E2", "E3")
                                    for e in outer_catch):
                    add_tag("delegate.close.sub_raises")
                if direct == "CLOSED":
                    add_tag("delegate.close.sub_already_closed")
            if op in ("close", "throw") and (
                    any("ignored GeneratorExit" in str(e[3])
                        for e in outer_catch) or
                    ("ignored GeneratorExit" in text and post == "CLOSED")):
                add_tag("delegate.sub_ignores")
            if op in ("next", "send") and direct == "CLOSED":
                add_tag("delegate.next.sub_already_closed")

    def cover_delegate(self, gid, gen, name):
        if name in ("call", "list"):
            self.coverage.add("yf." + name)
        elif gen is None:
            self.coverage.add("yf.empty")
        else:
            st = self.state(gen)[0]
            if st == "RUNNING" and gen.__name__ == str(gid):
                st = "self"
            self.coverage.add("yf." + name[0] + "." + st.lower())

    def cover_state(self, gen, inside):
        st, yf = self.state(gen)
        self.coverage.add("state." + st.lower())
        if yf is not None:
            self.coverage.add("state.yieldfrom." +
                              ("iter" if yf == "iter" else "gen"))
        if inside and st == "RUNNING":
            self.coverage.add("state.delegator_running")

    def cover_drop(self, slot):
        gen = self.slots[slot]
        st, yf = self.state(gen)
        shared = sys.getrefcount(gen) > 3
        tag = "drop." + ("shared" if shared else st.lower())
        self.coverage.add(tag)
        if not shared and st == "SUSPENDED":
            links, _ = self.chain(gen)
            if links:
                self.coverage.add("drop.delegating")
            for limit in (4, 16, 64):
                if len(links) >= limit:
                    self.coverage.add("chain.drop.%d" % limit)

    def cover_finish(self):
        """Tags read off the whole trace."""
        t = self.trace
        add_tag = self.coverage.add
        started = {e[1] for e in t if e[0] == "start"}
        exited = {e[1] for e in t if e[0] == "exit"}
        if started - exited:
            add_tag("drop.discards_frame")
        for i, e in enumerate(t):
            if e[0] == "del" and e[4] == "running":
                add_tag("drop.running")
            if e[0] == "exit":
                nxt = t[i + 1] if i + 1 < len(t) else [""]
                if nxt[0] == "dropped" and nxt[1] != e[1]:
                    add_tag("drop.locals_at_exit")
                    if i + 2 < len(t) and t[i + 2][0] in (
                            "exit", "fin", "catch"):
                        add_tag("drop.locals_cascade")
            if e[0] == "in":
                add_tag("inner." + e[3])
