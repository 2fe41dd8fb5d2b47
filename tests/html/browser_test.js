// SPDX-License-Identifier: Apache-2.0
// The page in a real browser, used as a person would: every control, by mouse and by keys; what it shows against the
// report's JSON. Skipped (77) where there is no Chromium, unless DWELL_REQUIRE_BROWSER=1.
//   browser_test.js DWELL MANY_STACKS_RECORDING GOLDEN_FOLDER
"use strict";
const test = require("node:test");
const assert = require("node:assert");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { Browser, findBrowser } = require("./browser.js");
const page = require("./scripts.js");

const [dwell, manyStacks, golden] = process.argv.slice(2);
if (!findBrowser()) {
  console.log("chromium is not installed");
  process.exit(process.env.DWELL_REQUIRE_BROWSER === "1" ? 1 : 77);
}
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "dwell-page-"));
const exported = recording => {
  const file = path.join(folder, path.basename(recording) + ".html");
  execFileSync(dwell, ["export", recording, "-o", file], { stdio: "ignore" });
  return file;
};
const report = (recording, ...options) => JSON.parse(execFileSync(dwell, ["report", recording, "--json", ...options], { maxBuffer: 1 << 28 }));
const service = path.join(golden, "leaking_service.dwell");

let browser, tab;
test.before(async () => { browser = await Browser.start(); tab = await browser.open(exported(service)); });
test.after(async () => { await browser.stop(); fs.rmSync(folder, { recursive: true }); });
test.afterEach(() => {
  assert.deepEqual(tab.console, [], "the console is silent");
  assert.ok(tab.requests.length >= 1 && tab.requests.every(url => url.startsWith("file:///") || url.startsWith("blob:")), "nothing but the file was asked for: " + tab.requests);
});
const fresh = async (options, recording = service) => { await tab.close(); tab = await browser.open(exported(recording), options); };
const state = key => tab.run(`document.getElementById("app").page.state.${key}`);
const rows = key => tab.run(`Array.from(document.querySelectorAll("#sites tbody tr[data-site] td[data-key='${key}']"), cell => cell.textContent)`);
const total = kind => report(service).totals.find(one => one.kind === kind).figures;

test("the summary says what the text report says, losses first", async () => {
  const text = execFileSync(dwell, ["report", service], { encoding: "utf8", env: { PATH: process.env.PATH } });
  const said = await tab.run(`Array.from(document.querySelectorAll("#summary .verdict, #summary .note, #quality p"), p => p.textContent)`);
  assert.ok(said.length >= 4);
  for (const sentence of said) assert.ok(text.includes(sentence.replace(/^\s+/, "")), sentence);
});

test("totals and table show the report's figures", async () => {
  const whole = report(service), cells = await tab.run(`Array.from(document.querySelectorAll("#totals tbody tr"), row => Array.from(row.cells, cell => cell.textContent))`);
  whole.totals.forEach((kind, i) => {
    assert.equal(cells[i][1], page.bytesText(kind.figures.retained_bytes));
    assert.equal(cells[i][4], page.bytesText(kind.figures.allocated_bytes));
    assert.equal(cells[i][7], page.bytesText(kind.figures.peak_bytes));
  });
  const heap = whole.sites.filter(site => site.kind === whole.totals[0].kind);
  assert.deepEqual((await rows("retained_bytes")).slice(0, 10), heap.slice(0, 10).map(site => page.bytesText(site.figures.retained_bytes)));
  assert.deepEqual((await rows("allocs")).slice(0, 10), heap.slice(0, 10).map(site => page.grouped(site.figures.allocations)));
});

