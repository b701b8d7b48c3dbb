/* A bug for AddressSanitizer to find: a body reads beyond an array on its own stack, after a switch. `.ci/capi` expects it. */

#include <string.h>
#include <switchback.h>

static swb_status body(swb_co *self, void *past, uintptr_t *result) {
    char array[16];
    memset(array, 1, sizeof array);
    if (swb_yield(self, (uintptr_t)array[3], NULL) != SWB_OK) return SWB_EXIT;
    *result = (uintptr_t)array[*(const volatile size_t *)past];
    return SWB_OK;
}

int main(void) {
    size_t past = 16;
    swb_co *co;
    uintptr_t value;
    if (swb_create(&co, body, &past, NULL) != SWB_OK || swb_resume(co, &value) != SWB_YIELDED) return 1;
    return swb_resume(co, &value) == SWB_RETURNED && swb_destroy(co) == SWB_OK ? 0 : 1;
}
