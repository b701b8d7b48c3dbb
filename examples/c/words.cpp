// A generator in C++: a range-for over a coroutine, whose end runs the destructors on its stack.

#include <algorithm>
#include <iostream>
#include <stdexcept>
#include <string>
#include <switchback.hpp>

namespace {

struct file {
    ~file() { std::cout << "closed\n"; }
};

swb::generator<std::string> words(const std::string &text) {
    return swb::generator<std::string>([text](swb::yielder<std::string> yield) {
        const file open;
        std::string::size_type at = 0;
        while (at < text.size()) {
            const std::string::size_type end = std::min(text.find(' ', at), text.size());
            yield(text.substr(at, end - at));
            at = end + 1;
        }
        if (text.empty()) throw std::invalid_argument("no text");
    });
}

} // namespace

int main() {
    for (const std::string &word : words("to borrow is human")) std::cout << word << '\n';
    for (const std::string &word : words("the rest is silence")) {
        std::cout << word << '\n';
        break;
    }
    try {
        words("").next();
    } catch (const std::invalid_argument &error) {
        std::cout << error.what() << '\n';
    }
}
