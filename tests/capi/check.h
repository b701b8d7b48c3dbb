/* What the C programs of this folder ask with: ends the program where the two are not the same. */

#include <stdio.h>
#include <stdlib.h>

#define CHECK(is, wanted)                                                                                  \
    do {                                                                                                   \
        const long long is_ = (long long)(is), wanted_ = (long long)(wanted);                              \
        if (is_ != wanted_) {                                                                              \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #is, is_, wanted_);       \
            exit(1);                                                                                       \
        }                                                                                                  \
    } while (0)
