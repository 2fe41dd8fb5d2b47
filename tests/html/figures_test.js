// SPDX-License-Identifier: Apache-2.0
// The page says what `dwell report --json` says: every call site, of all of a recording and of parts of it; and its content
// security policy lets nothing run but its own script.
//   figures_test.js DWELL RECORDING...
"use strict";
const test = require("node:test");
const assert = require("node:assert");
const { execFileSync, spawnSync } = require("node:child_process");
const crypto = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const page = require("./scripts.js");

const [dwell, ...recordings] = process.argv.slice(2);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "dwell-page-"));
test.after(() => fs.rmSync(folder, { recursive: true }));
const exported = recording => {
  const file = path.join(folder, path.basename(recording) + ".html");
  execFileSync(dwell, ["export", recording, "-o", file], { stdio: "ignore" });
  return file;
};
const report = (recording, ...options) => JSON.parse(execFileSync(dwell, ["report", recording, "--json", ...options], { maxBuffer: 1 << 30 }));

// Figures of a row under the names of the JSON.
const NAMES = { retained_bytes: "retained_bytes", retained: "retained_blocks", alloc_bytes: "allocated_bytes", allocs: "allocations", freed_bytes: "freed_bytes",
                frees: "frees", temporary_bytes: "temporary_bytes", temporary: "temporary_blocks", peak_bytes: "peak_bytes", peak: "peak_blocks" };
const near = (a, b) => Math.abs(a - b) <= 1e-3 + 1e-9 * Math.abs(b);

function stackOf(model, site) {
  const frames = [];
  for (let node = model.leaf[site]; node >= 0; node = model.tree.parent[node]) {
    const frame = model.tree.frame[node];
    frames.push([model.texts[model.frames.function[frame]], model.texts[model.frames.file[frame]], model.frames.line[frame]].join("|"));
  }
  return frames.join(";");
}
const stackText = stack => stack.map(frame => [frame.function, frame.file || "", frame.line || 0].join("|")).join(";");
const keyOf = site => [site.process, site.kind, site.incomplete || "", stackText(site.stack)].join(" ");
const keyOfSite = (model, site) => [model.sites.process[site], page.KINDS[model.sites.kind[site]], model.texts[model.sites.incomplete[site]], stackOf(model, site)].join(" ");

