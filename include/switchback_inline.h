/*
 * switchback, for speed: resume, send and yield whose switch is part of the calling function. By gcc and clang, in C99 and C++11.
 *
 * A switch inside of a function that is called and returns costs two mispredicted returns. The three functions here have it inline, as
 * Rust programs do, and return what the library's functions return: what they do not know they leave to these. They can be mixed
 * with them at will, on either side of a switch, and in different object files.
 *
 * The assembly is that of arch/ (see there for every register), on x86_64 and aarch64 Linux. Elsewhere, and with other compilers,
 * these are the library's calls by other names; SWB_INLINE_IS_PORTABLE is defined then. A library that was built to tell a sanitizer of its
 * switches, or to switch by corosensei, is asked to do them itself, at run time.
 *
 * One difference: where a panic of Rust code unwinds the thread and a destructor of that code calls here, swb_yield_inline() does not refuse with
 * SWB_PANICKING. No such destructor should: swb_yield() is there for it.
 *
 * This file and the library belong together: a program that was compiled with another layout of it is refused by the linker.
 */
#ifndef SWITCHBACK_INLINE_H
#define SWITCHBACK_INLINE_H

#include "switchback.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) && defined(__linux__) && defined(__LP64__) && \
    ((defined(__x86_64__) && !defined(__APX_F__)) || (defined(__aarch64__) && defined(__AARCH64EL__)))

/* ---- What is the library's own, and may change with any version ------------------------------------------------------------ */

/* Takes what has come of a resume, or of a yield, that is not just a value. The number is that of the layout below. */
swb_status swb_inline_resumed_3(swb_co *co, uintptr_t kind, uintptr_t word, void *from, uintptr_t *out);
swb_status swb_inline_woken_3(swb_co *self, uintptr_t kind, uintptr_t word, uintptr_t second, uintptr_t *sent);

/* The parts of a coroutine's control block that are used here: Control of src/coroutine/control.rs. */
struct swb_inline_control {
    void *not_ours[4];
    void *link; /* who waits for it, or NULL */
    void *not_ours_either;
    void *parked; /* where it waits; odd if it does not */
};

/* What a handle points to, but for its lowest bits: Slot of src/ffi/slot.rs. */
struct swb_inline_slot {
    swb_co *stamp; /* the handle that is good */
    uintptr_t key; /* that, and its thread */
    struct swb_inline_control *control;
    uintptr_t limit, length; /* of its stack */
};

enum { SWB_INLINE_NUMBERS = 63, SWB_INLINE_RUNNING = 3, SWB_INLINE_YIELDED = 0, SWB_INLINE_VALUE = 0, SWB_INLINE_NEXT = 1 };

#define SWB_INLINE_FUNCTION static inline __attribute__((always_inline, unused))
#define SWB_INLINE_LIKELY(is) __builtin_expect(!!(is), 1)

#if defined(__x86_64__)

/* The text of arch/x86_64/switch.s: a test compares the two. */
#define SWB_INLINE_SWITCH \
    "push rbx\n" \
    "lea rax, [rip + 2f]\n" \
    "push rax\n" \
    "push rbp\n" \
    "mov rdx, rsp\n" \
    "jmp [rcx + 8]\n" \
    "2: endbr64\n" \
    "mov rbp, [rcx]\n" \
    "mov rbx, [rcx + 16]\n" \
    "lea rsp, [rcx + 24]\n"

#ifdef __AVX512F__
#define SWB_INLINE_WIDE , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", \
    "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#define SWB_INLINE_WIDE
#endif

/* Parks the caller, wakes `*target`, and returns when it is woken. `from` is who has done so then. Values are one word; an
   error that comes is two. */