test("each view and unit has a graph whose sum is the report's", async () => {
  const heap = total("heap"), sums = { retained: ["retained_bytes", "retained_blocks"], allocated: ["allocated_bytes", "allocations"], freed: ["freed_bytes", "frees"],
    temporary: ["temporary_bytes", "temporary_blocks"], peak: ["peak_bytes", "peak_blocks"] };
  for (const view in sums) for (const [i, unit] of ["bytes", "blocks"].entries()) {
    await tab.click(`#views button[data-key=${view}]`);
    await tab.click(`#views button[data-key=${unit}]`);
    assert.equal(await tab.run(`document.getElementById("app").page.flame.root.value`), heap[sums[view][i]], view + " " + unit);
    assert.equal(await state("view"), view);
  }
  await tab.click("#views button[data-key=growing]");
  await tab.click("#views button[data-key=bytes]");
  assert.match(await tab.text("#flame .row .dim"), /changes of/);
  await tab.click("#views button[data-key=retained]");
});

test("a column sorts, and again the other way round", async () => {
  await tab.click("th button[data-sort=allocs]");
  const down = (await rows("allocs")).map(text => Number(text.replace(/,/g, "")));
  assert.deepEqual(down, down.slice().sort((a, b) => b - a));
  await tab.click("th button[data-sort=allocs]");
  const up = (await rows("allocs")).map(text => Number(text.replace(/,/g, "")));
  assert.deepEqual(up, up.slice().sort((a, b) => a - b));
  await tab.click("#views button[data-key=retained]");
  assert.equal(await state("sort"), "view");
});

test("the filter selects as --site does, and what it leaves is said", async () => {
  await tab.run(`(f => { f.value = "SessionStore"; f.dispatchEvent(new Event("input")); })(document.getElementById("filter"))`);
  const wanted = report(service, "--site", "SessionStore", "--kind", "heap");
  const sum = wanted.sites.reduce((all, site) => all + site.figures.retained_bytes, 0);
  assert.equal(await tab.run(`document.getElementById("app").page.flame.root.value`), sum);
  assert.match(await tab.text("#table-about"), new RegExp("^" + wanted.sites.length + " call sites.* match"));
  assert.equal(await tab.text("#command"), "dwell report leaking_service.dwell --kind heap --sort retained --site SessionStore");
  await tab.run(`(f => { f.value = "("; f.dispatchEvent(new Event("input")); })(document.getElementById("filter"))`);
  assert.equal(await tab.text("#views + .row .warning"), "not a regular expression");
  await tab.run(`document.getElementById("filter").focus()`);
  await tab.key("Escape");
  assert.equal(await state("filter"), "");
});

test("the command gives the same figures in a terminal", async () => {
  await tab.click("#views button[data-key=allocated]");
  const words = (await tab.text("#command")).split(" ").slice(1).map(word => word === "leaking_service.dwell" ? service : word);
  const sites = JSON.parse(execFileSync(dwell, [...words, "--json"])).sites;
  assert.deepEqual((await rows("alloc_bytes")).slice(0, 8), sites.slice(0, 8).map(site => page.bytesText(site.figures.allocated_bytes)));
  await tab.click("#views button[data-key=retained]");
});

test("dragging chooses a range, and everything follows", async () => {
  const box = await tab.box("#timeline-canvas"), y = box.y + 60;
  const at = share => box.x + 62 + (box.width - 64) * share;
  await tab.mouse("mouseMoved", at(0.25), y);
  await tab.mouse("mousePressed", at(0.25), y, 1);
  await tab.mouse("mouseMoved", at(0.5), y, 1);
  await tab.mouse("mouseMoved", at(0.75), y, 1);
  await tab.mouse("mouseReleased", at(0.75), y);
  const range = await state("range");
  assert.ok(range && range[1] > range[0], "a range was chosen");
  const edges = await tab.run(`document.getElementById("app").page.model.edges`);
  const part = report(service, "--kind", "heap", "--from", page.secondsText(edges[range[0]], false), "--to", page.secondsText(edges[range[1]], true));
  const heap = part.totals[0].figures;
  for (const [view, figure] of [["allocated", "allocated_bytes"], ["retained", "retained_bytes"], ["freed", "freed_bytes"], ["peak", "peak_bytes"]]) {
    await tab.click(`#views button[data-key=${view}]`);
    assert.equal(await tab.run(`document.getElementById("app").page.flame.root.value`), heap[figure], view);
  }
  await tab.click("#views button[data-key=born]");
  const born = await tab.run(`document.getElementById("app").page.flame.root.value`);
  assert.ok(born > 0 && born <= heap.allocated_bytes);
  assert.match(await tab.text("#range-text"), /everything below is of this range/);
  const seen = await tab.run("location.hash");
  await fresh({ fragment: seen.slice(1) });
  assert.deepEqual(await state("range"), range, "the address brings it back");
  assert.equal(await state("view"), "born");
  await tab.click("#whole");
  assert.equal(await state("range"), null);
  await tab.click("#views button[data-key=retained]");
});

