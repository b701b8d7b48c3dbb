"""greenlet: stackful coroutines for CPython, which copies the machine's stack."""

from functools import partial

from greenlet import GreenletExit, getcurrent, greenlet
from peer import main, timed


def items(body, n):
    co = greenlet(body)
    co.switch()

    def work():
        total = 0
        for _ in range(n):
            total += co.switch()
        return total

    return timed(work)


def down(consumer, frames, x):
    if frames > 1:
        down(consumer, frames - 1, x)
    else:
        consumer.switch(x)


def roundtrip(frames, n):
    def body():
        consumer = getcurrent().parent
        consumer.switch(0)
        for i in range(n + 1):
            if frames == 0:
                consumer.switch(i)
            else:
                down(consumer, frames, i)

    return items(body, n)


def send(n):
    def body(x):
        consumer = getcurrent().parent
        while True:
            x = consumer.switch(x)

    co = greenlet(body)
    co.switch(0)

    def work():
        total = 0
        for i in range(n):
            total += co.switch(i)
        return total

    return timed(work)


class Thrown(Exception):
    pass


def throw(n):
    def body():
        consumer, x = getcurrent().parent, 0
        while True:
            try:
                consumer.switch(x)
            except Thrown as error:
                x = error.args[0]

    co = greenlet(body)
    co.switch()

    def work():
        total = 0
        for i in range(n):
            total += co.throw(Thrown(i))
        return total

    return timed(work)


def create_pooled(n):
    def work():
        total = 0
        for i in range(n):
            total += greenlet(lambda x: x).switch(i)
        return total

    return timed(work)


total = 0


def drop_suspended(n):
    def body(i):
        global total
        try:
            getcurrent().parent.switch(i)
        except GreenletExit:
            total += i

    def work():
        global total
        total = 0
        for i in range(n):
            greenlet(body).switch(i)
        return total

    return timed(work)


def walk(n):
    def walk_frames(consumer, low, high):
        if low < high:
            middle = (low + high) // 2
            walk_frames(consumer, low, middle)
            consumer.switch(middle)
            walk_frames(consumer, middle + 1, high)

    def body():
        walk_frames(getcurrent().parent, 0, n)

    def work():
        co, total = greenlet(body), 0
        while (x := co.switch()) is not None:
            total += x
        return total

    return timed(work)


main(
    {
        **{f"roundtrip-{frames}": partial(roundtrip, frames) for frames in (0, 1, 4, 16)},
        "send": send,
        "throw": throw,
        "create-pooled": create_pooled,
        "drop-suspended": drop_suspended,
        "walk": walk,
    }
)
