# SPDX-License-Identifier: Apache-2.0
# The servers that most machines run. Each function returns the PID to look at, and what makes it work.
import glob, os, shutil, socket, subprocess, time

import ground
from ground import answers, children, fetch, repeat, start, stop, tool, wait_for, work


def redis():
    pid = start(["redis-server", "--port", "7801", "--save", "", "--bind", "127.0.0.1"])
    wait_for(answers(7801))
    return pid, tool(["redis-benchmark", "-p", "7801", "-t", "set,lpush,get", "-n", "4000" if ground.gently else "20000", "-r", "100000", "-d", "300", "-q"])


def nginx():
    open(f"{work}/nginx.conf", "w").write(
        f"daemon off; worker_processes 1; pid {work}/nginx.pid; error_log {work}/e.log; events {{}}\n"
        f"http {{ access_log off; gzip on; gzip_types *; server {{ listen 127.0.0.1:7802; root /usr/share; autoindex on; }} }}\n")
    master = start(["nginx", "-c", f"{work}/nginx.conf"])
    wait_for(answers(7802))
    wait_for(lambda: children(master))
    return children(master)[0], fetch(7802)


def postgres():
    bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    for name in ("pg", "pgsock"):
        os.makedirs(f"{work}/{name}", mode=0o700)
        shutil.chown(f"{work}/{name}", "postgres", "postgres")
    client = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    subprocess.run(client + [f"{bin}/initdb", "-D", f"{work}/pg", "-A", "trust"], stdout=subprocess.DEVNULL, check=True, cwd=work)
    server = start([f"{bin}/postgres", "-D", f"{work}/pg", "-c", "listen_addresses=", "-c", f"unix_socket_directories={work}/pgsock"], "postgres")
    wait_for(lambda: subprocess.run([f"{bin}/pg_isready", "-h", f"{work}/pgsock"], stdout=subprocess.DEVNULL).returncode == 0)
    subprocess.run(client + [f"{bin}/pgbench", "-h", f"{work}/pgsock", "-i", "-q", "postgres"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, cwd=work)
    # One session of its own, which is looked at.
    before = set(children(server))
    session = subprocess.Popen(client + [f"{bin}/psql", "-h", f"{work}/pgsock", "-q", "postgres"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=work)
    ground.started.append(session)
    wait_for(lambda: set(children(server)) - before)

    def run():
        i = 0
        while not stop.wait(0.1 if ground.gently else 0.01):
            session.stdin.write(f"select count(*), sum(abalance) from pgbench_accounts where aid > {i % 1000}; prepare p{i} as select {i};\n".encode())
            session.stdin.flush()
            i += 1
    return (set(children(server)) - before).pop(), run


def memcached():
    pid = start(["memcached", "-u", "root", "-l", "127.0.0.1", "-p", "7803", "-m", "200"])
    wait_for(answers(7803))

    def step(connection, i):
        connection.sendall(b"set k%d 0 0 1000\r\n" % (i % 200000) + b"x" * 1000 + b"\r\n")
        connection.recv(100)
    return pid, lambda: repeat(step, lambda: socket.create_connection(("127.0.0.1", 7803)))


def mariadb():
    os.makedirs(f"{work}/maria", mode=0o700)
    shutil.chown(f"{work}/maria", "mysql", "mysql")
    subprocess.run(["setpriv", "--reuid=mysql", "--regid=mysql", "--clear-groups", "mariadb-install-db", "--no-defaults", f"--datadir={work}/maria",
                    "--auth-root-authentication-method=normal"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, cwd=work)
    pid = start(["mariadbd", "--no-defaults", f"--datadir={work}/maria", "--skip-networking", f"--socket={work}/maria/sock"], "mysql")
    wait_for(lambda: subprocess.run(["mariadb-admin", "--no-defaults", "-u", "root", f"--socket={work}/maria/sock", "ping"],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0, 60)
    return pid, tool(["mariadb-slap", "--no-defaults", "-u", "root", f"--socket={work}/maria/sock", "--auto-generate-sql", "--concurrency=8", f"--number-of-queries={200 if ground.gently else 2000}"])


def node():
    pid = start(["node", "-e", "const kept=[];require('http').createServer((q,r)=>{kept.push(Buffer.alloc(2000),{u:q.url});if(kept.length>40000)kept.length=0;"
                 "r.end('ok')}).listen(7804,'127.0.0.1')"])
    wait_for(answers(7804))
    return pid, fetch(7804)


def python():
    open(f"{work}/server.py", "w").write(
        "import http.server, json\nkept = {}\nclass H(http.server.BaseHTTPRequestHandler):\n"
        "  def do_GET(self):\n    kept[self.path] = json.dumps(list(range(200)))\n    self.send_response(200); self.end_headers(); self.wfile.write(b'ok')\n"
        "  def log_message(self, *a): pass\nhttp.server.ThreadingHTTPServer(('127.0.0.1', 7805), H).serve_forever()\n")
    pid = start(["/usr/bin/python3", f"{work}/server.py"])
    wait_for(answers(7805))
    return pid, fetch(7805)


def java():
    open(f"{work}/S.java", "w").write(
        "import com.sun.net.httpserver.*; import java.net.*; import java.util.*;\npublic class S { static Map<String, byte[]> kept = new HashMap<>();\n"
        "  public static void main(String[] a) throws Exception { HttpServer s = HttpServer.create(new InetSocketAddress(\"127.0.0.1\", 7806), 0);\n"
        "    s.createContext(\"/\", e -> { kept.put(e.getRequestURI().toString(), new byte[4000]); if (kept.size() > 20000) kept.clear();\n"
        "      e.sendResponseHeaders(200, 2); e.getResponseBody().write(new byte[] {111, 107}); e.close(); }); s.start(); } }\n")
    subprocess.run(["javac", "-d", work, f"{work}/S.java"], check=True)
    pid = start(["java", "-Xmx256m", "-cp", work, "S"])
    wait_for(answers(7806))
    return pid, fetch(7806)


def go():
    open(f"{work}/s.go", "w").write(
        'package main\nimport ("net/http"; "sync")\nvar m sync.Mutex\nvar kept = map[string][]byte{}\nfunc main() {\n'
        '  http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { m.Lock(); kept[r.URL.String()] = make([]byte, 4000)\n'
        '    if len(kept) > 20000 { kept = map[string][]byte{} }; m.Unlock(); w.Write([]byte("ok")) })\n  http.ListenAndServe("127.0.0.1:7807", nil)\n}\n')
    subprocess.run(["go", "build", "-o", f"{work}/goserver", f"{work}/s.go"], check=True, env={**os.environ, "GO111MODULE": "off", "GOFLAGS": ""})
    pid = start([f"{work}/goserver"])
    wait_for(answers(7807))
    return pid, fetch(7807)


def perl():
    open(f"{work}/s.pl", "w").write(
        'use IO::Socket::INET; my %k; my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:7808", Listen => 9, ReuseAddr => 1);\n'
        'while (my $c = $s->accept) { my $l = <$c> // next; $k{$l} = "x" x 3000; print $c "HTTP/1.0 200 OK\\r\\n\\r\\nok"; close $c }\n')
    pid = start(["perl", f"{work}/s.pl"])
    wait_for(answers(7808))
    return pid, fetch(7808)


def openssl():
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{work}/key", "-out", f"{work}/cert", "-subj", "/CN=localhost"],
                   check=True, stderr=subprocess.DEVNULL)
    pid = start(["openssl", "s_server", "-accept", "127.0.0.1:7809", "-key", f"{work}/key", "-cert", f"{work}/cert", "-www", "-quiet"])
    wait_for(answers(7809))
    return pid, tool(["openssl", "s_client", "-connect", "127.0.0.1:7809", "-quiet", "-no_ign_eof"])


def sqlite():
    pid = start(["sqlite3", ":memory:"])
    shell = ground.started[-1]
    shell.stdin.write(b"create table t(a,b);\n")
    shell.stdin.flush()

    def run():
        while not stop.wait(0.2 if ground.gently else 0.02):
            shell.stdin.write(b"with recursive n(i) as (select 1 union all select i+1 from n where i<500) insert into t select i, hex(i) from n;\n")
            shell.stdin.flush()
    return pid, run


def haproxy():
    open(f"{work}/haproxy.cfg", "w").write(
        "global\n  nbthread 2\n  tune.ssl.default-dh-param 2048\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n"
        "frontend f\n  bind 127.0.0.1:7810\n  stick-table type string len 64 size 100k store http_req_cnt\n  http-request track-sc0 url\n"
        "  http-request return status 200 content-type text/plain string ok\n")
    pid = start(["haproxy", "-db", "-f", f"{work}/haproxy.cfg"])
    wait_for(answers(7810))
    return pid, fetch(7810)


def apache():
    modules = "/usr/lib/apache2/modules"
    open(f"{work}/apache.conf", "w").write(
        f"ServerName localhost\nServerRoot {work}\nPidFile {work}/apache.pid\nErrorLog {work}/apache.log\nListen 127.0.0.1:7811\n"
        f"LoadModule mpm_event_module {modules}/mod_mpm_event.so\nLoadModule authz_core_module {modules}/mod_authz_core.so\n"
        f"LoadModule autoindex_module {modules}/mod_autoindex.so\nLoadModule dir_module {modules}/mod_dir.so\n"
        "User www-data\nGroup www-data\nStartServers 1\nServerLimit 1\nThreadsPerChild 25\nMaxRequestWorkers 25\nMinSpareThreads 1\n"
        "DocumentRoot /usr/share\n<Directory /usr/share>\nRequire all granted\nOptions Indexes\n</Directory>\n")
    master = start(["apache2", "-f", f"{work}/apache.conf", "-DFOREGROUND"])
    wait_for(answers(7811))
    wait_for(lambda: children(master))
    return children(master)[0], fetch(7811)


def ruby():
    open(f"{work}/s.rb", "w").write(
        'require "socket"\nkept = {}\ns = TCPServer.new("127.0.0.1", 7812)\nloop { c = s.accept; l = c.gets; kept[l] = "x" * 3000 + l.to_s; kept.clear if kept.size > 20000\n'
        '  Thread.new(c) { |d| d.write "HTTP/1.0 200 OK\\r\\n\\r\\nok"; d.close } }\n')
    pid = start(["ruby", f"{work}/s.rb"])
    wait_for(answers(7812))
    return pid, fetch(7812)


def php():
    open(f"{work}/index.php", "w").write('<?php $a = []; for ($i = 0; $i < 2000; $i++) $a[] = str_repeat((string)$i, 20); echo count($a);\n')
    pid = start(["php", "-n", "-S", "127.0.0.1:7813", "-t", work])
    wait_for(answers(7813))
    return pid, fetch(7813)


def slapd():
    os.makedirs(f"{work}/ldap")
    open(f"{work}/slapd.conf", "w").write(
        "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\ndatabase mdb\nsuffix dc=local\n"
        f"rootdn cn=root,dc=local\nrootpw secret\ndirectory {work}/ldap\nmaxsize 100000000\n")
    open(f"{work}/top.ldif", "w").write("dn: dc=local\nobjectClass: dcObject\nobjectClass: organization\no: local\ndc: local\n\n" + "".join(
        f"dn: cn=u{i},dc=local\nobjectClass: person\ncn: u{i}\nsn: s{i}\n\n" for i in range(2000)))
    subprocess.run(["slapadd", "-f", f"{work}/slapd.conf", "-l", f"{work}/top.ldif"], check=True, stderr=subprocess.DEVNULL)
    pid = start(["slapd", "-d0", "-f", f"{work}/slapd.conf", "-h", "ldap://127.0.0.1:7814"])
    wait_for(answers(7814))
    # An anonymous bind, and a search of everything below dc=local, as they are written by hand.
    bind = bytes([0x30, 12, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0])
    search = bytes([0x30, 44, 2, 1, 2, 0x63, 39, 4, 8]) + b"dc=local" + bytes(
        [10, 1, 2, 10, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0, 0x87, 11]) + b"objectClass" + bytes([0x30, 0])

    def step(_, i):
        with socket.create_connection(("127.0.0.1", 7814), 5) as connection:
            connection.sendall(bind)
            connection.recv(100)
            connection.sendall(search)
            connection.settimeout(0.3)
            try:
                while connection.recv(1 << 16):
                    pass
            except TimeoutError:
                pass
    return pid, lambda: repeat(step)


servers = {"redis": (redis, "redis-server"), "nginx": (nginx, "nginx"), "postgres": (postgres, "psql"), "memcached": (memcached, "memcached"),
           "mariadb": (mariadb, "mariadbd"), "node": (node, "node"), "python": (python, "/usr/bin/python3"), "java": (java, "javac"), "go": (go, "go"),
           "perl": (perl, "perl"), "openssl": (openssl, "openssl"), "sqlite": (sqlite, "sqlite3"), "haproxy": (haproxy, "haproxy"),
           "apache": (apache, "apache2"), "ruby": (ruby, "ruby"), "php": (php, "php"), "slapd": (slapd, "slapd")}
