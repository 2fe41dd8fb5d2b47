# SPDX-License-Identifier: Apache-2.0
# An interpreter at work: exceptions, callbacks from C, threads, a child.
import ctypes, os, threading

caught = 0
for i in range(6):
    try:
        if i % 2:
            bytearray(1 << 60)
        else:
            raise ValueError([str(n) for n in range(100)])
    except (MemoryError, ValueError, OverflowError):
        caught += 1

libc = ctypes.CDLL(None)
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
numbers = (ctypes.c_int * 50)(*range(50, 0, -1))
libc.qsort(numbers, 50, 4, compare(lambda a, b: a[0] - b[0]))
assert numbers[0] == 1

done = []
threads = [threading.Thread(target=lambda: done.append(sum(len(str(n)) for n in range(5000)))) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()

child = os.fork()
if child == 0:
    os._exit(3)
children = int(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3)
print(f"{caught} caught, {len(done)} threads, {children} child")
