# The dialogues of dialogues.c in Python: what both print is dialogues.txt.


class Reset(Exception):
    pass


def squares(n):
    for i in range(1, n + 1):
        yield i * i


def averager():
    total, count = 0, 0
    while True:
        try:
            x = yield total // count if count else 0
        except Reset:
            print("reset")
            total, count = 0, 0
            continue
        if x is None:
            return count
        total, count = total + x, count + 1


def lines(name):
    print(name, "is open")
    try:
        while True:
            yield 1
    except GeneratorExit:
        print("asked to leave")
        raise
    finally:
        print(name, "is closed")


def internal(name, start, end):
    for i in range(start, end):
        value = yield i
        print(name, "got", value)
    return end


def general():
    start = yield from internal("first", 1, 3)
    end = yield from internal("second", start, 5)
    return end


print("squares:", *squares(4))

average = averager()
next(average)
for x in 10, 30, 5:
    print("average", average.send(x))
print("average", average.throw(Reset))
print("average", average.send(8))
try:
    average.send(None)
except StopIteration as stop:
    print("returned", stop.value)

co = lines("first")
next(co)
co.close()
co = lines("second")
next(co)
try:
    co.throw(ValueError(7))
except ValueError as error:
    print("came back:", error)

co = general()
print("yielded", next(co))
try:
    for word in 40, 41, 42, 43:
        print("yielded", co.send(word))
except StopIteration as stop:
    print("returned", stop.value)

fresh = general()
try:
    fresh.send(1)
except TypeError:
    print("not started")
