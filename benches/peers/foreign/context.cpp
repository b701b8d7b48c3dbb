// Boost.Context, by its class `fiber`: on guarded stacks, but for the pooled ones, for which it has no guards.
#include "peer.hpp"

#include <boost/context/fiber.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <boost/version.hpp>
#include <vector>

using boost::context::fiber;

static constexpr size_t stack_size = 256 * 1024;
static uint64_t slot, dropped;

struct adds {
    uint64_t number;
    ~adds() { dropped += number; }
};

template <typename F> static fiber guarded(F body) {
    return fiber{std::allocator_arg, boost::context::protected_fixedsize_stack(stack_size), body};
}

static void yields(fiber &consumer, uint64_t x) {
    slot = x;
    consumer = std::move(consumer).resume();
}

__attribute__((noinline)) static void down(fiber &consumer, int frames, uint64_t x) {
    if (frames > 1) down(consumer, frames - 1, x);
    else yields(consumer, x);
    asm volatile("" ::: "memory");
}

template <int frames> static outcome roundtrip(uint64_t n) {
    fiber co = guarded([n](fiber &&consumer) {
        yields(consumer, 0);
        for (uint64_t i = 0; i <= n; i++) {
            if (frames == 0) yields(consumer, i);
            else down(consumer, frames, i);
        }
        return std::move(consumer);
    });
    co = std::move(co).resume();
    return timed([&] {
        uint64_t sum = 0;
        for (uint64_t i = 0; i < n; i++) {
            co = std::move(co).resume();
            sum += slot;
        }
        return sum;
    });
}

template <size_t words> struct wide {
    uint64_t word[words];
};

template <size_t words> static outcome echo(uint64_t n) {
    static wide<words> in, out;
    fiber co = guarded([](fiber &&consumer) {
        while (true) {
            wide<words> x = in;
            asm volatile("" : "+m"(x));
            out = x;
            consumer = std::move(consumer).resume();
        }
        return std::move(consumer);
    });
    co = std::move(co).resume();
    return timed([&] {
        uint64_t sum = 0;
        for (uint64_t i = 0; i < n; i++) {
            for (size_t word = 0; word < words; word++) in.word[word] = i;
            co = std::move(co).resume();
            wide<words> x = out;
            asm volatile("" : "+m"(x));
            sum += (x.word[0] + x.word[words - 1]) / 2;
        }
        return sum;
    });
}

struct thrown {
    fiber consumer;
    uint64_t number;
};

static outcome throw_caught(uint64_t n) {
    fiber co = guarded([](fiber &&consumer) {
        slot = 0;
        while (true) {
            try {
                consumer = std::move(consumer).resume();
            } catch (thrown &error) {
                consumer = std::move(error.consumer);
                slot = error.number;
            }
        }
        return std::move(consumer);
    });
    co = std::move(co).resume();
    return timed([&] {
        uint64_t sum = 0;
        for (uint64_t i = 0; i < n; i++) {
            co = std::move(co).resume_with([i](fiber &&consumer) -> fiber { throw thrown{std::move(consumer), i}; });
            sum += slot;
        }
        return sum;
    });
}

static outcome create_fresh(uint64_t n) {
    auto *kept = new std::vector<fiber>; // it goes with the process
    kept->reserve(n);
    return timed([&] {
        uint64_t sum = 0;
        for (uint64_t i = 0; i < n; i++) {
            fiber co = guarded([i](fiber &&consumer) {
                yields(consumer, i);
                return std::move(consumer);
            });
            co = std::move(co).resume();
            sum += slot;
            kept->push_back(std::move(co));
        }
        return sum;
    });
}

static boost::context::pooled_fixedsize_stack pool{stack_size};

static outcome create_pooled(uint64_t n) {
    return timed([&] {
        uint64_t sum = 0;
        for (uint64_t i = 0; i < n; i++) {
            fiber co{std::allocator_arg, pool, [i](fiber &&consumer) {
                         slot = i;
                         return std::move(consumer);
                     }};
            co = std::move(co).resume();
            sum += slot;
        }
        return sum;
    });
}

static outcome drop_suspended(uint64_t n) {
    return timed([&] {
        dropped = 0;
        for (uint64_t i = 0; i < n; i++) {
            fiber co{std::allocator_arg, pool, [i](fiber &&consumer) {
                         const adds local{i};
                         yields(consumer, i);
                         return std::move(consumer);
                     }};
            co = std::move(co).resume();
        }
        return dropped;
    });
}

static void walk_frames(fiber &consumer, uint64_t low, uint64_t high) {
    if (low < high) {
        const uint64_t middle = (low + high) / 2;
        walk_frames(consumer, low, middle);
        yields(consumer, middle);
        walk_frames(consumer, middle + 1, high);
    }
}

static outcome walk(uint64_t n) {
    fiber co = guarded([n](fiber &&consumer) {
        walk_frames(consumer, 0, n);
        return std::move(consumer);
    });
    return timed([&] {
        uint64_t sum = 0;
        while (true) {
            co = std::move(co).resume();
            if (!co) return sum;
            sum += slot;
        }
    });
}

int main(int argc, char **argv) {
    return peer_main(argc, argv, "Boost " BOOST_LIB_VERSION ", g++ " __VERSION__,
        {{"roundtrip-0", roundtrip<0>}, {"roundtrip-1", roundtrip<1>}, {"roundtrip-4", roundtrip<4>}, {"roundtrip-16", roundtrip<16>},
            {"send", echo<1>}, {"value-64B", echo<8>}, {"value-4KiB", echo<512>}, {"throw", throw_caught}, {"create-fresh", create_fresh},
            {"create-pooled", create_pooled}, {"drop-suspended", drop_suspended}, {"walk", walk}});
}
