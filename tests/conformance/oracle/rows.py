# SPDX-License-Identifier: MIT OR Apache-2.0
"""The tags of coverage.py, and the row of docs/PYTHON.md each one belongs to."""

ROWS = [tuple(x.split("|")) for x in """
2|next.created|next on just-created runs to the first yield
3|next.suspended|next resumes a suspended body, yield gives None
4|return.none|completion with None
5|return.value|completion with a value
6|next.closed|next on finished
7|raise.escapes|exception leaves the body through next/send
11|next.running|next while running
12|send.suspended|send a value
13|send.created.none|send(None) starts
14|send.created.value|send(value) to just-created: TypeError
15|send.closed|send on finished
16|send.running|send while running
17|throw.created|throw at just-created
18|throw.handled.yield|throw answered by a yield
19|throw.handled.return|throw answered by a return
20|throw.unhandled|throw comes back unchanged
21|throw.replaced|throw answered by another exception
22|throw.closed|throw on finished
23|throw.running|throw while running
24|throw.runs_finally|throw runs finally blocks
25|throw.GeneratorExit.unhandled|GeneratorExit thrown comes back
26|throw.GeneratorExit.yield|GeneratorExit thrown, body yields: no error
28|throw.StopIteration|thrown StopIteration becomes RuntimeError
29|close.created|close on just-created
30|close.unhandled|close on suspended, nothing catches
30|close.runs_finally|close runs finally blocks
31|close.handled_return|close, GeneratorExit caught, body ends
32|close.ignored|close, body yields: RuntimeError, stays suspended
33|close.raises|close, body raises another exception
34|close.closed|close on finished
35|close.running|close while running
37|drop.created|drop just-created
38|drop.suspended|drop suspended: finalised as by close
38|drop.delegating|drop a delegating generator
39|drop.raises|finalisation raises: unraisable
40|drop.ignored|finalisation yields: unraisable
40|drop.discards_frame|a frame is discarded without running its rest
41|drop.closed|drop finished
42|drop.shared|drop of a handle that is not the last
43|drop.running|handle variable dropped while its generator runs
44|drop.locals_at_exit|generator locals released when a body ends
44|drop.locals_cascade|... and that runs their cleanup code
48|pep479.escape|StopIteration leaves a body: RuntimeError
49|stopiteration.caught|StopIteration caught in a body
50|pep479.caught_in_delegator|the RuntimeError is caught by a body
51|yf.call|yield from a fresh generator
53|yf.list|yield from a plain iterator
53|iter.next|next while on a plain iterator
54|iter.send|send(value) while on a plain iterator
55|iter.throw|throw while on a plain iterator
56|iter.close|close while on a plain iterator
58|yf.a.created|yield from an unstarted local
58|yf.a.suspended|yield from a started local
59|yf.a.closed|yield from a finished local
58|yf.s.created|yield from an unstarted shared generator
58|yf.s.suspended|yield from a started shared generator
59|yf.s.closed|yield from a finished shared generator
75|yf.s.self|yield from itself
76|yf.s.running|yield from another running generator
61|chain.next.1|next through a delegation
61|chain.send.1|send through a delegation
63|delegate.throw.sub_yields|throw delegated, sub yields
64|delegate.throw.sub_returns|throw delegated, sub returns
65|delegate.throw.sub_raises_outer_catches|throw delegated, sub raises, delegator catches
66|delegate.throw.propagates|throw delegated, nobody catches
67|delegate.genexit.inner_first|GeneratorExit thrown: inner closed first
68|delegate.genexit.sub_swallows|... sub ends quietly, still raised in delegator
67|delegate.genexit.outer_catches|... delegator catches the GeneratorExit
70|delegate.sub_ignores|sub yields when closed: RuntimeError in delegator
71|delegate.close.inner_first|close delegated: inner first
72|delegate.close.sub_swallows|sub ends quietly, delegator still gets GeneratorExit
73|delegate.close.sub_raises|sub raises, delegator sees it at the delegation
78|delegate.next.sub_already_closed|sub finished behind the delegator
78|delegate.close.sub_already_closed|closing a delegator whose sub is finished
79|delegate.busy.next|next on a delegator whose sub is running
79|delegate.busy.send|send, likewise
79|delegate.busy.throw|throw, likewise
79|delegate.busy.close|close, likewise
80|chain.next.4|depth 4
80|chain.next.16|depth 16
80|chain.next.64|depth 64
80|chain.send.4|depth 4
80|chain.send.16|depth 16
80|chain.send.64|depth 64
80|chain.throw.4|depth 4
80|chain.throw.16|depth 16
80|chain.throw.64|depth 64
80|chain.close.4|depth 4
80|chain.close.16|depth 16
80|chain.close.64|depth 64
81|chain.drop.4|depth 4
81|chain.drop.16|depth 16
81|chain.drop.64|depth 64
84|state.created|state CREATED
84|state.suspended|state SUSPENDED
84|state.running|state RUNNING
84|state.closed|state CLOSED
77|state.delegator_running|RUNNING seen from inside
85|state.yieldfrom.gen|delegating to a generator
85|state.yieldfrom.iter|delegating to an iterator
8|inner.next|next from inside a body
8|inner.send|send from inside a body
8|inner.throw|throw from inside a body
8|inner.close|close from inside a body
91|coro.op|operation on an async def coroutine
96|coro.reuse.send|send to a finished coroutine
96|coro.reuse.throw|throw at a finished coroutine
96|coro.reuse.await|await on a finished coroutine
98|coro.awaited_already|await on a coroutine being awaited
99|coro.never_awaited|never-awaited warning
""".strip().splitlines()]
