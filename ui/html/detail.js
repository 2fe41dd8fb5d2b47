// SPDX-License-Identifier: Apache-2.0
// One call site: its figures, when what is left of it was allocated, and its stack.

// Rows of a stack: frames, and runs of library frames that are folded until they are asked for.
function stackRows(model, leaf, asks) {
  const tree = model.tree, inner = [], own = [];
  for (let node = leaf; node >= 0 && node !== asks; node = tree.parent[node]) inner.push(tree.frame[node]);
  for (let node = asks; node >= 0; node = tree.parent[node]) own.push(tree.frame[node]);
  return { inner, own };
}

function frameLine(model, frame) {
  const flags = model.frames.flags[frame];
  return el("li", { class: flags & INLINED ? "inlined" : "" }, el("span", { class: "function" }, model.texts[model.frames.function[frame]]), " ",
    el("span", { class: "dim" }, whereText(model, frame, true), flags & INLINED ? " (inlined)" : ""));
}

function detailOf(page) {
  const { model, state, rows, data } = page, site = state.site;
  if (site < 0) return el("section", { id: "detail", hidden: true });
  const row = rows.site.indexOf(site), account = model.accounts[model.accountOf[site]];
  const { inner, own } = stackRows(model, model.leaf[site], model.asks[site]);
  const whole = key => model.sites[key][site] / (key.endsWith("_bytes") ? 1 : model.units);
  const incomplete = model.texts[model.sites.incomplete[site]], slot = model.slotOfSite[site];
  const facts = [bytesText(whole("retained_bytes")) + " in " + countText(whole("retained")) + (whole("retained") === 1 ? " block" : " blocks"),
    KIND_TITLES[account.kind] + (data.report.processes.length > 1 ? " of " + processText(data.report.processes[account.process]) : "")];
  if (model.sites.growth_per_minute[site]) facts.push(bytesText(model.sites.growth_per_minute[site], true) + " a minute");
  if (model.sites.oldest[site]) facts.push("oldest " + durationText(model.sites.oldest[site] - 1));
  if (model.sites.median[site]) facts.push("half older than " + durationText(model.sites.median[site] - 1));
  facts.push(bytesText(whole("alloc_bytes")) + " allocated in " + countText(whole("allocs")) + " allocations");
  if (model.sites.stacks[site] > 1) facts.push(grouped(model.sites.stacks[site]) + " stacks that read the same");
  return el("section", { id: "detail", "aria-label": "Call site" },
    el("h2", null, siteText(model, model.asks[site], 1)), el("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => page.set({ site: -1 }) }, "×"),
    el("p", { id: "detail-facts" }, facts.join(", ")),
    model.sites.holding[site] ? el("p", { id: "detail-holding" }, "When the recording ended: " + model.texts[model.sites.holding[site]] + ".") : null,
    row >= 0 && state.range ? el("p", { class: "dim" }, "In the range: " + bytesText(page.rows.alloc_bytes[row]) + " allocated, " + (model.birthsKnown ? bytesText(page.rows.born_bytes[row]) + " of it still there when the recording ended, " : "") +
      bytesText(page.rows.freed_bytes[row]) + " freed.") : null,
    slot >= 0 && model.buckets > 1 ? el("figure", null, sparkline(liveSeries(model, slot), 480, 60), el("figcaption", { class: "dim" }, "live bytes over time")) : null,
    slot >= 0 && model.birthsKnown ? birthsOf(model, slot) : null,
    el("ol", { class: "stack", id: "stack" },
      inner.length ? el("li", { class: "folded" }, el("details", null, el("summary", null, inner.length + " frame" + (inner.length > 1 ? "s" : "") + " of allocators and libraries"), el("ol", null, inner.map(frame => frameLine(model, frame))))) : null,
      own.map(frame => frameLine(model, frame)),
      incomplete ? el("li", { class: "warning" }, "[incomplete: " + incomplete + "]") : null));
}

// How old what is left is: bars of equal stretches of the recording, the oldest first.
function birthsOf(model, slot) {
  const most = 24, sums = new Float64Array(Math.min(most, model.buckets));
  for (let i = model.begin[slot]; i < model.begin[slot + 1]; i++)
    sums[Math.floor(model.bucket[i] * sums.length / model.buckets)] += model.cells.born_bytes[i];
  const highest = Math.max(...sums);
  if (!(highest > 0)) return null;
  const bars = el("div", { class: "bars", role: "img", "aria-label": "when what is retained was allocated" });
  sums.forEach((sum, i) => {
    const from = Math.floor(i * model.buckets / sums.length);
    const bar = el("span", { title: "allocated from " + durationText(model.edges[from]) + " on: " + bytesText(sum) });
    bar.style.height = Math.max(sum ? 1 : 0, 40 * sum / highest) + "px";
    bars.append(bar);
  });
  return el("figure", null, bars, el("figcaption", { class: "dim" }, "when what is retained was allocated: left at the start, right at the end"));
}