#define SWB_INLINE_JUMP(kind, word, second, target, from) \
    do { \
        register uintptr_t second_ __asm__("r8"); \
        __asm__ __volatile__("{.intel_syntax noprefix\n|}" SWB_INLINE_SWITCH "{.att_syntax prefix\n|}" \
            : "+D"(kind), "+S"(word), "=r"(second_), "=d"(from), "+c"(target) \
            : \
            : "rax", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", \
              "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "mm0", "mm1", \
              "mm2", "mm3", "mm4", "mm5", "mm6", "mm7", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", \
              "st(7)" SWB_INLINE_WIDE); \
        (second) = second_; \
    } while (0)

/* How far the stack pointer is above `*limit`. */
SWB_INLINE_FUNCTION uintptr_t swb_inline_above(const uintptr_t *limit) {
    uintptr_t above;
    __asm__ __volatile__("mov {%%rsp, %0|%0, rsp}\n\tsub {%1, %0|%0, %1}" : "=&r"(above) : "m"(*limit) : "cc");
    return above;
}

/* What a slot's key is, if the handle is good on this thread. */
SWB_INLINE_FUNCTION uintptr_t swb_inline_key(swb_co *co) {
    uintptr_t key = (uintptr_t)co;
    __asm__("xor {%%fs:0, %0|%0, QWORD PTR fs:[0]}" : "+r"(key) : : "cc");
    return key;
}

#else /* aarch64 */

/* The text of arch/aarch64/switch.s: a test compares the two. */
#define SWB_INLINE_SWITCH \
    "adr x16, 2f\n" \
    "stp x29, x16, [sp, #-32]!\n" \
    "str x19, [sp, #16]\n" \
    "mov x2, sp\n" \
    "ldr x16, [x3, #8]\n" \
    "br x16\n" \
    "2: hint #36\n" \
    "ldr x29, [x3]\n" \
    "ldr x19, [x3, #16]\n" \
    "add sp, x3, #32\n"

/* clang has no name for the first-fault register, which does not outlast a call either. */
#if defined(__clang__)
#define SWB_INLINE_FAULTS
#else
#define SWB_INLINE_FAULTS , "ffr"
#endif

#ifdef __ARM_FEATURE_SVE
#define SWB_INLINE_WIDE SWB_INLINE_FAULTS, "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", "p14", "p15", \
    "z0", "z1", "z2", "z3", "z4", "z5", "z6", "z7", "z8", "z9", "z10", "z11", "z12", "z13", "z14", "z15", "z16", "z17", \
    "z18", "z19", "z20", "z21", "z22", "z23", "z24", "z25", "z26", "z27", "z28", "z29", "z30", "z31"
#else
#define SWB_INLINE_WIDE
#endif

/* Parks the caller, wakes `*target`, and returns when it is woken. `from` is who has done so then. Values are one word; an
   error that comes is two. */
#define SWB_INLINE_JUMP(kind, word, second, target, from) \
    do { \
        register uintptr_t kind_ __asm__("x0") = (kind); \
        register uintptr_t word_ __asm__("x1") = (word); \
        register uintptr_t second_ __asm__("x4"); \
        register void *from_ __asm__("x2"); \
        register void *target_ __asm__("x3") = (target); \
        __asm__ __volatile__(SWB_INLINE_SWITCH \
            : "+r"(kind_), "+r"(word_), "=r"(second_), "=r"(from_), "+r"(target_) \
            : \
            : "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x20", "x21", \
              "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", \
              "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", \
              "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31" SWB_INLINE_WIDE); \
        (kind) = kind_; \
        (word) = word_; \
        (second) = second_; \
        (from) = from_; \
    } while (0)

/* How far the stack pointer is above `*limit`. */
SWB_INLINE_FUNCTION uintptr_t swb_inline_above(const uintptr_t *limit) {
    uintptr_t pointer;
    __asm__ __volatile__("mov %0, sp" : "=r"(pointer));
    return pointer - __atomic_load_n(limit, __ATOMIC_RELAXED);
}

/* What a slot's key is, if the handle is good on this thread. */
SWB_INLINE_FUNCTION uintptr_t swb_inline_key(swb_co *co) {
    uintptr_t thread;
    __asm__("mrs %0, tpidr_el0" : "=r"(thread));
    return (uintptr_t)co ^ thread;
}

#endif

/* After a call that would be the last of its function, so that it is none: a function that calls has no red zone, which the switch
   would write to. */
#define SWB_INLINE_NOT_LAST() __asm__ __volatile__("")

/* Where the slot of a handle is. */
SWB_INLINE_FUNCTION struct swb_inline_slot *swb_inline_place(swb_co *co) {
    return (struct swb_inline_slot *)((uintptr_t)co & ~(uintptr_t)SWB_INLINE_NUMBERS);
}

/* Wakes the coroutine, if the handle is good, and it is one of the calling thread's and suspended; or else returns SWB_OK. */
SWB_INLINE_FUNCTION swb_status swb_inline_wake(swb_co *co, uintptr_t kind, uintptr_t word, uintptr_t *out) {
    struct swb_inline_slot *slot = swb_inline_place(co);
    struct swb_inline_control *control; /* not found anew after the switch: the next waits for that */
    void *target, *from;
    uintptr_t second;
    swb_status status = SWB_YIELDED;
    if (!SWB_INLINE_LIKELY(slot) ||
        !SWB_INLINE_LIKELY(__atomic_load_n(&slot->key, __ATOMIC_RELAXED) == swb_inline_key(co)))
        return SWB_OK;
    control = slot->control;
    target = control->parked;
    if (!SWB_INLINE_LIKELY(((uintptr_t)target & 1) == 0)) return SWB_OK;
    control->parked = (void *)(uintptr_t)SWB_INLINE_RUNNING;
    SWB_INLINE_JUMP(kind, word, second, target, from);
    (void)second;
    if (SWB_INLINE_LIKELY(kind == SWB_INLINE_YIELDED)) {
        control->parked = from;
        if (out) *out = word;
    } else {
        status = swb_inline_resumed_3(co, kind, word, from, out);
        SWB_INLINE_NOT_LAST();
    }
    return status;
}

/* ---- What is offered ------------------------------------------------------------------------------------------------------- */

/* swb_resume() */
SWB_INLINE_FUNCTION swb_status swb_resume_inline(swb_co *co, uintptr_t *out) {
    swb_status status = swb_inline_wake(co, SWB_INLINE_NEXT, 0, out);
    if (SWB_INLINE_LIKELY(status != SWB_OK)) return status;
    status = swb_resume(co, out);
    SWB_INLINE_NOT_LAST();
    return status;
}

/* swb_send() */
SWB_INLINE_FUNCTION swb_status swb_send_inline(swb_co *co, uintptr_t value, uintptr_t *out) {
    swb_status status = swb_inline_wake(co, SWB_INLINE_VALUE, value, out);
    if (SWB_INLINE_LIKELY(status != SWB_OK)) return status;
    status = swb_send(co, value, out);
    SWB_INLINE_NOT_LAST();
    return status;
}

/* swb_yield() */
SWB_INLINE_FUNCTION swb_status swb_yield_inline(swb_co *self, uintptr_t value, uintptr_t *sent) {
    struct swb_inline_slot *slot = swb_inline_place(self);
    swb_status status = SWB_OK;
    if (SWB_INLINE_LIKELY(slot) && SWB_INLINE_LIKELY(__atomic_load_n(&slot->stamp, __ATOMIC_ACQUIRE) == self)) {
        /* In this order: see Slot::is_on_stack. */
        const uintptr_t length = __atomic_load_n(&slot->length, __ATOMIC_ACQUIRE);
        if (SWB_INLINE_LIKELY(swb_inline_above(&slot->limit) < length)) {
            struct swb_inline_control *control = slot->control;
            void *target = control->link, *from;
            if (SWB_INLINE_LIKELY(target)) {
                uintptr_t kind = SWB_INLINE_YIELDED, word = value, second;
                SWB_INLINE_JUMP(kind, word, second, target, from);
                control->link = from;
                if (SWB_INLINE_LIKELY(kind <= SWB_INLINE_NEXT)) {
                    if (sent) *sent = word;
                    return status;
                }
                status = swb_inline_woken_3(self, kind, word, second, sent);
                SWB_INLINE_NOT_LAST();
                return status;
            }
        }
    }
    status = swb_yield(self, value, sent);
    SWB_INLINE_NOT_LAST();
    return status;
}

#undef SWB_INLINE_JUMP
#undef SWB_INLINE_SWITCH
#undef SWB_INLINE_WIDE
#undef SWB_INLINE_FUNCTION
#undef SWB_INLINE_LIKELY
#undef SWB_INLINE_NOT_LAST

#else

#define SWB_INLINE_IS_PORTABLE 1

static inline swb_status swb_resume_inline(swb_co *co, uintptr_t *out) { return swb_resume(co, out); }
static inline swb_status swb_send_inline(swb_co *co, uintptr_t value, uintptr_t *out) { return swb_send(co, value, out); }
static inline swb_status swb_yield_inline(swb_co *self, uintptr_t value, uintptr_t *sent) { return swb_yield(self, value, sent); }

#endif

#ifdef __cplusplus
}
#endif

#endif /* SWITCHBACK_INLINE_H */
