# SPDX-License-Identifier: Apache-2.0
# Servers that fewer machines run, and prefork servers. Each function returns the PID to look at, and what makes it work.
import glob, os, shutil, socket, subprocess, sys

import ground
from ground import answers, children, fetch, repeat, start, stop, tool, wait_for, work


def write(name, text):
    open(f"{work}/{name}", "w").write(text)
    return f"{work}/{name}"


def folder(name, user=None):
    os.makedirs(f"{work}/{name}", exist_ok=True)
    if user:
        shutil.chown(f"{work}/{name}", user)
    return f"{work}/{name}"


def lines(port, text, answers_with=None):
    """A client that keeps its connection, sends a text and reads what comes."""
    def step(connection, i):
        connection.sendall(text(i))
        connection.recv(1 << 16)
    return lambda: repeat(step, lambda: socket.create_connection(("127.0.0.1", port), 5))


def lighttpd():
    pid = start(["lighttpd", "-D", "-f", write("lighttpd.conf", 'server.document-root = "/usr/share"\nserver.port = 7821\nserver.bind = "127.0.0.1"\n'
                 f'server.modules = ("mod_dirlisting")\ndir-listing.activate = "enable"\nserver.errorlog = "{work}/lighttpd.log"\n')])
    wait_for(answers(7821))
    return pid, fetch(7821)


def mosquitto():
    pid = start(["mosquitto", "-c", write("mosquitto.conf", "listener 7822 127.0.0.1\nallow_anonymous true\nuser root\n")])
    wait_for(answers(7822))
    connect = bytes([0x10, 15, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 60, 0, 3])
    names = iter(range(100, 1000))

    def connection():
        one = socket.create_connection(("127.0.0.1", 7822), 5)
        one.sendall(connect + str(next(names)).encode())
        one.recv(100)
        one.sendall(bytes([0x82, 8, 0, 1, 0, 3]) + b"a/b" + bytes([0]))
        one.recv(100)
        return one

    def step(one, i):
        # Published, retained, at a subject of its own, and at one that it has subscribed to.
        text = b"%06d" % (i % 100000)
        one.sendall(bytes([0x31, 16, 0, 6]) + text + b"x" * 8 + bytes([0x30, 13, 0, 3]) + b"a/b" + b"y" * 8)
        one.recv(100)
    return pid, lambda: repeat(step, connection)


