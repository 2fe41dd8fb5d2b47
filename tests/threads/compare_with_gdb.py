# SPDX-License-Identifier: Apache-2.0
# compare_with_gdb.py DWELL NAME PID...: the stacks of all threads of these processes, as dwell tells them without
# stopping any and as gdb does that stops them all. Compared are the threads that did not run from before dwell's look
# until after gdb's, but for being stopped by gdb; with NATIVE=1 up to the first frame of generated code. Exit code 1: a stack differs, or too many are not complete.
import json
import os
import subprocess
import sys
import tempfile


def look(dwell, pid):
    run = subprocess.run([dwell, "threads", "-p", str(pid), "--json"], capture_output=True, check=False)
    return json.loads(run.stdout)


def places(report, thread):
    stack = report["groups"][thread["group"]]["stack"]
    frames = [(f["module"], f["offset"]) for f in stack["frames"] if not f["inlined"]]
    return frames, stack["incomplete"]


def mappings(pid):
    result = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            fields = line.split(maxsplit=5)
            start, end = (int(x, 16) for x in fields[0].split("-"))
            result.append((start, end, int(fields[2], 16), fields[5].strip() if len(fields) > 5 else ""))
    return result


def place(maps, pc):
    for start, end, offset, path in maps:
        if start <= pc < end:
            return (path.removesuffix(" (deleted)"), pc - start + (offset if path.startswith(("/", "[vdso]")) else start))
    return (None, pc)


def gdb_stacks(pid):
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.NamedTemporaryFile() as out:
        environment = dict(os.environ, PID=str(pid), OUT=out.name)
        subprocess.run(["gdb", "-nx", "-batch", "-x", os.path.join(here, "gdb_all_stacks.py")], env=environment,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        stacks = {}
        for line in open(out.name, encoding="utf-8"):
            tid, *pcs = line.split()
            stacks[int(tid)] = [int(pc, 16) for pc in pcs]
        return stacks


def native_part(stack):
    """Up to the first frame that lies in no file: generated code, whose frames gdb can only guess."""
    for i, (path, _) in enumerate(stack):
        if not path or not path.startswith(("/", "[vdso]")):
            return stack[:i]
    return stack


def main():
    dwell, name, *pids = sys.argv[1:]
    threads = compared = equal = incomplete = 0
    for pid in pids:
        before = look(dwell, pid)
        maps = mappings(pid)
        stacks = gdb_stacks(pid)
        after = {t["tid"]: t for t in look(dwell, pid)["threads"]}
        for thread in before["threads"]:
            threads += 1
            ours, cut = places(before, thread)
            incomplete += cut is not None or not ours
            later = after.get(thread["tid"])
            # gdb makes each thread stop and go on: that is a switch or two, and the stack stays.
            same = later and held_still(thread, later)
            if not same or thread["tid"] not in stacks:
                continue
            compared += 1
            theirs = [place(maps, pc) for pc in stacks[thread["tid"]]]
            if "NATIVE" in os.environ:
                ours, theirs = native_part(ours), native_part(theirs)
            if ours == theirs:
                equal += 1
            else:
                print(f"  {name} {pid} thread {thread['tid']} {thread['name']}:")
                for i in range(max(len(ours), len(theirs))):
                    a = ours[i] if i < len(ours) else None
                    b = theirs[i] if i < len(theirs) else None
                    print("   ", "  " if a == b else "! ", a, b)
    print(f"{name}: {threads} threads in {len(pids)} processes, {threads - incomplete} complete; "
          f"{equal} of {compared} that held still equal gdb's")
    sys.exit(equal != compared or compared == 0 or incomplete > threads * 0.005)


def without_time(thread):
    return (thread["waits_for"] or "").split(", at most")[0]


def held_still(thread, later):
    return (thread["state"] == "sleeping" == later["state"] and thread["system_call"] == later["system_call"]
            and without_time(thread) == without_time(later) and later["cpu_ns"] - thread["cpu_ns"] < 2_000_000)


main()
