# SPDX-License-Identifier: Apache-2.0
# What the proofs share that work on real servers: to start one, to wait for it, to load it, and to end it by its PID. Everything
# lies below a temporary folder.
import os, shutil, signal, socket, subprocess, sys, tempfile, threading, time, urllib.request

work = tempfile.mkdtemp(prefix="dwell-servers.", dir="/tmp")
os.chmod(work, 0o755)
stop = threading.Event()
started = []
kept = []  # connections that stay open
gently = False  # requests with pauses, a few percent of a core for each server


def start(command, user=None, **options):
    if user:
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] + command
    log = open(f"{work}/server.log", "ab")
    # In a session of its own: some servers end their whole process group.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=work, start_new_session=True, **options)
    started.append(process)
    return process.pid


def wait_for(check, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if check():
                return
        except Exception:
            pass
        time.sleep(0.1)
    sys.exit(f"gave up waiting for a server; see {work}/server.log")


def answers(port):
    def check():
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return check


def repeat(step, connect=lambda: None):
    """Calls step(connection, i) until it is told to stop."""
    connection, i = connect(), 0
    while not stop.wait(0.02 if gently else 0):
        try:
            step(connection, i)
        except OSError:
            connection = connect()
        i += 1


def fetch(port):
    def step(_, i):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/?{i}", timeout=5).read()
    return lambda: repeat(step)


def tool(command, user=None):
    """Runs a client again and again."""
    if user:
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] + command

    def run():
        while not stop.is_set():
            client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while client.poll() is None and not stop.wait(0.1):
                pass
            if client.poll() is None:
                client.kill()
                client.wait()
            stop.wait(3 if gently else 0)
    return run


def children(pid):
    return [int(one) for one in open(f"/proc/{pid}/task/{pid}/children").read().split()]


def descendants(pid):
    found = []
    try:
        for child in children(pid):
            found += [child] + descendants(child)
    except OSError:
        pass
    return found


def finish():
    """Ends what was started, and what that forked and left behind."""
    stop.set()
    for process in reversed(started):
        if process.poll() is None:
            below = {pid: started_at(pid) for pid in descendants(process.pid)}
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pid, birth in below.items():
                if started_at(pid) == birth is not None:
                    os.kill(pid, signal.SIGKILL)
    started.clear()
    kept.clear()


def started_at(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None
