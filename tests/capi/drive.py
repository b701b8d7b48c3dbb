# Drives a coroutine through the shared library, with no glue compiled.
import ctypes
import sys

swb = ctypes.CDLL(sys.argv[1])
word = ctypes.c_size_t
Body = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(word))
swb.swb_create.argtypes = [ctypes.POINTER(ctypes.c_void_p), Body, ctypes.c_void_p, ctypes.c_void_p]
swb.swb_yield.argtypes = [ctypes.c_void_p, word, ctypes.POINTER(word)]
swb.swb_resume.argtypes = [ctypes.c_void_p, ctypes.POINTER(word)]
swb.swb_destroy.argtypes = [ctypes.c_void_p]


@Body
def body(self, data, result):
    for i in range(1, 4):
        status = swb.swb_yield(self, i * i, None)
        if status != 0:
            return status
    result[0] = 3
    return 0


co, value = ctypes.c_void_p(), word()
assert swb.swb_create(ctypes.byref(co), body, None, None) == 0
printed = []
while swb.swb_resume(co, ctypes.byref(value)) == 1:
    printed.append(value.value)
print(*printed, "returned", value.value)
assert swb.swb_destroy(co) == 0
assert swb.swb_destroy(co) == -12
