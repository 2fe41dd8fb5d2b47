// SPDX-License-Identifier: Apache-2.0
// The page's functions that need no browser.
"use strict";
const test = require("node:test");
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const page = require("./scripts.js");

// main -> handle -> malloc (kept), main -> handle -> malloc at another line, main -> std::vector -> operator new
function smallModel() {
  const texts = ["", "main", "handle", "malloc", "std::vector::grow", "operator new", "a.c", "app"];
  const frame = { function: [1, 2, 2, 3, 4, 5], file: [6, 6, 6, 0, 0, 0], line: [9, 20, 24, 0, 0, 0], module: [7, 7, 7, 7, 7, 7], flags: [0, 0, 0, 4, 8, 4], group: [0, 1, 1, 2, 3, 4] };
  frame.short = frame.function;
  const site = { path: [0, 1, 2], incomplete: [0, 0, 0], held: [0, 0, 0], holding: [0, 0, 0], process: [0, 0, 0], kind: [0, 0, 0], stacks: [1, 1, 1], oldest: [0, 0, 0], median: [0, 0, 0], growth_known: [0, 0, 0], growth_per_minute: [0, 0, 0],
    retained_error: [0, 0, 0], retained: [3, 1, 0], retained_bytes: [300, 50, 0], allocs: [4, 1, 2], alloc_bytes: [400, 50, 20], frees: [1, 0, 2], freed_bytes: [100, 0, 20],
    temporary: [0, 0, 2], temporary_bytes: [0, 0, 20], peak: [3, 1, 1], peak_bytes: [300, 50, 10] };
  const cell = { count: [2, 1, 1], bucket: [0, 2, 1, 1] };
  for (const name of page.FIGURES) cell[name] = [0, 0, 0, 0];
  Object.assign(cell, { allocs: [3, 1, 1, 2], alloc_bytes: [300, 100, 50, 20], frees: [0, 1, 0, 2], freed_bytes: [0, 100, 0, 20], temporary: [0, 0, 0, 2], temporary_bytes: [0, 0, 0, 20],
    peak: [0, 0, 0, 1], peak_bytes: [0, 0, 0, 10], born: [3, 0, 1, 0], born_bytes: [300, 0, 50, 0] });
  const columns = { size_count: [2, 1, 0], size_class: [5, 7, 5], size_blocks: [2, 1, 4], site_inner: [1, 1, 2], path_kept: [0, 1, 1], path_added: [3, 2, 2], path_frames: [0, 1, 3, 2, 3, 4, 5], slot_site: [0, 1, 1] };
  for (const [prefix, object] of [["frame_", frame], ["site_", site], ["cell_", cell]]) for (const name in object) columns[prefix + name] = object[name];
  const memory = { texts, block_units: 1, births_known: true, edges_ns: [0, 1e9, 2e9, 3e9], accounts: [{ process: 0, kind: "heap", other_slot: null, other_sites: 0, peaks: [300, 360, 350] }] };
  return page.readModel(memory, name => Float64Array.from(columns[name]));
}
const sum = numbers => numbers.reduce((all, one) => all + one, 0);

test("numbers are folded and of any length", () => {
  assert.deepEqual(Array.from(page.decodeNumbers(Uint8Array.from([0, 1, 2, 0xd8, 0x04, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x07]), 0, 5)), [0, -1, 1, 300, 2 ** 44 - 1]);
});

test("paths become a tree in preorder", () => {
  const tree = page.readPaths([0, 1, 1], [3, 2, 2], [0, 1, 3, 2, 3, 4, 5]);
  assert.deepEqual(Array.from(tree.parent), [-1, 0, 1, 0, 3, 0, 5]);
  assert.deepEqual(Array.from(tree.end), [7, 3, 3, 5, 5, 7, 7]);
  assert.deepEqual(Array.from(tree.leaf), [2, 4, 6]);
});

test("the call site is above the allocator and the library's containers", () => {
  const model = smallModel();
  assert.equal(page.siteText(model, model.asks[0], 4), "handle (a.c:20) ← main");
  assert.equal(page.siteText(model, model.asks[2], 4), "main (a.c:9)");
});

test("sizes of live blocks, of one call site and of several", () => {
  const model = smallModel();
  assert.deepEqual(page.sizesOf(model, [0]), [[5, 2], [6, 0], [7, 1]]);
  assert.deepEqual(page.sizesOf(model, [0, 1]), [[5, 6], [6, 0], [7, 1]]);
  assert.deepEqual(page.sizesOf(model, [2]), []);
});

