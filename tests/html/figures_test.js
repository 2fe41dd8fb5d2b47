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

test("what would choose a view is refused for a page", () => {
  const failed = (...options) => { const run = spawnSync(dwell, options, { encoding: "utf8" }); return [run.status, run.stderr]; };
  for (const option of [["--view", "memory:peak"], ["--from", "1"], ["--kind", "heap"], ["--sample-type", "inuse_space"], ["--root-at-bottom"]]) {
    const [status, said] = failed("export", recordings[0], "-o", path.join(folder, "x.html"), ...option);
    assert.equal(status, 2, said);
    assert.match(said, /HTML page has every view/);
  }
  const [status, said] = failed("diff", recordings[0], recordings[0], "-f", "html");
  assert.equal(status, 2, said);
});
