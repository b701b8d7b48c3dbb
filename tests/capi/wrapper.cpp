// Generators of switchback.hpp that go at an unusual time. Linked with the library by tests/capi.rs.
#include <switchback.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include "check.h"

// What a body has captured: gone with the last copy.
struct captured {
    explicit captured(bool *when_gone) : is_gone(when_gone) {}
    ~captured() { *is_gone = true; }
    bool *is_gone;
};

using numbers = swb::generator<int>;
using place = std::unique_ptr<numbers>;

// A body keeps what it has captured, though it destroys its own generator, and what it throws comes out all the same.
static void a_body_destroys_its_generator() {
    bool is_gone = false;
    auto kept = std::make_shared<captured>(&is_gone);
    place generator;
    place *const of = &generator;
    generator.reset(new numbers([of, kept, &is_gone](swb::yielder<int> y) {
        y(1);
        of->reset();
        CHECK(is_gone, false);
        throw 7;
    }));
    kept.reset();
    numbers *const it = generator.get();
    CHECK(*it->next(), 1);
    try {
        it->next();
        CHECK(0, 1);
    } catch (int thrown) {
        CHECK(thrown, 7);
    }
}

// On another thread it cannot be closed: it is left as it is, and what its frames point to stays.
static void another_thread_destroys_a_generator() {
    bool is_gone = false;
    auto kept = std::make_shared<captured>(&is_gone);
    place generator(new numbers([kept](swb::yielder<int> y) {
        y(1);
        y(2);
    }));
    kept.reset();
    CHECK(*generator->next(), 1);
    std::thread([&generator] { generator.reset(); }).join();
    CHECK(is_gone, false);
}

// One that has moved goes on, and the one that it was refuses.
static void a_generator_moves() {
    bool is_gone = false;
    {
        auto kept = std::make_shared<captured>(&is_gone);
        numbers before([kept](swb::yielder<int> y) {
            for (int i = 1;; i++) y(i);
        });
        CHECK(*before.next(), 1);
        numbers after(std::move(before));
        CHECK(*after.next(), 2);
        try {
            before.next();
            CHECK(0, 1);
        } catch (const swb::error &refused) {
            CHECK(refused.status(), SWB_INVALID);
        }
        for (int i : after)
            if (i == 5) break;
        CHECK(*after.next(), 6);
    }
    CHECK(is_gone, true);
}

int main() {
    a_body_destroys_its_generator();
    another_thread_destroys_a_generator();
    a_generator_moves();
    std::puts("all is well");
    return 0;
}
