// C++11 over switchback.h: coroutines that are closed by their destructor, and generators for range-for.
//
// A body may throw: what it throws comes out of the call that has resumed it. When a generator is closed, its yield throws
// swb::closed, so that destructors run; let it pass. Nothing is thrown through the library: both stop at the body's own trampoline.
// Do not yield inside of a catch block: the exceptions that are being handled are the thread's. A generator that is destroyed by its own
// body, or on another thread, is leaked, with what the body has captured.
#ifndef SWITCHBACK_HPP
#define SWITCHBACK_HPP

#include <switchback.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <utility>

namespace swb {

// What a call of the library has refused.
class error : public std::runtime_error {
public:
    explicit error(swb_status status) : std::runtime_error(swb_status_string(status)), status_(status) {}
    swb_status status() const noexcept { return status_; }

private:
    swb_status status_;
};

// What a yield throws when its generator is closed. No std::exception, so that handlers for those do not stop it.
struct closed {};

// What a generator's body yields by.
template <class T>
class yielder {
public:
    explicit yielder(swb_co *self) : self_(self) {}
    // The value is looked at where it is, until the generator is resumed.
    void operator()(const T &value) const {
        const swb_status status = swb_yield(self_, reinterpret_cast<std::uintptr_t>(std::addressof(value)), nullptr);
        if (status == SWB_EXIT) throw closed();
        if (status != SWB_OK) throw error(status);
    }

private:
    swb_co *self_;
};

// A coroutine that yields Ts. It stays on its thread.
template <class T>
class generator {
public:
    using body = std::function<void(yielder<T>)>;

    explicit generator(body f, std::size_t stack_size = 0) : state_(new state{std::move(f), nullptr}), co_(nullptr) {
        swb_options options = SWB_OPTIONS_INIT;
        options.stack_size = stack_size;
        const swb_status status = swb_create(&co_, &run, state_.get(), &options);
        if (status != SWB_OK) throw error(status);
    }
    generator(generator &&other) noexcept : state_(std::move(other.state_)), co_(other.co_) { other.co_ = nullptr; }
    generator(const generator &) = delete;
    generator &operator=(const generator &) = delete;
    ~generator() {
        if (co_ == nullptr) return;
        // A body that has ignored its end, or is running, or another thread's, is leaked, and may still look at what it has captured.
        const swb_status status = swb_destroy(co_);
        if (status != SWB_OK && status != SWB_THROWN) static_cast<void>(state_.release());
    }

    // The next value, or null at the end. It is the body's, until the generator is resumed.
    const T *next() {
        std::uintptr_t value = 0;
        state *const mine = state_.get(); // the body may move or destroy this generator
        const swb_status status = swb_resume(co_, &value);
        if (status == SWB_YIELDED) return reinterpret_cast<const T *>(value);
        if (mine != nullptr && mine->failure) {
            std::exception_ptr failure;
            std::swap(failure, mine->failure);
            std::rethrow_exception(failure);
        }
        if (status != SWB_RETURNED && status != SWB_FINISHED && status != SWB_EXIT) throw error(status);
        return nullptr;
    }

    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using pointer = const T *;
        using reference = const T &;
        iterator() : from_(nullptr), value_(nullptr) {}
        explicit iterator(generator *from) : from_(from), value_(from->next()) {}
        reference operator*() const { return *value_; }
        pointer operator->() const { return value_; }
        iterator &operator++() {
            value_ = from_->next();
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(const iterator &other) const { return value_ == other.value_; }
        bool operator!=(const iterator &other) const { return value_ != other.value_; }

    private:
        generator *from_;
        const T *value_;
    };
    iterator begin() { return iterator(this); }
    iterator end() { return iterator(); }

private:
    struct state {
        body f;
        std::exception_ptr failure;
    };

    static swb_status run(swb_co *self, void *data, std::uintptr_t *) noexcept {
        state *const mine = static_cast<state *>(data);
        try {
            mine->f(yielder<T>(self));
            return SWB_OK;
        } catch (const closed &) {
            return SWB_EXIT;
        } catch (...) {
            mine->failure = std::current_exception();
            return swb_raise(self, SWB_THROWN, nullptr);
        }
    }

    std::unique_ptr<state> state_;
    swb_co *co_;
};

} // namespace swb

#endif // SWITCHBACK_HPP