test("the timeline is used by keys", async () => {
  await tab.run(`document.getElementById("timeline-canvas").focus()`);
  await tab.key("ArrowRight");
  assert.deepEqual(await state("range"), [0, 1]);
  await tab.key("ArrowRight");
  await tab.key("ArrowRight", 8);
  assert.deepEqual(await state("range"), [1, 3]);
  await tab.key("Escape");
  assert.equal(await state("range"), null);
});

test("the flame graph zooms by click and comes back by its path", async () => {
  const wide = await tab.run(`(f => f.frames.filter(frame => frame.node.depth === 3)[0])(document.getElementById("app").page.flame).x`);
  const box = await tab.box("#flame-canvas");
  await tab.mouse("mouseMoved", box.x + wide + 20, box.y + 3 * 19 + 9);
  assert.match(await tab.text(".tip"), /of all/);
  await tab.mouse("mousePressed", box.x + wide + 20, box.y + 3 * 19 + 9, 1);
  await tab.mouse("mouseReleased", box.x + wide + 20, box.y + 3 * 19 + 9);
  assert.equal(await tab.run(`document.getElementById("app").page.flame.zoom.depth`), 3);
  assert.match(await tab.text("#path"), /all › /);
  await tab.click("#path button");
  assert.equal(await tab.run(`document.getElementById("app").page.flame.zoom.depth`), 0);
  await tab.run(`document.getElementById("flame-canvas").focus()`);
  for (const key of ["ArrowDown", "ArrowDown", "Enter"]) await tab.key(key);
  assert.equal(await tab.run(`document.getElementById("app").page.flame.zoom.depth`), 2);
  assert.match(await tab.text("#flame-said"), /of all/);
  await tab.key("Backspace");
  await tab.key("Escape");
  assert.equal(await tab.run(`document.getElementById("app").page.flame.zoom.depth`), 0);
});

test("callers and library frames: another order, the same sum", async () => {
  const sum = await tab.run(`document.getElementById("app").page.flame.root.value`);
  const first = `document.getElementById("app").page.flame.root.children[0]`;
  await tab.click("#callers");
  assert.match(await tab.run(first + ".name"), /SessionStore::begin/);
  assert.equal(await tab.run(`document.getElementById("app").page.flame.root.children.reduce((sum, child) => sum + child.value, 0)`), sum);
  await tab.key("c");
  await tab.click("#library");
  assert.equal(await tab.run(`document.getElementById("app").page.flame.root.value`), sum);
  assert.equal(await tab.run(`document.getElementById("app").page.flame.root.children.reduce((sum, child) => sum + child.value, 0)`), sum);
  await tab.key("l");
  assert.equal(await state("library"), false);
});

test("a row opens its stack; library frames are folded; arrow keys go on", async () => {
  await tab.click("#sites tbody tr[data-site]");
  const first = report(service).sites[0];
  const stack = await tab.run(`Array.from(document.querySelectorAll("#stack .function"), name => name.textContent)`);
  assert.deepEqual(stack, first.stack.map(frame => frame.function));
  assert.match(await tab.text("#detail-facts"), new RegExp(page.bytesText(first.figures.retained_bytes).replace(".", "\\.")));
  assert.match(await tab.text("#stack .folded summary"), /frames? of allocators, libraries and wrappers/);
  await tab.run(`document.getElementById("table-scroll").focus()`);
  await tab.key("ArrowDown");
  assert.equal(await tab.run(`document.querySelector("#sites tr.chosen").dataset.index`), "1");
  await tab.key("Escape");
  assert.equal(await tab.run(`document.querySelector("#detail").hidden`), true);
});