test("a range has what was live at its end, and what happened within it", () => {
  const model = smallModel(), rows = page.rowsOf(model, 0, [1, 3]);
  assert.deepEqual(Array.from(rows.retained_bytes), [300, 50, 0]);
  assert.deepEqual(Array.from(rows.alloc_bytes), [100, 50, 20]);
  assert.deepEqual(Array.from(rows.grown_bytes), [0, 50, 0]);
  assert.deepEqual(Array.from(rows.born_bytes), [0, 50, 0]);
  assert.deepEqual(Array.from(rows.freed_bytes), [100, 0, 20]);
  assert.deepEqual(Array.from(rows.peak_bytes), [300, 50, 10]);
  assert.deepEqual(Array.from(page.rowsOf(model, 0, [0, 1]).retained_bytes), [300, 0, 0]);
});

test("the timeline adds up", () => {
  const timeline = page.timelineOf(smallModel(), 0, 1);
  assert.deepEqual(Array.from(timeline.total), [300, 350, 350]);
  assert.deepEqual(Array.from(timeline.others), [0, 50, 50]);
  assert.deepEqual(Array.from(timeline.allocated), [300, 70, 100]);
});

test("the account of RSS is told by its parts, and a limit that is near is drawn", () => {
  const balance = { rss_samples: [[0, 100], [1e9, 300]], at_end: { parts: { live_blocks: 200, free_inside_the_allocator: 90, thread_stacks: 0, unexplained: -10 } },
    limits: [{ kind: "address_space", limit_bytes: 1 }, { kind: "control_group", limit_bytes: 2000 }, { kind: "control_group", limit_bytes: 800 }] };
  assert.deepEqual(page.accountParts(balance), [{ name: "live blocks", bytes: 200 }, { name: "free inside the allocator", bytes: 90 }]);
  assert.equal(page.residentLimit(balance).limit_bytes, 800);
  assert.deepEqual(page.residentScale(balance), { most: 800, limit: balance.limits[2] });
  balance.limits = [{ kind: "control_group", limit_bytes: 901 }];
  assert.deepEqual(page.residentScale(balance), { most: 300, limit: null });
  assert.deepEqual(page.accountParts({ at_end: null }), []);
  assert.equal(page.residentLimit({}), null);
});

test("marks stand where generations begin", () => {
  const data = { report: { losses: [], recording: { duration_ns: 30e9 } }, subjects: { memory: { generations: [{ from_ns: 0 }, { from_ns: 10e9 }, { from_ns: 20e9 }] } } };
  assert.deepEqual(page.marksOf(data).map(mark => [mark.kind, mark.ns, mark.text]), [["mark", 10e9, "mark at 10.0 s: generation 1 begins"], ["mark", 20e9, "mark at 20.0 s: generation 2 begins"]]);
});

test("both trees hold every value once, and merge lines of one function", () => {
  const model = smallModel(), rows = page.rowsOf(model, 0, null);
  const top = page.callTree(model, rows, rows.retained_bytes, Array.from(rows.site, site => model.leaf[site]));
  assert.equal(top.value, 350);
  const main = page.childrenOf(top, top)[0], handle = page.childrenOf(top, main)[0];
  assert.deepEqual([main.name, main.value, handle.name, handle.value, page.childrenOf(top, main).length], ["main", 350, "handle", 350, 1]);
  const up = page.callersTree(model, rows, rows.alloc_bytes, Array.from(rows.site, site => model.asks[site]));
  assert.deepEqual(page.childrenOf(up, up).map(node => [node.name, node.value]), [["handle", 450], ["main", 20]]);
  assert.equal(sum(page.childrenOf(up, up).map(node => node.value)), up.value);
});

test("a filter asks of functions, files and modules anywhere in a stack", () => {
  const model = smallModel(), rows = page.rowsOf(model, 0, null), match = expression => Array.from(page.matchingRows(model, rows, text => expression.test(text)));
  assert.deepEqual(match(/^handle$/), [1, 1, 0]);
  assert.deepEqual(match(/vector/), [0, 0, 1]);
  assert.deepEqual(match(/a\.c/), [1, 1, 1]);
  assert.deepEqual(match(/nothing/), [0, 0, 0]);
});

test("a state and its fragment are the same", () => {
  const model = smallModel(), state = Object.assign(page.freshState(), { view: "growing", unit: "blocks", range: [1, 2], filter: "a&b=c #ü", callers: true, sort: "allocs", up: true, site: 2 });
  assert.deepEqual(page.stateOf("#" + page.fragmentOf(state, model), model), state);
  assert.deepEqual(page.stateOf("", model), page.freshState());
  assert.deepEqual(page.stateOf("#view=__proto__&sort=x&time=9-1e9-&site=-1&memory=77&%&filter=%E0", model), page.freshState());
});

