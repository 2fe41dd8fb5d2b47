// SPDX-License-Identifier: Apache-2.0
// Reads the page's data and shows it.

async function start() {
  if (typeof DecompressionStream === "undefined") return;  // an old browser: the text stays
  const packed = unpack(await inflated(bytesOfBase64(document.getElementById("data").textContent)));
  const page = packed.data.difference ? new DifferencePage(packed.data, packed.column) : new RecordedPage(packed.data, packed.column);
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
  document.getElementById("app").page = page;
}
start();