test("another kind of memory is another page; kinds are not added up", async () => {
  const others = report(service).totals.slice(1);
  for (const [i, kind] of others.entries()) {
    await tab.click(`#totals tr[data-account="${i + 1}"] button`);
    assert.equal(await tab.run(`document.getElementById("app").page.flame.root.value`), kind.figures.retained_bytes, kind.kind);
  }
  await tab.click(`#totals tr[data-account="0"] button`);
});

test("keys choose views, units, help and the filter", async () => {
  await tab.run("document.activeElement.blur()");
  await tab.key("4");
  assert.equal(await state("view"), "allocated");
  await tab.key("b");
  assert.equal(await state("unit"), "blocks");
  await tab.key("b");
  await tab.key("1");
  await tab.key("?");
  assert.equal(await tab.run(`document.getElementById("help").open`), true);
  await tab.key("Escape");
  assert.equal(await tab.run(`document.getElementById("help").open`), false);
  await tab.key("/");
  assert.equal(await tab.run("document.activeElement.id"), "filter");
  await tab.run("document.activeElement.blur()");
});

test("the command can be copied, or is selected", async () => {
  await tab.click("#copy");
  await tab.until(`document.querySelector("#copy + .dim").textContent !== ""`);
});

test("the report as text is there, and shown when asked for", async () => {
  assert.equal(await tab.run(`document.getElementById("text").hidden`), true);
  await tab.click("#as-text");
  assert.equal(await tab.run(`document.getElementById("text").hidden`), false);
  await tab.click("#as-text");
});

test("a phone shows all of it without scrolling sideways", async () => {
  await fresh({ width: 375, height: 740, phone: true });
  assert.ok(await tab.run("document.documentElement.scrollWidth <= 375"), "the page is as wide as the phone");
  assert.ok((await rows("retained_bytes")).length > 0);
  assert.ok(await tab.run(`document.getElementById("flame-canvas").getBoundingClientRect().width <= 375`));
  await tab.click("#sites tbody tr[data-site]");
  assert.ok(await tab.run("document.documentElement.scrollWidth <= 375"));
  await tab.click("#views button[data-key=allocated]");
  assert.ok(await tab.run(`document.querySelector("td[data-key=alloc_bytes]").getBoundingClientRect().width > 0`), "what is sorted by is seen");
});

test("dark is dark, and what is printed has the rows", async () => {
  await fresh({ dark: true });
  assert.equal(await tab.run("getComputedStyle(document.documentElement).backgroundColor"), "rgb(22, 24, 28)");
  await tab.run(`window.dispatchEvent(new Event("beforeprint"))`);
  const { data } = await tab.send("Page.printToPDF", { preferCSSPageSize: true });
  assert.ok(Buffer.from(data, "base64").subarray(0, 5).equals(Buffer.from("%PDF-")));
});

test("hostile names are text, and a script that somebody puts in does not run", async () => {
  const file = exported(service), hostile = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
  await tab.run(`(page => { page.model.texts = page.model.texts.map(() => ${JSON.stringify(hostile).replace(/</g, "\\x3c")}); page.show(); page.set({ site: 0 }); })(document.getElementById("app").page)`);
  assert.deepEqual(await tab.run(`[document.images.length, document.scripts.length, document.title.includes("owned")]`), [0, 2, false]);
  const changed = path.join(folder, "changed.html");
  fs.writeFileSync(changed, fs.readFileSync(file, "utf8").replace("</body>", `<script>document.documentElement.dataset.owned = "1"</script><img src="https://127.0.0.1:9/x"></body>`));
  const other = await browser.open(changed);
  assert.equal(await other.run("document.documentElement.dataset.owned"), undefined);
  assert.ok(other.console.some(text => /Content Security Policy/.test(text)), "the browser refused it");
  await other.close();
});

test("without scripts the page is the text report", async () => {
  const text = page.partsOf(exported(service)).text;
  assert.match(text, /Heap grew/);
  assert.doesNotMatch(page.partsOf(exported(service)).html.replace(/<script>[\s\S]*<\/script>/, ""), /<pre id="text" hidden/);
});