for (const recording of recordings) {
  const name = path.basename(recording);

  test(name + ": every call site has the report's figures, in its order", () => {
    const { data, model } = page.modelOf(exported(recording)), whole = report(recording);
    assert.equal(model.count, whole.sites.length);
    whole.sites.forEach((site, i) => {
      assert.equal(keyOfSite(model, i), keyOf(site));
      for (const figure in NAMES)
        assert.ok(near(model.sites[figure][i] / (figure.endsWith("_bytes") ? 1 : model.units), site.figures[NAMES[figure]]), `${figure} of site ${i}`);
      assert.equal(model.sites.growth_known[i] ? model.sites.growth_per_minute[i] : null, site.figures.growth_bytes_per_minute === null ? null : Math.round(site.figures.growth_bytes_per_minute));
      assert.equal(model.texts[model.sites.held[i]] !== "", site.holding !== null && (site.holding.leaked_share >= 0.01 || site.holding.by.length > 0));
      if (site.holding && site.holding.leaked_share >= 0.95) assert.equal(model.texts[model.sites.held[i]], "nothing: leaked");
      if (site.holding && site.holding.by.length === 1 && site.holding.leaked_share < 0.01) assert.equal(model.texts[model.sites.held[i]], site.holding.by[0].name);
      assert.equal(model.sites.oldest[i] ? model.sites.oldest[i] - 1 : null, site.oldest_age_ns);
    });
    delete whole.sites;
    for (const key in data.report) assert.deepEqual(data.report[key], whole[key], key);
  });

  test(name + ": any range has the figures of the report of that range", () => {
    const { model } = page.modelOf(exported(recording)), n = model.buckets;
    const ranges = [[0, n], [0, 1], [n - 1, n], [Math.floor(n / 3), Math.ceil(2 * n / 3)]].filter(([from, to]) => to > from);
    for (const range of ranges) {
      const of = new Map(report(recording, "--from", page.secondsText(model.edges[range[0]], false), "--to", page.secondsText(model.edges[range[1]], true)).sites.map(site => [keyOf(site), site.figures]));
      const sums = {}, wanted = {};
      for (const figure in NAMES) sums[figure] = wanted[figure] = 0;
      for (const figures of of.values()) for (const figure in NAMES) wanted[figure] += figures[NAMES[figure]];
      model.accounts.forEach((account, number) => {
        if (account.members) return;  // its processes are there too
        const rows = page.rowsOf(model, number, range);
        for (let row = 0; row < rows.count; row++) {
          const site = rows.site[row], figures = site < 0 ? null : of.get(keyOfSite(model, site));
          for (const figure in NAMES) {
            sums[figure] += rows[figure][row];
            if (site >= 0) assert.ok(near(rows[figure][row], figures ? figures[NAMES[figure]] : 0), `${range} ${figure} of ${keyOfSite(model, site)}: ${rows[figure][row]}`);
          }
        }
      });
      for (const figure in NAMES) assert.ok(near(sums[figure], wanted[figure]), `${range}: sum of ${figure}: ${sums[figure]}, ${wanted[figure]}`);
    }
  });

  test(name + ": processes of one program add up to the report's by_program, row by row", () => {
    const { data, model } = page.modelOf(exported(recording)), summed = report(recording).by_program;
    assert.equal(model.accounts.some(account => account.members), summed !== undefined);
    if (!summed) return;
    assert.ok(model.accounts[model.usualAccount].members, "the sum comes first");
    assert.deepEqual(data.memory.sums, summed.totals);
    for (const site of summed.sites) {
      const number = model.accounts.findIndex(account => account.members && account.process === site.process && account.kind === site.kind), rows = page.rowsOf(model, number, null);
      const row = rows.site.findIndex(lead => stackOf(model, lead) === stackText(site.stack) && model.texts[model.sites.incomplete[lead]] === (site.incomplete || ""));
      assert.ok(row >= 0, stackText(site.stack));
      for (const figure in NAMES) assert.ok(near(rows[figure][row], site.figures[NAMES[figure]]), `${figure}: ${rows[figure][row]}, ${site.figures[NAMES[figure]]}`);
      assert.equal(page.growthOfRow(model, number, rows.site[row]), site.figures.growth_bytes_per_minute === null ? null : Math.round(site.figures.growth_bytes_per_minute));
      assert.deepEqual(page.sitesOfRow(model, number, rows.site[row]).map(member => model.sites.process[member]).sort((a, b) => a - b), site.processes.map(one => one.process));
    }
    for (const total of summed.totals) {
      const number = model.accounts.findIndex(account => account.members && account.process === total.process && account.kind === total.kind), rows = page.rowsOf(model, number, null);
      assert.ok(near(rows.retained_bytes.reduce((sum, bytes) => sum + bytes, 0), total.figures.retained_bytes));
      const half = [0, Math.ceil(model.buckets / 2)], inRange = page.rowsOf(model, number, half);
      const members = model.accounts[number].members.map(member => page.rowsOf(model, member, half).alloc_bytes.reduce((sum, bytes) => sum + bytes, 0));
      assert.ok(near(inRange.alloc_bytes.reduce((sum, bytes) => sum + bytes, 0), members.reduce((sum, bytes) => sum + bytes, 0)), "and in a range those of its processes");
    }
  });

  test(name + ": only the page's own script and style may run, and nothing is loaded", () => {
    const { html, policy, script, style, packed } = page.partsOf(exported(recording));
    const hash = text => "'sha256-" + crypto.createHash("sha256").update(text).digest("base64") + "'";
    assert.equal(policy, `default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)}; base-uri 'none'; form-action 'none'`);
    assert.match(packed, /^[A-Za-z0-9+/=]+$/);
    assert.equal((html.match(/<script/g) || []).length, 2);
    const markup = html.replace(script, "").replace(style, "");
    assert.doesNotMatch(markup, /\b(src|href|style|on[a-z]+)="/);
  });

  test(name + ": its text is the text report, and its verdicts are the report's", () => {
    const { data } = page.modelOf(exported(recording)), text = execFileSync(dwell, ["report", recording], { encoding: "utf8", env: { PATH: process.env.PATH } });
    const unescaped = page.partsOf(exported(recording)).text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&quot;/g, '"').replace(/&#39;/g, "'").replace(/&amp;/g, "&");
    assert.equal(unescaped.trim(), text.trim());
    for (const verdict of data.memory.summary.verdicts) assert.ok(text.includes(verdict), verdict);
  });

  test(name + ": the same recording gives the same bytes", () => {
    assert.ok(fs.readFileSync(exported(recording)).equals(fs.readFileSync(exported(recording))));
  });
}

// Figures of a side under the names of the JSON.
const SIDE_NAMES = { retained_bytes: "retained_bytes", retained: "retained_blocks", alloc_bytes: "allocated_bytes", allocs: "allocations", freed_bytes: "freed_bytes",
                     frees: "frees", peak_bytes: "peak_bytes", peak: "peak_blocks", retained_error: "retained_bytes_standard_error" };
const zeros = Object.fromEntries(Object.values(SIDE_NAMES).map(name => [name, 0]));
const compared = (before, after) => {
  const file = path.join(folder, path.basename(before) + "-" + path.basename(after) + ".html");
  execFileSync(dwell, ["diff", before, after, "-o", file], { stdio: "ignore" });
  return file;
};
const pairs = [[0, 0], [0, 4], [4, 0], [2, 4], [1, 2], [9, 10], [10, 9]].map(pair => pair.map(i => recordings[i]));

for (const [before, after] of pairs) {
  const name = path.basename(before) + " and " + path.basename(after);

  test(name + ": the page has the figures of dwell diff --json, call site by call site", () => {
    const { data, model } = page.differenceOf(compared(before, after));
    const whole = JSON.parse(execFileSync(dwell, ["diff", before, after, "-f", "json"], { maxBuffer: 1 << 30 }));
    const minutes = side => (model.byRate ? whole[side].duration_ns / 60e9 : 1);
    const seen = (side, figure, site) => model[side][figure][site] * (/peak/.test(figure) ? 1 : minutes(side));
    whole.sites.forEach((site, i) => {
      assert.ok(page.hasChanged(model, i));
      assert.equal(stackOf(model, i), stackText(site.stack));
      assert.equal(data.memory.kinds[model.accountOf[i]], site.kind);
      assert.deepEqual([model.isIn.before[i] === 1, model.isIn.after[i] === 1], [site.before !== null, site.after !== null]);
      for (const side of ["before", "after"]) for (const figure in SIDE_NAMES) {
        const wanted = (site[side] || zeros)[SIDE_NAMES[figure]];
        if (wanted !== null) assert.ok(Math.abs(seen(side, figure, i) - wanted) <= (/bytes|error/.test(figure) ? 0.5 : 0.0005) + 1e-9 * Math.abs(wanted), `${side} ${figure} of site ${i}`);
      }
      assert.ok(Math.abs(seen("after", "retained_bytes", i) - seen("before", "retained_bytes", i) - site.retained_bytes_change) <= 1.001);
    });
    for (let i = whole.sites.length; i < model.count; i++) assert.ok(!page.hasChanged(model, i), "the others are unchanged");
    whole.totals.forEach((total, number) => {
      const rows = page.differenceRows(model, number);
      for (const side of ["before", "after"]) for (const figure of ["retained_bytes", "alloc_bytes", "retained", "allocs"]) {
        const sum = rows[side + "_" + figure].reduce((all, one) => all + one, 0) * minutes(side), wanted = total[side][SIDE_NAMES[figure]];
        assert.ok(Math.abs(sum - wanted) <= 1 + 1e-6 * Math.abs(wanted) + rows.count / 2, `${total.kind}: sum of ${side} ${figure}: ${sum}, ${wanted}`);
      }
    });
    delete whole.sites;
    delete whole.go;
    assert.deepEqual(data.difference, whole);
  });

  test(name + ": its sentences and its text are those of dwell diff; parts of RSS add up", () => {
    const { data } = page.differenceOf(compared(before, after)), text = execFileSync(dwell, ["diff", before, after], { encoding: "utf8", env: { PATH: process.env.PATH } });
    const flat = text.replace(/\s+/g, " ");
    for (const verdict of data.memory.verdicts) assert.ok(flat.includes(verdict.replace(/\s+/g, " ")), verdict);
    const changes = page.accountChanges(data.difference), rss = changes.pop();
    for (const side of rss ? ["before", "after"] : []) assert.equal(changes.reduce((sum, row) => sum + row[side], 0), rss[side]);
    assert.ok(fs.readFileSync(compared(before, after)).equals(fs.readFileSync(compared(before, after))), "the same bytes again");
  });
}

test("lines of sources are in the page only where they are asked for, and are those of the file", () => {
  const service = recordings[0], targets = path.join(__dirname, "../targets"), file = path.join(folder, "sources.html");
  execFileSync(dwell, ["export", service, "-o", file, "--sources", targets], { stdio: "ignore" });
  const { data, model } = page.modelOf(file), lines = fs.readFileSync(path.join(targets, "leaking_service.cpp"), "utf8").split("\n");
  assert.equal(page.modelOf(exported(service)).data.memory.sources, undefined);
  let checked = 0;
  Array.from(model.frames.source).forEach((number, frame) => {
    if (!number) return;
    const excerpt = model.excerpts[number - 1], at = model.frames.line[frame] - excerpt.first;
    assert.ok(excerpt.path.endsWith("/leaking_service.cpp"));
    assert.match(excerpt.remark, /changed after .* lines may have moved/, "the repository's file is younger than the recording");
    assert.equal(excerpt.lines[at], lines[model.frames.line[frame] - 1].replace(/\t/g, "    "));
    checked++;
  });
  assert.ok(checked > 5);
  assert.ok(Array.from({ length: model.count }, (_, site) => model.frames.source[model.tree.frame[model.asks[site]]]).some(number => number > 0), "call sites have them");
  const failed = (...options) => spawnSync(dwell, options, { encoding: "utf8" });
  assert.equal(failed("export", service, "-o", path.join(folder, "x.svg"), "--sources", targets).status, 2, "only a page shows them");
  assert.notEqual(failed("export", service, "-o", path.join(folder, "x.html"), "--sources", targets + "/none").status, 0);
});

test("what would choose a view is refused for a page", () => {
  const failed = (...options) => { const run = spawnSync(dwell, options, { encoding: "utf8" }); return [run.status, run.stderr]; };
  for (const option of [["--view", "memory:peak"], ["--from", "1"], ["--kind", "heap"], ["--sample-type", "inuse_space"], ["--root-at-bottom"]]) {
    const [status, said] = failed("export", recordings[0], "-o", path.join(folder, "x.html"), ...option);
    assert.equal(status, 2, said);
    assert.match(said, /HTML page has every view/);
  }
  const [status, said] = failed("diff", recordings[0], recordings[0], "-f", "html", "--kind", "heap");
  assert.equal(status, 2, said);
  assert.match(said, /HTML page has every call site/);
});