test("a command is quoted for a shell, and its range holds the ticks", () => {
  const state = Object.assign(page.freshState(), { view: "allocated", filter: "it's $HOME", range: [0, 1] });
  assert.equal(page.commandText("my file.dwell", "heap", state, [1234567, 9876543]),
    "dwell report 'my file.dwell' --kind heap --sort allocated --from 0.001234 --to 0.009877 --site 'it'\\''s $HOME'");
});

test("quantities read as in the text report", () => {
  assert.deepEqual([0, 1536, -2048, 1048575, 1e12].map(bytes => page.bytesText(bytes)), ["0 B", "1.5 KB", "-2.0 KB", "1.0 MB", "931.3 GB"]);
  assert.deepEqual([999, 1500, 2.5e9, 75e9, 11520e9].map(page.durationText), ["999 ns", "1.5 us", "2.5 s", "1 min 15 s", "3 h 12 min"]);
  assert.deepEqual([page.grouped(-1234567), page.percentText(1, 3), page.percentText(1, 0)], ["-1,234,567", "33.3 %", "-"]);
});

test("every script is sound, and together they are one function", () => {
  const files = fs.readdirSync(page.FOLDER).filter(file => file.endsWith(".js"));
  const list = fs.readFileSync(path.join(page.FOLDER, "../CMakeLists.txt"), "utf8");
  for (const file of files) assert.ok(list.includes(file), file + " is part of the page");
  assert.ok(new Function("\"use strict\";" + files.map(file => fs.readFileSync(path.join(page.FOLDER, file), "utf8")).join("\n")));
});

test("scripts put no data into markup, and load nothing", () => {
  for (const file of fs.readdirSync(page.FOLDER)) {
    const text = fs.readFileSync(path.join(page.FOLDER, file), "utf8");
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|<\/script|\bfetch\(|XMLHttpRequest|WebSocket|import\(|https?:\/\/(?!www\.w3\.org)/, file);
  }
});

test("locks are rows of a wait graph, circles first", () => {
  const thread = (tid, lock) => ({ tid, name: "t" + tid, lock }), lock = (owner, words) => ({ owner, words, likely_holders: [] });
  const look = { threads: [thread(1, 0), thread(2, 1), thread(3, 2), thread(4, 2), thread(5, null)], locks: [lock(2, "a"), lock(1, "b"), lock(5, "c")] };
  const rows = page.lockRows(look);
  assert.deepEqual(rows.map(row => [row.lock.words, row.waiters.map(one => one.tid), row.holder.tid, row.inCircle]), [["a", [1], 2, true], ["b", [2], 1, true], ["c", [3, 4], 5, false]]);
  // Who waits for a lock in a circle is not in it; a holder that is not in the look, and one that waits for itself.
  const behind = page.lockRows({ threads: [thread(1, 0), thread(2, 1), thread(3, 0), thread(4, 2), thread(6, 3)], locks: [lock(2, "a"), lock(1, "b"), lock(99, "c"), lock(6, "d")] });
  assert.deepEqual(behind.map(row => [row.lock.words, row.waiters.length, row.holder && row.holder.tid, row.inCircle]), [["a", 2, 2, true], ["b", 1, 1, true], ["d", 1, 6, true], ["c", 1, null, false]]);
});

test("parts of RSS before and after, the largest change first", () => {
  const side = (resident, parts, ended) => ({ ended: Boolean(ended), at_end: { resident_bytes: resident, parts } });
  const difference = { before_process_memory: [side(30, { live_blocks: 20, files_and_code: 10 })], after_process_memory: [side(50, { live_blocks: 45, files_and_code: 5 }), side(7, { live_blocks: 7 }, true)] };
  assert.deepEqual(page.accountChanges(difference), [{ name: "live blocks", before: 20, after: 45 }, { name: "files and code", before: 10, after: 5 }, { name: "RSS", before: 30, after: 50 }]);
  assert.deepEqual(page.accountChanges({ before_process_memory: [], after_process_memory: difference.after_process_memory }), [], "one side is not known");
});

test("figures are read by the unit that their name ends with, and names that only sound like one are counts", () => {
  assert.equal(page.readable("waiting_ns", 2e9), page.durationText(2e9));
  assert.equal(page.readable("cost total_ns", 2e9), page.durationText(2e9));
  assert.equal(page.readable("ns", 2e9), page.durationText(2e9));
  for (const name of ["allocations", "sessions", "connections", "cost regions"]) assert.equal(page.readable(name, 119600), "119,600");
  assert.equal(page.readable("retained_bytes", 2048), "2.0 KB");
  assert.equal(page.readable("line", 12345), "12345");
});