test("losses come first; each process and kind has its own figures", async () => {
  const recording = path.join(golden, "recording/version-1.dwell"), whole = report(recording);
  await fresh({}, recording);
  assert.equal(await tab.run(`document.getElementById("summary").firstElementChild.id`), "losses");
  assert.match(await tab.text("#losses"), new RegExp(whole.losses[0].name));
  assert.equal(await tab.run(`document.querySelectorAll("#totals tbody tr").length`), whole.totals.length);
  for (const [i, kind] of whole.totals.entries()) {
    await tab.click(`#totals tr[data-account="${i}"] button`);
    assert.ok(Math.abs(await tab.run(`document.getElementById("app").page.flame.root.value`) - kind.figures.retained_bytes) < 1);
  }
});

test("a recording of threads and clocks has their verdicts and tables, and marks in the timeline", async () => {
  const recording = path.join(golden, "html/service_threads_clocks.dwell"), whole = report(recording);
  await fresh({}, recording);
  const count = id => tab.run(`document.querySelectorAll("#${id} tbody tr").length`);
  assert.equal(await count("threads-looks"), whole.looks.length);
  assert.equal(await count("threads-thread_sites"), whole.thread_sites.length);
  assert.equal(await count("threads-blocked"), Math.min(40, whole.blocked.length));
  assert.equal(await tab.run(`document.getElementById("app").page.marks.length`), whole.looks.length + await tab.run(`document.getElementById("app").page.data.subjects.clocks.look.steps.length`));
  assert.ok(await count("clocks-reads") > 0 && await count("clocks-waits") > 0);
  await tab.run(`(box => { box.value = "mmap"; box.dispatchEvent(new Event("input")); })(document.querySelector("#threads-blocked input"))`);
  assert.equal(await count("threads-blocked"), whole.blocked.filter(site => JSON.stringify(site).includes("mmap")).length);
  await tab.run(`(box => { box.value = ""; box.dispatchEvent(new Event("input")); })(document.querySelector("#threads-blocked input"))`);
  const waits = () => tab.run(`Array.from(document.querySelectorAll("#threads-blocked tbody tr"), row => Number(row.cells[1].textContent.replace(/,/g, "")))`);
  await tab.click("#threads-blocked th:nth-child(2) button");
  assert.deepEqual(await waits(), (await waits()).sort((a, b) => b - a));
  await tab.click("#threads-blocked th:nth-child(2) button");
  assert.deepEqual(await waits(), (await waits()).sort((a, b) => a - b));
  await tab.click("#threads-blocked td details summary");
  assert.ok(await tab.run(`document.querySelector("#threads-blocked td details ol").getBoundingClientRect().height > 0`));
});

