// SPDX-License-Identifier: Apache-2.0
// One call site: its figures, when what is left of it was allocated, and its stack.

// Rows of a stack: frames, and runs of library frames that are folded until they are asked for.
function stackRows(model, leaf, asks) {
  const tree = model.tree, inner = [], own = [];
  for (let node = leaf; node >= 0 && node !== asks; node = tree.parent[node]) inner.push(tree.frame[node]);
  for (let node = asks; node >= 0; node = tree.parent[node]) own.push(tree.frame[node]);
  return { inner, own };
}

function frameLine(model, frame, open) {
  const flags = model.frames.flags[frame], excerpt = model.frames.source ? model.excerpts[model.frames.source[frame] - 1] : null;
  const line = [el("span", { class: "function" }, model.texts[model.frames.function[frame]]), " ",
    el("span", { class: "dim" }, whereText(model, frame, true), flags & INLINED ? " (inlined)" : "")];
  return el("li", { class: flags & INLINED ? "inlined" : "" }, excerpt ? el("details", { class: "source", open }, el("summary", null, line), sourceElement(excerpt, model.frames.line[frame])) : line);
}

// Lines around a place, from the folders of --sources.
function sourceElement(excerpt, line) {
  return el("figure", null, el("figcaption", { class: excerpt.remark ? "warning" : "dim" }, excerpt.path + (excerpt.remark ? ": " + excerpt.remark : "")),
    el("ol", { class: "lines" }, excerpt.lines.map((text, i) => el("li", { class: excerpt.first + i === line ? "here" : "" }, el("span", { class: "dim" }, String(excerpt.first + i)), el("code", null, text)))));
}

// What --sources found, for the foot of the page.
function sourcesText(memory) {
  if (!memory.sources) return "";
  const { places, without_room, excerpts } = memory.sources;
  return " Sources: lines around " + grouped(excerpts.length) + " of " + grouped(places) + " places" + (without_room ? "; there was no room for " + grouped(without_room) : "") + ".";
}

function stackElement(model, leaf, asks, incomplete) {
  const { inner, own } = stackRows(model, leaf, asks);
  return el("ol", { class: "stack", id: "stack" },
    inner.length ? el("li", { class: "folded" }, el("details", null, el("summary", null, inner.length + " frame" + (inner.length > 1 ? "s" : "") + " of allocators, libraries and wrappers"), el("ol", null, inner.map(frame => frameLine(model, frame))))) : null,
    own.map((frame, i) => frameLine(model, frame, i === 0)),
    incomplete ? el("li", { class: "warning" }, "[incomplete: " + incomplete + "]") : null);
}