def dns_query(port):
    def step(one, i):
        name = b"".join(bytes([len(part)]) + part for part in (b"host%d" % (i % 5000), b"test"))
        one.send(i.to_bytes(4, "big")[2:] + bytes([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + name + bytes([0, 0, 1, 0, 1]))
        one.recv(1000)

    def connect():
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.settimeout(1)
        one.connect(("127.0.0.1", port))
        return one
    return lambda: repeat(step, connect)


def named():
    write("test.zone", "$TTL 60\n@ SOA a.test. b.test. 1 60 60 60 60\n@ NS a.test.\n" + "".join(f"host{i} A 127.0.0.1\n" for i in range(5000)) + "a A 127.0.0.1\n")
    folder("named")
    pid = start(["named", "-g", "-c", write("named.conf", f'options {{ directory "{work}/named"; pid-file none; listen-on port 7823 {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};'
                 f' recursion no; dnssec-validation no; session-keyfile none; }};\ncontrols {{ }};\nzone "test" {{ type primary; file "{work}/test.zone"; }};\n')])
    wait_for(answers(7823))
    return pid, dns_query(7823)


def unbound():
    pid = start(["unbound", "-d", "-c", write("unbound.conf", 'server:\n interface: 127.0.0.1\n port: 7824\n do-daemonize: no\n username: ""\n chroot: ""\n'
                 f' pidfile: "{work}/unbound.pid"\n directory: "{work}"\n use-syslog: no\n local-zone: "test." static\n'
                 + "".join(f' local-data: "host{i}.test. A 127.0.0.1"\n' for i in range(5000)) + "remote-control:\n control-enable: no\n")])
    wait_for(answers(7824))
    return pid, dns_query(7824)


def fpm():
    """Its worker, asked by FastCGI as it is written by hand."""
    write("index.php", "<?php $a = []; for ($i = 0; $i < 2000; $i++) $a[] = str_repeat((string)$i, 20); echo count($a);\n")
    program = sorted(glob.glob("/usr/sbin/php-fpm*"))[-1]
    master = start([program, "-n", "-F", "-R", "-y", write("fpm.conf", f"[global]\nerror_log = {work}/fpm.log\n[www]\nuser = www-data\ngroup = www-data\n"
                    "listen = 127.0.0.1:7825\npm = static\npm.max_children = 2\n")])
    wait_for(answers(7825))
    wait_for(lambda: len(children(master)) == 2)

    def record(kind, body):
        return bytes([1, kind, 0, 1]) + len(body).to_bytes(2, "big") + bytes([0, 0]) + body

    def step(_, i):
        given = {b"SCRIPT_FILENAME": f"{work}/index.php".encode(), b"REQUEST_METHOD": b"GET", b"QUERY_STRING": b"%d" % i}
        pairs = b"".join(bytes([len(name), len(value)]) + name + value for name, value in given.items())
        with socket.create_connection(("127.0.0.1", 7825), 5) as one:
            one.sendall(record(1, bytes([0, 1, 0, 0, 0, 0, 0, 0])) + record(4, pairs) + record(4, b"") + record(5, b""))
            while one.recv(1 << 16):
                pass
    return children(master)[0], lambda: repeat(step)


wsgi = """import json
kept = {}
def application(environ, start_response):
    kept[environ["QUERY_STRING"]] = json.dumps(list(range(100)))
    if len(kept) > 20000: kept.clear()
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


def gunicorn():
    write("app.py", wsgi)
    master = start(["gunicorn", "-w", "2", "-b", "127.0.0.1:7826", "--chdir", work, "app:application"])
    wait_for(answers(7826))
    wait_for(lambda: len(children(master)) == 2)
    return children(master)[0], fetch(7826)


def uwsgi():
    write("app.py", wsgi)
    master = start(["uwsgi", "--plugin", "python3", "--http-socket", "127.0.0.1:7827", "--master", "--processes", "2", "--threads", "2", "--chdir", work,
                    "--module", "app", "--die-on-term", "--disable-logging"])
    wait_for(answers(7827))
    wait_for(lambda: len(children(master)) == 2)
    return children(master)[0], fetch(7827)


def puma():
    pid = start(["puma", "-b", "tcp://127.0.0.1:7828", "-t", "4:4", write("config.ru",
                 "kept = {}\nrun lambda { |env| kept[env['QUERY_STRING']] = 'x' * 2000; kept.clear if kept.size > 20000; [200, {}, ['ok']] }\n")])
    wait_for(answers(7828))
    return pid, fetch(7828)


def starman():
    master = start(["starman", "--listen", "127.0.0.1:7829", "--workers", "2", write("app.psgi",
                    "my %kept; sub { my $e = shift; $kept{$e->{QUERY_STRING}} = 'x' x 2000; %kept = () if keys %kept > 20000; [200, [], ['ok']] }\n")])
    wait_for(answers(7829))
    wait_for(lambda: len(children(master)) == 2)
    return children(master)[0], fetch(7829)


def varnish():
    start([sys.executable, "-c", "import http.server as h\nclass H(h.BaseHTTPRequestHandler):\n  def do_GET(s):\n    s.send_response(200); s.send_header('Content-Length', '1000'); "
           "s.end_headers(); s.wfile.write(b'x' * 1000)\n  def log_message(s, *a): pass\nh.ThreadingHTTPServer(('127.0.0.1', 7830), H).serve_forever()"])
    wait_for(answers(7830))
    manager = start(["varnishd", "-F", "-n", folder("varnish"), "-a", "127.0.0.1:7831", "-b", "127.0.0.1:7830", "-s", "malloc,64m", "-j", "none"])
    wait_for(answers(7831))
    return children(manager)[0], fetch(7831)


def squid():
    start([sys.executable, "-m", "http.server", "-b", "127.0.0.1", "-d", "/usr/share/doc", "7832"])
    wait_for(answers(7832))
    master = start(["squid", "-N", "-f", write("squid.conf", "http_port 127.0.0.1:7833 accel defaultsite=x\ncache_peer 127.0.0.1 parent 7832 0 no-query originserver\n"
                    f"http_access allow all\npid_filename none\ncache_log {work}/squid.log\naccess_log none\nworkers 1\ncache_mem 32 MB\npinger_enable off\n"
                    f"coredump_dir {folder('squid', 'proxy')}\nshutdown_lifetime 1 seconds\nlogfile_rotate 0\ncache_store_log none\nicp_port 0\ncache_effective_user proxy\n"
                    "netdb_filename none\nvisible_hostname x\n")])
    wait_for(answers(7833))
    return master, fetch(7833)


def rabbitmq():
    """Erlang's machine, without the scripts around it and without epmd."""
    pid = start(["erl", "-noinput", "-eval", "{ok, L} = gen_tcp:listen(7834, [binary, {ip, {127,0,0,1}}, {active, false}, {reuseaddr, true}, {backlog, 100}]), T = ets:new(t, [public]), "
                 "F = fun F() -> {ok, S} = gen_tcp:accept(L), P = spawn(fun() -> receive go -> {ok, D} = gen_tcp:recv(S, 0), ets:insert(T, {erlang:unique_integer(), D}), "
                 "gen_tcp:send(S, <<\"HTTP/1.0 200 OK\\r\\n\\r\\nok\">>), gen_tcp:close(S) end end), gen_tcp:controlling_process(S, P), P ! go, F() end, F()."])
    wait_for(answers(7834))
    return pid, fetch(7834)


def prefork():
    """Apache with a process for each request."""
    modules = "/usr/lib/apache2/modules"
    master = start(["apache2", "-DFOREGROUND", "-f", write("prefork.conf",
                    f"ServerName localhost\nServerRoot {work}\nPidFile {work}/prefork.pid\nErrorLog {work}/prefork.log\nListen 127.0.0.1:7835\n"
                    f"LoadModule mpm_prefork_module {modules}/mod_mpm_prefork.so\nLoadModule authz_core_module {modules}/mod_authz_core.so\n"
                    f"LoadModule autoindex_module {modules}/mod_autoindex.so\nLoadModule dir_module {modules}/mod_dir.so\nUser www-data\nGroup www-data\n"
                    "StartServers 3\nMinSpareServers 2\nMaxSpareServers 5\nMaxConnectionsPerChild 500\n"
                    "DocumentRoot /usr/share\n<Directory /usr/share>\nRequire all granted\nOptions Indexes\n</Directory>\n")])
    wait_for(answers(7835))
    wait_for(lambda: len(children(master)) >= 3)
    return children(master)[0], fetch(7835)


def dovecot():
    master = start(["dovecot", "-F", "-c", write("dovecot.conf", f"base_dir = {folder('dovecot')}\nstate_dir = {folder('dovestate')}\nlog_path = {work}/dovecot.log\nprotocols = imap\n"
                    "listen = 127.0.0.1\nservice imap-login {\n inet_listener imap {\n port = 7836\n }\n inet_listener imaps {\n port = 0\n }\n}\nssl = no\n"
                    "disable_plaintext_auth = no\npassdb {\n driver = static\n args = password=secret\n}\n"
                    f"userdb {{\n driver = static\n args = uid=www-data gid=www-data home={folder('mail', 'www-data')}\n}}\nmail_location = maildir:{work}/mail\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n")])
    wait_for(answers(7836))
    session = socket.create_connection(("127.0.0.1", 7836), 5)
    session.recv(1000)
    session.sendall(b"a login u secret\r\n")
    wait_for(lambda: b"a OK" in session.recv(1000))
    ground.kept.append(session)

    def run():
        while not stop.wait(0.02 if ground.gently else 0):
            session.sendall(b'b append INBOX {26}\r\n')
            session.recv(1000)
            session.sendall(b"Subject: a\r\n\r\n0123456789\r\n\r\nc select INBOX\r\nd fetch 1:* (flags envelope)\r\n")
            text = b""
            while b"\nd " not in text:
                text += session.recv(1 << 16)
    imap = [one for one in children(master) if open(f"/proc/{one}/comm").read().strip() == "imap"]
    return imap[0], run


def rsyslogd():
    path = f"{work}/log.sock"
    pid = start(["rsyslogd", "-n", "-iNONE", "-f", write("rsyslog.conf", f'module(load="imuxsock" SysSock.Use="off")\ninput(type="imuxsock" Socket="{path}")\n*.* {work}/syslog\n')])
    wait_for(lambda: os.path.exists(path))

    def connect():
        one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        one.connect(path)
        return one
    return pid, lambda: repeat(lambda one, i: one.send(b"<13>Jan  1 00:00:00 test: message %d" % i), connect)


def git():
    repository = folder("repository")
    for command in (["init", "-q"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    pid = start(["git", "daemon", "--export-all", f"--base-path={work}", "--listen=127.0.0.1", "--port=7837", "--reuseaddr"])
    wait_for(answers(7837))
    daemon = [one for one in children(pid)] or [pid]
    return daemon[0], tool(["git", "ls-remote", "git://127.0.0.1:7837/repository"])


def gdb():
    """A debugger that has read a large program's symbols."""
    pid = start(["gdb", "-q", "-nx", shutil.which("gdb")])
    debugger = ground.started[-1]

    def run():
        while not stop.wait(0.2):
            debugger.stdin.write(b"info functions main\ninfo line main\ndisassemble main\n")
            debugger.stdin.flush()
    return pid, run


def pgbouncer():
    pid = start(["pgbouncer", write("pgbouncer.ini", "[databases]\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = 7838\nauth_type = any\nadmin_users = root\nunix_socket_dir =\n")], "www-data")
    wait_for(answers(7838))
    return pid, tool(["psql", "-h", "127.0.0.1", "-p", "7838", "-U", "root", "-c", "show stats", "pgbouncer"])


def beanstalkd():
    pid = start(["beanstalkd", "-l", "127.0.0.1", "-p", "7839"])
    wait_for(answers(7839))
    return pid, lines(7839, lambda i: b"put 1 0 60 10\r\n0123456789\r\n" if i % 3 else b"reserve\r\n")


def etcd():
    pid = start(["etcd", "--data-dir", folder("etcd"), "--listen-client-urls", "http://127.0.0.1:7840", "--advertise-client-urls", "http://127.0.0.1:7840",
                 "--listen-peer-urls", "http://127.0.0.1:7841", "--initial-advertise-peer-urls", "http://127.0.0.1:7841", "--initial-cluster", "default=http://127.0.0.1:7841"])
    wait_for(answers(7840))
    return pid, fetch(7840)


def caddy():
    pid = start(["caddy", "run", "--adapter", "caddyfile", "--config", write("Caddyfile", "{\n admin off\n auto_https off\n}\nhttp://127.0.0.1:7842 {\n root * /usr/share\n file_server browse\n}\n")],
                env={**os.environ, "HOME": work, "XDG_CONFIG_HOME": work, "XDG_DATA_HOME": work})
    wait_for(answers(7842))
    return pid, fetch(7842)


def prosody():
    pid = start(["prosody", "-F", "--config", write("prosody.cfg.lua", f'run_as_root = true\ninterfaces = {{ "127.0.0.1" }}\nc2s_ports = {{ 7843 }}\ns2s_ports = {{ }}\nmodules_disabled = {{ "s2s" }}\n'
                 f'data_path = "{folder("prosody")}"\nlog = "{work}/prosody.log"\nadmin_socket = "{work}/prosody.sock"\nVirtualHost "localhost"\n')])
    wait_for(answers(7843))

    def step(_, i):
        with socket.create_connection(("127.0.0.1", 7843), 5) as one:
            one.sendall(b"<stream:stream to='localhost' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>")
            one.recv(4000)
    return pid, lambda: repeat(step)


def exim():
    pid = start(["exim4", "-bdf", "-oP", f"{work}/exim.pid", "-C", write("exim.conf", f"spool_directory = {folder('spool', 'Debian-exim')}\nlog_file_path = {work}/spool/%slog\n"
                 "local_interfaces = 127.0.0.1\ndaemon_smtp_ports = 7844\nqueue_only\nprimary_hostname = localhost\nacl_smtp_rcpt = deny_all\nbegin acl\ndeny_all:\n deny\nbegin routers\nbegin transports\n")])
    wait_for(answers(7844))

    def step(_, i):
        with socket.create_connection(("127.0.0.1", 7844), 5) as one:
            one.recv(1000)
            one.sendall(b"EHLO localhost\r\n")
            one.recv(1000)
            one.sendall(b"MAIL FROM:<a@localhost>\r\n")
            one.recv(1000)
            one.sendall(b"QUIT\r\n")
    return pid, lambda: repeat(step)


others = {"lighttpd": (lighttpd, "lighttpd"), "mosquitto": (mosquitto, "mosquitto"), "named": (named, "named"), "unbound": (unbound, "unbound"),
          "fpm": (fpm, "php-fpm8.2"), "gunicorn": (gunicorn, "gunicorn"), "uwsgi": (uwsgi, "uwsgi"), "puma": (puma, "puma"), "starman": (starman, "starman"),
          "varnish": (varnish, "varnishd"), "squid": (squid, "squid"), "erlang": (rabbitmq, "erl"), "prefork": (prefork, "apache2"), "dovecot": (dovecot, "dovecot"),
          "rsyslogd": (rsyslogd, "rsyslogd"), "git": (git, "git"), "gdb": (gdb, "gdb"), "pgbouncer": (pgbouncer, "pgbouncer"), "beanstalkd": (beanstalkd, "beanstalkd"),
          "etcd": (etcd, "etcd"), "caddy": (caddy, "caddy"), "prosody": (prosody, "prosody"), "exim": (exim, "exim4")}
