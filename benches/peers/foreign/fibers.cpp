// Boost.Fiber: its scheduler of one thread, round robin.
#include "peer.hpp"

#include <boost/context/pooled_fixedsize_stack.hpp>
#include <boost/fiber/all.hpp>
#include <boost/version.hpp>
#include <vector>

namespace fibers = boost::fibers;

static boost::context::pooled_fixedsize_stack pool{64 * 1024};

template <typename F> static fibers::fiber spawn(F body) {
    return fibers::fiber{fibers::launch::post, std::allocator_arg, pool, body};
}

static outcome yields(uint64_t n) {
    return timed([n] {
        uint64_t sum = 0;
        const auto half = [&] {
            for (uint64_t i = 0; i < n / 2; i++) {
                sum += i;
                boost::this_fiber::yield();
            }
        };
        fibers::fiber one = spawn(half), other = spawn(half);
        one.join();
        other.join();
        return sum;
    });
}

static outcome spawn_join(uint64_t n) {
    return timed([n] {
        uint64_t sum = 0;
        for (uint64_t i = 0; i < n; i++) spawn([&sum, i] { sum += i; }).join();
        return sum;
    });
}

static outcome channel(uint64_t n) {
    return timed([n] {
        // The smallest that there is: it has room for one less than it is told.
        fibers::buffered_channel<uint64_t> there{2}, back{2};
        fibers::fiber echo = spawn([&] {
            for (uint64_t i = 0; i < n / 2; i++) back.push(there.value_pop());
        });
        uint64_t sum = 0;
        for (uint64_t i = 0; i < n / 2; i++) {
            there.push(i);
            sum += back.value_pop();
        }
        echo.join();
        return sum;
    });
}

static outcome mutex(uint64_t n) {
    return timed([n] {
        fibers::mutex lock;
        uint64_t counter = 0;
        std::vector<fibers::fiber> all;
        for (int task = 0; task < 100; task++) {
            all.push_back(spawn([&] {
                for (uint64_t i = 0; i < n / 100; i++) {
                    std::lock_guard<fibers::mutex> held{lock};
                    counter++;
                    boost::this_fiber::yield();
                }
            }));
        }
        for (auto &one : all) one.join();
        return counter;
    });
}

int main(int argc, char **argv) {
    return peer_main(argc, argv, "Boost " BOOST_LIB_VERSION ", g++ " __VERSION__,
        {{"yield", yields}, {"spawn-join", spawn_join}, {"channel", channel}, {"mutex", mutex}});
}
