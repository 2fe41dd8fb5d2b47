// SPDX-License-Identifier: Apache-2.0
// How large pages are, and what they take in a browser until they can be used: for scripts/bench.
//   open_times.js PAGE...
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { Browser } = require("./browser.js");

async function metric(tab, name) { return (await tab.send("Performance.getMetrics")).metrics.find(one => one.name === name).value; }

(async () => {
  const browser = await Browser.start();
  console.log("page                       size     ready    range   filter     heap");
  for (const file of process.argv.slice(2)) {
    const tab = await browser.open(path.resolve(file));
    await tab.send("Performance.enable");
    const ready = await tab.run("Number(document.documentElement.dataset.ready)");
    const timed = code => tab.run(`(() => { const from = performance.now(); ${code}; return performance.now() - from; })()`);
    const range = await timed(`(page => page.set({ range: [0, Math.max(1, page.model.buckets >> 1)] }))(document.getElementById("app").page)`);
    const filter = await timed(`(page => page.set({ range: null, filter: "lib1|item" }))(document.getElementById("app").page)`);
    const heap = await metric(tab, "JSHeapUsedSize");
    console.log(path.basename(file).padEnd(20), (fs.statSync(file).size / 1024).toFixed(0).padStart(7) + " KB", ready.toFixed(0).padStart(6) + " ms",
      range.toFixed(0).padStart(5) + " ms", filter.toFixed(0).padStart(5) + " ms", (heap / 1048576).toFixed(0).padStart(5) + " MB");
    await tab.close();
  }
  await browser.stop();
})();
