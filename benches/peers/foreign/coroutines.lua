-- Lua's coroutines, for Lua 5.4 and LuaJIT: `lua coroutines.lua WORKLOAD N` prints `ns=CPU_TIME sum=SUM`.
local create, resume, yield, wrap = coroutine.create, coroutine.resume, coroutine.yield, coroutine.wrap

local function timed(work)
    local start = os.clock()
    local sum = work()
    return (os.clock() - start) * 1e9, sum
end

-- The sum of n items of a function that yields, of which the first has been taken before.
local function items(n, body)
    local next = wrap(body)
    next()
    return timed(function()
        local sum = 0
        for _ = 1, n do sum = sum + next() end
        return sum
    end)
end

local function down(frames, x)
    local answer
    if frames > 1 then answer = down(frames - 1, x) else answer = yield(x) end
    return answer -- no tail call
end

local function roundtrip(frames)
    return function(n)
        return items(n, function()
            yield(0)
            for i = 0, n do
                if frames == 0 then yield(i) else down(frames, i) end
            end
        end)
    end
end

local function delegate(depth)
    return function(n)
        local function chain(level)
            if level == 1 then
                yield(0)
                for i = 0, n do yield(i) end
                return
            end
            for x in wrap(function() chain(level - 1) end) do yield(x) end
        end
        return items(n, function() chain(depth) end)
    end
end

local function send(n)
    local echo = create(function(x)
        while true do x = yield(x) end
    end)
    resume(echo, 0)
    return timed(function()
        local sum = 0
        for i = 0, n - 1 do
            local _, x = resume(echo, i)
            sum = sum + x
        end
        return sum
    end)
end

local function create_pooled(n)
    return timed(function()
        local sum = 0
        for i = 0, n - 1 do
            sum = sum + wrap(function() return i end)()
        end
        return sum
    end)
end

-- Lua does not run what is left of a body that nobody resumes: only the collector sees it.
local function drop_suspended(n)
    return timed(function()
        local sum = 0
        for i = 0, n - 1 do
            sum = sum + wrap(function() yield(i) end)()
        end
        collectgarbage()
        return sum
    end)
end

local function walk_frames(low, high)
    if low < high then
        local middle = math.floor((low + high) / 2)
        walk_frames(low, middle)
        yield(middle)
        walk_frames(middle + 1, high)
    end
end

local function walk(n)
    return timed(function()
        local sum = 0
        for x in wrap(function() walk_frames(0, n) end) do sum = sum + x end
        return sum
    end)
end

local function for_loop(n)
    local count = wrap(function()
        for i = 0, n - 1 do yield(i) end
    end)
    return timed(function()
        local sum = 0
        for x in count do sum = sum + x end
        return sum
    end)
end

local workloads = {
    ["roundtrip-0"] = roundtrip(0), ["roundtrip-1"] = roundtrip(1), ["roundtrip-4"] = roundtrip(4), ["roundtrip-16"] = roundtrip(16),
    ["delegate-1"] = delegate(1), ["delegate-10"] = delegate(10), ["delegate-100"] = delegate(100), ["delegate-1000"] = delegate(1000),
    ["send"] = send, ["create-pooled"] = create_pooled, ["drop-suspended"] = drop_suspended, ["walk"] = walk, ["for"] = for_loop,
}

-- Lua 5.4 has closing: what is to be closed is, and here adds its number.
if coroutine.close then
    workloads["close"] = assert(load([[
        local timed = ...
        return function(n)
            return timed(function()
                local sum = 0
                local closes = { __close = function(adds) sum = sum + adds.number end }
                for i = 0, n - 1 do
                    local co = coroutine.create(function()
                        local adds <close> = setmetatable({ number = i }, closes)
                        coroutine.yield(i)
                    end)
                    coroutine.resume(co)
                    coroutine.close(co)
                end
                return sum
            end)
        end
    ]]))(timed)
end

local workload, n = workloads[arg[1]], tonumber(arg[2])
if not workload or not n then
    io.stderr:write("usage: coroutines.lua WORKLOAD N\n")
    os.exit(2)
end
workload(math.ceil(n / 1000) * 100) -- to warm up
collectgarbage()
local ns, sum = workload(n)
print(("ns=%.0f sum=%.0f"):format(ns, sum))