function detailOf(page) {
  const { model, state, rows } = page;
  if (state.site < 0) return el("section", { id: "detail", hidden: true });
  const number = model.accounts[state.account].members ? state.account : model.accountOf[state.site], isSum = Boolean(model.accounts[number].members);
  const site = isSum ? model.leadOf[state.site] : state.site, row = rows.site.indexOf(site), members = isSum ? model.memberSites.get(site) : [site];
  const whole = key => members.reduce((sum, member) => sum + model.sites[key][member], 0) / (key.endsWith("_bytes") ? 1 : model.units);
  const most = key => members.reduce((largest, member) => Math.max(largest, model.sites[key][member]), 0);
  const incomplete = model.texts[model.sites.incomplete[site]], slots = slotsOfRow(model, number, site), growth = growthOfRow(model, number, site);
  const facts = [bytesText(whole("retained_bytes")) + " in " + countText(whole("retained")) + (whole("retained") === 1 ? " block" : " blocks"), accountTitleOf(page.data, model.accounts[number])];
  if (growth) facts.push(bytesText(growth, true) + " a minute");
  if (most("oldest")) facts.push("oldest " + durationText(most("oldest") - 1));
  if (!isSum && model.sites.median[site]) facts.push("half older than " + durationText(model.sites.median[site] - 1));
  facts.push(bytesText(whole("alloc_bytes")) + " allocated in " + countText(whole("allocs")) + " allocations");
  if (model.sites.stacks[site] > 1) facts.push(grouped(model.sites.stacks[site]) + " stacks that read the same");
  return el("section", { id: "detail", "aria-label": "Call site" },
    el("h2", null, siteText(model, model.asks[site], 1)), el("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => page.set({ site: -1 }) }, "×"),
    el("p", { id: "detail-facts" }, facts.join(", ")),
    !isSum && model.sites.holding[site] ? el("p", { id: "detail-holding" }, "When the recording ended: " + model.texts[model.sites.holding[site]] + ".") : null,
    row >= 0 && state.range ? el("p", { class: "dim" }, "In the range: " + bytesText(page.rows.alloc_bytes[row]) + " allocated, " + (model.birthsKnown ? bytesText(page.rows.born_bytes[row]) + " of it still there when the recording ended, " : "") +
      bytesText(page.rows.freed_bytes[row]) + " freed.") : null,
    isSum ? processesOf(page, members) : null,
    slots.length && model.buckets > 1 ? el("figure", null, sparkline(liveOf(model, slots), 480, 60), el("figcaption", { class: "dim" }, "live bytes over time")) : null,
    slots.length && model.birthsKnown ? birthsOf(model, slots) : null,
    sizesElement(model, members),
    stackElement(model, model.leaf[site], model.asks[site], incomplete));
}

// What each process has of a row that adds them up, the most first; a click shows it alone.
function processesOf(page, members) {
  const { model, data } = page, { sites } = model, order = members.slice().sort((one, other) => sites.retained_bytes[other] - sites.retained_bytes[one] || sites.alloc_bytes[other] - sites.alloc_bytes[one]);
  const cell = text => el("td", null, text);
  return el("details", { id: "detail-processes", open: members.length <= FEW_PROCESSES }, el("summary", null, "in " + grouped(members.length) + " process" + (members.length > 1 ? "es" : "")),
    el("div", { class: "wide" }, el("table", { class: "figures" }, el("thead", null, el("tr", null, ["process", "retained", "blocks", "growth/min", "allocated"].map(name => el("th", { scope: "col" }, name)))),
      el("tbody", null, order.map(site => el("tr", null,
        el("th", { scope: "row" }, el("button", { type: "button", class: "link", onclick: () => page.set({ account: model.accountOf[site], site }) }, processText(data.report.processes[sites.process[site]]))),
        cell(bytesText(sites.retained_bytes[site])), cell(countText(sites.retained[site] / model.units)), cell(sites.growth_known[site] ? bytesText(sites.growth_per_minute[site], true) : "-"), cell(bytesText(sites.alloc_bytes[site]))))))));
}

// How old what is left is: bars of equal stretches of the recording, the oldest first.
function birthsOf(model, slots) {
  const most = 24, sums = new Float64Array(Math.min(most, model.buckets));
  for (const slot of slots) for (let i = model.begin[slot]; i < model.begin[slot + 1]; i++)
    sums[Math.floor(model.bucket[i] * sums.length / model.buckets)] += model.cells.born_bytes[i];
  const highest = Math.max(...sums);
  if (!(highest > 0)) return null;
  const bars = Array.from(sums, (sum, i) => [sum, "allocated from " + durationText(model.edges[Math.floor(i * model.buckets / sums.length)]) + " on: " + bytesText(sum)]);
  return barsElement(bars, "when what is retained was allocated: left at the start, right at the end");
}

// How large the blocks are that were left when the recording ended.
function sizesElement(model, members) {
  const sizes = sizesOf(model, members);
  if (!sizes.length) return null;
  const size = power => bytesText(2 ** power);
  const bars = sizes.map(([power, blocks]) => [blocks, size(power) + " to " + bytesText(2 ** (power + 1) - 1) + ": " + countText(blocks) + (Math.round(blocks) === 1 ? " block" : " blocks")]);
  return barsElement(bars, "sizes of the blocks that are left, from " + size(sizes[0][0]) + " to " + bytesText(2 ** (sizes[sizes.length - 1][0] + 1) - 1), "size-bars");
}

// Bars of [number, what it says when it is pointed at].
function barsElement(bars, caption, id) {
  const highest = Math.max(...bars.map(bar => bar[0])), box = el("div", { class: "bars", role: "img", id, "aria-label": caption + ". " + bars.map(bar => bar[1]).join("; ") });
  for (const [number, title] of bars) {
    const bar = el("span", { title });
    bar.style.height = Math.max(number ? 1 : 0, 40 * number / highest) + "px";
    box.append(bar);
  }
  return el("figure", null, box, el("figcaption", { class: "dim" }, caption));
}
