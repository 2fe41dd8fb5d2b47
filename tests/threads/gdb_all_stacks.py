# SPDX-License-Identifier: Apache-2.0
# Run inside gdb: attaches to $PID and writes the stack of every thread to $OUT, one line each: thread id, then
# program counters, innermost first. Frames that are not on the stack (inlined, tail calls) are left out.
import os
import gdb

for command in (
    "set pagination off",
    "set confirm off",
    "set debuginfod enabled off",
    "set backtrace past-main on",
    "set backtrace past-entry on",
    "set backtrace limit 300",
    "set print thread-events off",
    "attach " + os.environ["PID"],
):
    gdb.execute(command, to_string=True)
with open(os.environ["OUT"], "w") as lines:
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        pcs = []
        frame = gdb.newest_frame()
        try:
            while frame is not None and frame.is_valid():
                if frame.type() in (gdb.NORMAL_FRAME, gdb.SIGTRAMP_FRAME):
                    pcs.append(frame.pc())
                frame = frame.older()
        except gdb.error:
            pass
        lines.write(" ".join([str(thread.ptid[1])] + ["%x" % pc for pc in pcs]) + "\n")
gdb.execute("detach", to_string=True)