test("one look at a deadlock: the verdict, who holds what, and the look's text", async () => {
  const recording = path.join(golden, "html/deadlock.dwell");
  await fresh({}, recording);
  assert.match(await tab.text("#summary .card.grave"), /^Deadlock \(certain\): 3 threads wait for each other/);
  assert.equal(await tab.run(`document.querySelectorAll("#threads-threads tbody tr").length`), 4);
  assert.match(await tab.text("#threads-threads"), /mutex second.*two \(/);
  const graph = await tab.run(`Array.from(document.querySelectorAll("#wait-graph .waits"), row => [row.querySelector(".nodes").textContent, row.querySelector(".lock").textContent, row.lastElementChild.previousElementSibling.textContent])`);
  assert.equal(graph.length, 3, "three locks");
  for (const [waiters, lock, holder] of graph) {
    const next = graph.find(([others]) => others.includes(holder));
    assert.ok(next && next[1] !== lock && waiters !== holder, "who holds a lock waits for the next");
  }
  assert.equal(await tab.run(`document.querySelectorAll("#wait-graph .node.circle").length`), 6);
  assert.equal(await tab.run(`document.getElementById("timeline")`), null);
  assert.doesNotMatch(await tab.text("#app"), /No memory|No event was lost/);
  assert.match(await tab.text("#text"), /Deadlock \(certain\)/);
});

test("goroutines that can never wake are said first", async () => {
  await fresh({}, path.join(golden, "recording/go-version-1.dwell"));
  assert.match(await tab.text("#summary .card.grave"), /goroutines can never wake/);
  assert.equal(await tab.run(`document.querySelectorAll("#go-0-creators tbody tr").length`), 2);
});

test("resident memory: its parts, its course, and the marks of generations", async () => {
  const recording = path.join(golden, "html/service_marked.dwell"), whole = report(recording), balance = whole.process_memory[0];
  await fresh({}, recording);
  const parts = page.accountParts(balance);
  assert.ok(parts.length > 2);
  assert.deepEqual(await tab.run(`Array.from(document.querySelectorAll(".account-bar span"), piece => piece.title)`), parts.map(part => part.name + ": " + page.bytesText(part.bytes)));
  const [bar, first] = await tab.run(`[document.querySelector(".account-bar"), document.querySelector(".account-bar span")].map(one => one.getBoundingClientRect().width)`);
  const all = parts.reduce((sum, part) => sum + part.bytes, 0);
  assert.ok(Math.abs(first / bar - parts[0].bytes / all) < 0.02, "the bar is to scale");
  assert.ok(await tab.run(`document.querySelector(".resident canvas").getBoundingClientRect().height > 40`));
  assert.equal(await tab.run(`document.getElementById("app").page.marks.filter(mark => mark.kind === "mark").length`), whole.generations.length - 1);
  assert.match(await tab.text("#timeline .legend"), /mark/);
  assert.equal(await tab.run(`document.querySelectorAll("#memory-generations tbody tr").length`), whole.generations.length);
});

test("processes of one program are one, and each apart on demand", async () => {
  const recording = path.join(golden, "html/workers.dwell"), whole = report(recording), sum = whole.by_program.totals.find(total => total.kind === "heap");
  await fresh({}, recording);
  const root = () => tab.run(`document.getElementById("app").page.flame.root.value`), pid = whole.processes[sum.processes[1].process].pid;
  assert.equal(await root(), sum.figures.retained_bytes);
  const title = "Heap of " + sum.processes.length + " processes of ";
  assert.ok((await tab.text("#totals tr.chosen")).startsWith(title));
  assert.ok((await tab.text("#about-view")).startsWith(title));
  const most = whole.by_program.sites.filter(site => site.kind === "heap").sort((a, b) => b.figures.retained_bytes - a.figures.retained_bytes)[0];
  assert.equal((await rows("retained_bytes"))[0], page.bytesText(most.figures.retained_bytes));
  assert.doesNotMatch(await tab.text("#command"), /--process/);
  await tab.click("#sites tbody tr[data-site]");
  const shown = await tab.run(`Array.from(document.querySelectorAll("#detail-processes tbody tr"), row => Array.from(row.cells, cell => cell.textContent))`);
  assert.equal(shown.length, most.processes.length);
  for (const one of most.processes) {
    const process = whole.processes[one.process], row = shown.find(cells => cells[0] === process.name + " (" + process.pid + ")");
    assert.equal(row[1], page.bytesText(one.figures.retained_bytes));
  }
  await tab.run(`Array.from(document.querySelectorAll("#detail-processes button")).find(button => button.textContent.includes("(${pid})")).click()`);
  assert.match(await tab.text("#command"), new RegExp("--process " + pid));
  assert.equal(await root(), whole.totals.find(total => total.kind === "heap" && whole.processes[total.process].pid === pid).figures.retained_bytes);
  assert.match(await tab.text("#detail-facts"), new RegExp("\\(" + pid + "\\)"));
});

test("descriptors: leaks by call site; where they were only counted, their course and kinds", async () => {
  const followed = path.join(golden, "html/descriptors.dwell"), counted = path.join(golden, "html/descriptors_counted.dwell");
  await fresh({}, followed);
  const whole = report(followed).descriptors;
  assert.ok(whole.verdicts.length > 0);
  assert.equal(await tab.text("#files .card .verdict"), whole.verdicts[0].text);
  assert.equal(await tab.run(`document.querySelectorAll("#files-descriptors-sites tbody tr").length`), whole.sites.length);
  await fresh({}, counted);
  const [counts] = report(counted).descriptor_counts;
  assert.match(counts.growth, /^Open descriptors grow steadily/);
  assert.equal(await tab.text("#files .descriptor-count .verdict"), counts.growth);
  assert.ok(await tab.run(`document.querySelector("#files .descriptor-count svg path").getAttribute("d").split("L").length === ${counts.samples.length}`), "each sample is a point");
  const cells = await tab.run(`Array.from(document.querySelectorAll("#files .descriptor-count tbody tr"), row => Array.from(row.cells, cell => cell.textContent))`);
  for (const [kind, , before, after] of cells) assert.deepEqual([Number(before), Number(after)], counts.kinds[kind]);
  assert.equal(cells.length, Object.keys(counts.kinds).length);
});

test("lines of sources stand below the frame that asks, as text", async () => {
  const file = path.join(folder, "sources.html"), targets = path.join(folder, "targets");
  fs.mkdirSync(targets);
  const lines = fs.readFileSync(path.join(__dirname, "../targets/leaking_service.cpp"), "utf8").split("\n").map(line => line + `  // <img src=x onerror="document.title='owned'">\u202e`);
  fs.writeFileSync(path.join(targets, "leaking_service.cpp"), lines.join("\n"));
  execFileSync(dwell, ["export", service, "-o", file, "--sources", targets], { stdio: "ignore" });
  await tab.close();
  tab = await browser.open(file);
  await tab.click("#sites tbody tr[data-site]");
  assert.ok(await tab.run(`document.querySelector("#stack > li > details.source").open`), "that of the call site is open");
  assert.match(await tab.text("#stack details.source figcaption"), /leaking_service\.cpp: changed after /);
  const here = await tab.text("#stack details.source .here code"), line = Number(await tab.text("#stack details.source .here span"));
  assert.equal(here, lines[line - 1].replace("\u202e", "\\u{202e}"));
  assert.deepEqual(await tab.run(`[document.images.length, document.title.includes("owned")]`), [0, false]);
  await tab.click("#stack > li:nth-of-type(3) details.source summary");
  assert.match(await tab.text("footer"), /Sources: lines around [1-9][0-9]* of [0-9]+ places/);
});

test("two recordings: what grew, in graph and table, with the figures of dwell diff", async () => {
  const [before, after] = [path.join(golden, "html/growth_before.dwell"), path.join(golden, "html/growth_after.dwell")], file = path.join(folder, "growth.html");
  execFileSync(dwell, ["diff", before, after, "-o", file], { stdio: "ignore" });
  const whole = JSON.parse(execFileSync(dwell, ["diff", before, after, "-f", "json"], { maxBuffer: 1 << 28 })), heap = whole.totals[0];
  await tab.close();
  tab = await browser.open(file);
  const root = () => tab.run(`document.getElementById("app").page.flame.root.value`);
  const listed = () => tab.run(`document.getElementById("app").page.table.order.length`);
  assert.match(await tab.text("#summary .verdict"), /^RSS was .* at the end of the first recording and .* at the end of the second/);
  const cells = await tab.run(`Array.from(document.querySelectorAll("#totals tbody tr:first-child td"), cell => cell.textContent)`);
  assert.deepEqual(cells.slice(0, 4), [page.bytesText(heap.retained_bytes_change, true), page.countText(heap.retained_blocks_change, true), page.bytesText(heap.before.retained_bytes), page.bytesText(heap.after.retained_bytes)]);
  const changes = page.accountChanges(whole);
  assert.deepEqual(await tab.run(`Array.from(document.querySelectorAll("#account-changes tbody tr"), row => Array.from(row.cells, cell => cell.textContent))`),
    changes.map(row => [row.name, page.bytesText(row.after - row.before, true), page.bytesText(row.before), page.bytesText(row.after)]));
  assert.equal(await tab.run(`document.querySelectorAll("#account .resident canvas").length`), 2);
  // The change: each site of the JSON, in its order.
  const sites = whole.sites.filter(site => site.kind === heap.kind);
  assert.equal(await listed(), sites.length);
  assert.equal(await root(), sites.reduce((sum, site) => sum + site.retained_bytes_change, 0));
  assert.deepEqual((await rows("change_retained_bytes")).slice(0, 8), sites.slice(0, 8).map(site => page.bytesText(site.retained_bytes_change, true)));
  assert.deepEqual((await rows("before_retained_bytes")).slice(0, 8), sites.slice(0, 8).map(site => page.bytesText(site.before ? site.before.retained_bytes : 0)));
  // Every view in both units.
  const sums = { before: ["retained_bytes", "retained_blocks"], after: ["retained_bytes", "retained_blocks"] };
  for (const view in sums) for (const [i, unit] of ["bytes", "blocks"].entries()) {
    await tab.click(`#views button[data-key=${view}]`);
    await tab.click(`#views button[data-key=${unit}]`);
    assert.equal(await root(), heap[view][sums[view][i]], view + " " + unit);
  }
  for (const view of ["allocated", "peak", "change"]) {
    await tab.click(`#views button[data-key=${view}]`);
    assert.match(await tab.text("#flame .row .dim"), /changes of/);
  }
  await tab.click("#views button[data-key=bytes]");
  await tab.click("#callers");
  assert.equal(await root(), sites.reduce((sum, site) => sum + site.retained_bytes_change, 0));
  await tab.click("#callers");
  await tab.click("#library");
  // Sorted, filtered, opened, copied; and the address keeps it.
  await tab.click("th button[data-sort=after_retained_bytes]");
  assert.equal(await state("sort"), "after_retained_bytes");
  await tab.run(`(f => { f.value = "SessionStore"; f.dispatchEvent(new Event("input")); })(document.getElementById("filter"))`);
  assert.equal(await listed(), sites.filter(site => site.stack.some(frame => /SessionStore/.test(frame.function + frame.file + frame.module))).length);
  assert.match(await tab.text("#command"), /^dwell diff growth_before.dwell growth_after.dwell --kind heap --site SessionStore$/);
  await tab.click("#sites tbody tr[data-site]");
  assert.match(await tab.text("#detail dl"), /retained.* → /);
  assert.ok(await tab.run(`document.querySelectorAll("#stack li").length > 1`));
  assert.match(await tab.run("location.hash"), /sort=after_retained_bytes/);
  const fragment = await tab.run("location.hash.slice(1)");
  await tab.close();
  tab = await browser.open(file, { fragment, width: 375, height: 740, phone: true });
  assert.equal(await state("filter"), "SessionStore");
  assert.ok(await tab.run("document.documentElement.scrollWidth <= 375"));
  await tab.click("#sites tbody tr[data-site]");
  await tab.key("Escape");
  assert.equal(await state("site"), -1);
});

test("no recording is wider than a phone", async () => {
  for (const recording of ["recording/version-1", "recording/go-version-1", "html/service_threads_clocks", "html/deadlock", "html/service_sampled", "html/service_marked", "html/workers", "html/descriptors", "html/descriptors_counted"]) {
    await fresh({ width: 375, height: 740, phone: true }, path.join(golden, recording + ".dwell"));
    assert.ok(await tab.run("document.documentElement.scrollWidth <= 375"), recording);
  }
});

test("10,000 stacks are there, each of them", async () => {
  const recording = path.join(folder, "many.dwell");
  execFileSync(manyStacks, ["10000", recording]);
  await fresh({}, recording);
  const heap = report(recording).totals[0].figures;
  assert.equal(await tab.run(`document.getElementById("app").page.flame.root.value`), heap.retained_bytes);
  assert.match(await tab.text("#table-about"), /^10,000 call sites/);
  await tab.run(`document.getElementById("table-scroll").scrollTop = 26 * 9000`);
  await tab.until(`Array.from(document.querySelectorAll("#sites tr[data-index]")).some(row => Number(row.dataset.index) > 8990)`);
  assert.ok(await tab.run(`document.querySelectorAll("#sites tr").length < 60`), "only what is seen is in the document");
});
