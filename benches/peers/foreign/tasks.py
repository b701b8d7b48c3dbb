"""asyncio: its own event loop and tasks."""

import asyncio
import time

from peer import main


def timed(work):
    """Times a coroutine function inside of a loop."""

    def run(n):
        async def inside():
            start = time.process_time_ns()
            total = await work(n)
            return time.process_time_ns() - start, total

        return asyncio.run(inside())

    return run


async def number(i):
    return i


async def yields(n):
    async def half():
        total = 0
        for i in range(n // 2):
            total += i
            await asyncio.sleep(0)
        return total

    return sum(await asyncio.gather(half(), half()))


async def spawn_join(n):
    total = 0
    for i in range(n):
        total += await asyncio.create_task(number(i))
    return total


async def million(n):
    tasks = [asyncio.create_task(number(i)) for i in range(n)]
    total = 0
    for task in tasks:
        total += await task
    return total


async def channel(n):
    there, back = asyncio.Queue(1), asyncio.Queue(1)

    async def echo():
        for _ in range(n // 2):
            await back.put(await there.get())

    task, total = asyncio.create_task(echo()), 0
    for i in range(n // 2):
        await there.put(i)
        total += await back.get()
    await task
    return total


async def skynet(n):
    async def tree(first, leaves):
        if leaves == 1:
            return first
        part = leaves // 10
        tasks = [asyncio.create_task(tree(first + i * part, part)) for i in range(10)]
        total = 0
        for task in tasks:
            total += await task
        return total

    return await tree(0, n)


async def mutex(n):
    lock, counter = asyncio.Lock(), 0

    async def turns():
        nonlocal counter
        for _ in range(n // 100):
            async with lock:
                counter += 1
                await asyncio.sleep(0)

    await asyncio.gather(*(turns() for _ in range(100)))
    return counter


workloads = {
    "yield": yields,
    "spawn-join": spawn_join,
    "million": million,
    "channel": channel,
    "skynet": skynet,
    "mutex": mutex,
}
main({name: timed(work) for name, work in workloads.items()}, warms_up=lambda name: name not in ("million", "skynet"))
