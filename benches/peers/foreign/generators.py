"""CPython's generators. A yield "calls down" is one below as many `yield from`s: there is no other way to yield from a call."""

import sys
from functools import partial

from peer import main, timed


def items(generator, n):
    next(generator)

    def work():
        total = 0
        for _ in range(n):
            total += next(generator)
        return total

    return timed(work)


def down(frames, x):
    if frames > 1:
        yield from down(frames - 1, x)
    else:
        yield x


def count(frames, n):
    yield 0
    for i in range(n + 1):
        if frames == 0:
            yield i
        else:
            yield from down(frames, i)


def roundtrip(frames, n):
    return items(count(frames, n), n)


def delegate(depth, n):
    def chain(inner):
        yield from inner

    generator = count(0, n)
    for _ in range(depth - 1):
        generator = chain(generator)
    result = items(generator, n)
    return result


def send(n):
    def echo():
        x = 0
        while True:
            x = yield x

    generator = echo()
    next(generator)

    def work():
        total = 0
        for i in range(n):
            total += generator.send(i)
        return total

    return timed(work)


class Thrown(Exception):
    pass


def throw(n):
    def catches():
        x = 0
        while True:
            try:
                yield x
            except Thrown as error:
                x = error.args[0]

    generator = catches()
    next(generator)

    def work():
        total = 0
        for i in range(n):
            total += generator.throw(Thrown(i))
        return total

    return timed(work)


total = 0


def suspended(i):
    global total
    try:
        yield i
    finally:
        total += i


def close(n):
    def work():
        global total
        total = 0
        for i in range(n):
            generator = suspended(i)
            next(generator)
            generator.close()
        return total

    return timed(work)


def drop_suspended(n):
    def work():
        global total
        total = 0
        for i in range(n):
            next(suspended(i))
        return total

    return timed(work)


def create_pooled(n):
    def ends(i):
        return i
        yield

    def work():
        total = 0
        for i in range(n):
            try:
                next(ends(i))
            except StopIteration as end:
                total += end.value
        return total

    return timed(work)


def node(low, high):
    middle = (low + high) // 2
    if low < middle:
        yield from node(low, middle)
    yield middle
    if middle + 1 < high:
        yield from node(middle + 1, high)


def walk_nodes(n):
    return timed(lambda: sum(node(0, n)))


def for_loop(n):
    def counter():
        for i in range(n):
            yield i

    def work():
        total = 0
        for x in counter():
            total += x
        return total

    return timed(work)


sys.setrecursionlimit(10_000)
main(
    {
        **{f"roundtrip-{frames}": partial(roundtrip, frames) for frames in (0, 1, 4, 16)},
        **{f"delegate-{depth}": partial(delegate, depth) for depth in (1, 10, 100, 1000)},
        "send": send,
        "throw": throw,
        "close": close,
        "create-pooled": create_pooled,
        "drop-suspended": drop_suspended,
        "walk-nodes": walk_nodes,
        "for": for_loop,
    }
)
