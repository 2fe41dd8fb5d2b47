# SPDX-License-Identifier: Apache-2.0
# Run inside gdb: attaches to $PID, and at each of $STOPS stops by signal 40 writes what gdb takes the stopped
# thread's stack for to $OUT, one line a stop: thread id, then program counters, innermost first. Frames
# that are not on the stack (inlined, tail calls) are left out.
import os
import gdb

pid, stops, out = os.environ["PID"], int(os.environ["STOPS"]), os.environ["OUT"]
for command in (
    "set pagination off",
    "set confirm off",
    "set debuginfod enabled off",
    "set backtrace past-main on",
    "set backtrace past-entry on",
    "set backtrace limit 300",
    "set print thread-events off",
    "handle all nostop noprint pass",
    "handle SIG40 stop print nopass",
    "attach " + pid,
):
    gdb.execute(command, to_string=True)
open(out + ".ready", "w").close()

with open(out, "w") as lines:
    for _ in range(stops):
        try:
            gdb.execute("continue", to_string=True)
        except gdb.error:
            break
        pcs = []
        frame = gdb.newest_frame()
        try:
            while frame is not None and frame.is_valid():
                if frame.type() in (gdb.NORMAL_FRAME, gdb.SIGTRAMP_FRAME):
                    pcs.append(frame.pc())
                frame = frame.older()
        except gdb.error:
            pass
        lines.write(" ".join([str(gdb.selected_thread().ptid[1])] + ["%x" % pc for pc in pcs]) + "\n")
        lines.flush()
gdb.execute("detach", to_string=True)
