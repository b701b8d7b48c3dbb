# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes a program that shows something smaller, as long as it does."""

import json

from .support import dumps


def sub_blocks(stmt):
    """The statement lists directly inside a statement."""
    if stmt[0] == "try":
        blocks = [stmt[2]] + [h[2] for h in stmt[3]]
        return blocks + ([stmt[4]] if stmt[4] is not None else [])
    if stmt[0] == "if":
        return [stmt[3], stmt[4]]
    if stmt[0] == "loop":
        return [stmt[3]]
    return []


def reductions(program):
    """Programs one deletion (or one unwrapping) smaller, biggest cuts first."""
    text = dumps(program)

    def paths(block, path):
        for i, stmt in enumerate(block):
            yield path, i
            for k, inner in enumerate(sub_blocks(stmt)):
                yield from paths(inner, path + [(i, k)])

    def resolve(block, path):
        for i, k in path:
            block = sub_blocks(block[i])[k]
        return block

    n = len(program["main"])
    size = max(1, n // 2)
    while size:
        for start in range(0, n, size):
            copy = json.loads(text)
            del copy["main"][start:start + size]
            yield copy
        size //= 2
    for f, func in enumerate(program["funcs"]):
        for path, i in list(paths(func["body"], [])):
            copy = json.loads(text)
            del resolve(copy["funcs"][f]["body"], path)[i]
            yield copy
            copy = json.loads(text)
            block = resolve(copy["funcs"][f]["body"], path)
            inner = sub_blocks(block[i])
            if inner:
                block[i:i + 1] = inner[0]
                yield copy
            if block and i < len(block) and block[i][0] == "try":
                stmt = block[i]
                for h in range(len(stmt[3])):
                    if len(stmt[3]) > 1 or stmt[4] is not None:
                        copy = json.loads(text)
                        del resolve(copy["funcs"][f]["body"], path)[i][3][h]
                        yield copy


def minimized(program, shows):
    """A program that shows it, of which no reduction does."""
    progress = True
    while progress:
        progress = False
        for smaller in reductions(program):
            if shows(smaller):
                program, progress = smaller, True
                break
    return program
