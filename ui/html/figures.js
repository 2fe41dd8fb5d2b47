// SPDX-License-Identifier: Apache-2.0
// The figures of call sites: of the whole recording as the report has them, and of any range of buckets.

const FIGURES = ["allocs", "alloc_bytes", "frees", "freed_bytes", "temporary", "temporary_bytes", "moved", "moved_bytes",
                 "peak", "peak_bytes", "born", "born_bytes"];
const SITE_FIGURES = ["retained", "retained_bytes", "allocs", "alloc_bytes", "frees", "freed_bytes", "temporary",
                      "temporary_bytes", "peak", "peak_bytes"];
// What can be looked at: bytes, blocks, and what it is called.
const VIEWS = {
  retained: { title: "Retained", bytes: "retained_bytes", blocks: "retained", about: "live at the end of the range" },
  growing: { title: "Growing", bytes: "grown_bytes", blocks: "grown", about: "live at the end of the range, less what was live at its start", signed: true },
  born: { title: "Survivors", bytes: "born_bytes", blocks: "born", about: "allocated in the range and still live when the recording ended" },
  allocated: { title: "Allocated", bytes: "alloc_bytes", blocks: "allocs", about: "allocated in the range" },
  freed: { title: "Freed", bytes: "freed_bytes", blocks: "frees", about: "freed in the range, whenever it was allocated" },
  temporary: { title: "Temporary", bytes: "temporary_bytes", blocks: "temporary", about: "freed in the range within 1 ms of its allocation" },
  peak: { title: "Peak", bytes: "peak_bytes", blocks: "peak", about: "live when this kind of memory was highest in the range" },
};
const KINDS = ["heap", "mapping", "file", "reserved"];
const KIND_TITLES = { heap: "Heap", mapping: "Mapped memory", file: "Mapped files", reserved: "Reserved address space" };

// The stacks of all call sites: what every page has.
function readStacks(memory, column) {
  const frames = {};
  for (const name of ["function", "short", "file", "line", "module", "flags", "group"]) frames[name] = column("frame_" + name);
  const tree = readPaths(column("path_kept"), column("path_added"), column("path_frames"));
  const path = column("site_path"), inner = column("site_inner"), count = path.length, leaf = new Int32Array(count), asks = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    leaf[i] = tree.leaf[path[i]];
    asks[i] = nodeAbove(tree, leaf[i], inner[i]);
  }
  const excerpts = memory.sources ? memory.sources.excerpts : [];
  if (excerpts.length) frames.source = column("frame_source");
  return { texts: memory.texts, frames, tree, path, count, leaf, asks, excerpts };
}

function readModel(memory, column) {
  const stacks = readStacks(memory, column), sites = { path: stacks.path };
  for (const name of [ "incomplete", "held", "holding", "process", "kind", "stacks", "oldest", "median", "growth_known", "growth_per_minute", "retained_error"].concat(SITE_FIGURES))
    sites[name] = column("site_" + name);
  const model = Object.assign(stacks, { sites, edges: memory.edges_ns, buckets: memory.edges_ns.length - 1, units: memory.block_units,
                                        accounts: memory.accounts, birthsKnown: memory.births_known });
  model.accountOf = accountsOf(model);
  readSlots(model, column);
  readSizes(model, column);
  addSums(model, memory, column);
  return model;
}

function readSlots(model, column) {
  const counts = column("cell_count"), cells = {};
  for (const name of FIGURES) cells[name] = column("cell_" + name);
  const bucket = column("cell_bucket"), begin = new Int32Array(counts.length + 1);
  for (let slot = 0, cell = 0; slot < counts.length; slot++) {
    for (let i = 0, at = 0; i < counts[slot]; i++, cell++) bucket[cell] = at += bucket[cell];
    begin[slot + 1] = cell;
  }
  const slotSite = column("slot_site"), slotOfSite = new Int32Array(model.count).fill(-1);
  for (let slot = 0, site = 0; slot < slotSite.length; slot++) slotOfSite[slotSite[slot] = site += slotSite[slot]] = slot;
  Object.assign(model, { cells, bucket, begin, slotSite, slotOfSite });
}

// Of each call site the first of its size classes; one past the last is where the next one begins.
function readSizes(model, column) {
  const counts = column("size_count"), begin = new Int32Array(model.count + 1);
  for (let site = 0; site < model.count; site++) begin[site + 1] = begin[site] + counts[site];
  model.sizes = { begin, classes: column("size_class"), blocks: column("size_blocks") };
}

// How many live blocks of these call sites are of each size: [[class, blocks], ...], in order, without gaps.
function sizesOf(model, members) {
  const { begin, classes, blocks } = model.sizes, sums = new Map();
  for (const site of members) for (let i = begin[site]; i < begin[site + 1]; i++) sums.set(classes[i], (sums.get(classes[i]) || 0) + blocks[i] / model.units);
  if (!sums.size) return [];
  const keys = Array.from(sums.keys()), first = Math.min(...keys), last = Math.max(...keys);
  return Array.from({ length: last - first + 1 }, (_, i) => [first + i, sums.get(first + i) || 0]);
}

function accountsOf(model) {
  const numbers = new Map(model.accounts.map((account, i) => [account.process + " " + KINDS.indexOf(account.kind), i]));
  return Int32Array.from(model.sites.kind, (kind, site) => numbers.get(model.sites.process[site] + " " + kind));
}

// The bucket of a range in which an account was highest, -1 where it did not change.
function peakBucket(account, range) {
  let best = -1, most = 0;
  for (let b = range[0]; b < range[1]; b++) if (account.peaks[b] > most) { most = account.peaks[b]; best = b; }
  return best;
}

// All figures of one slot over a range of buckets, into `out`.
function slotFigures(model, slot, range, peakAt, out) {
  const { cells, bucket, units } = model;
  for (const name of FIGURES) out[name] = 0;
  let before = 0, beforeBytes = 0, live = 0, liveBytes = 0, peak = 0, peakBytes = 0;
  for (let i = model.begin[slot]; i < model.begin[slot + 1] && bucket[i] < range[1]; i++) {
    const net = cells.allocs[i] - cells.frees[i] + cells.moved[i];
    const netBytes = cells.alloc_bytes[i] - cells.freed_bytes[i] + cells.moved_bytes[i];
    live += net;
    liveBytes += netBytes;
    if (bucket[i] < range[0]) { before += net; beforeBytes += netBytes; }
    if (bucket[i] <= peakAt) {
      peak += net + (bucket[i] === peakAt ? cells.peak[i] : 0);
      peakBytes += netBytes + (bucket[i] === peakAt ? cells.peak_bytes[i] : 0);
    }
    if (bucket[i] >= range[0]) for (const name of FIGURES) out[name] += cells[name][i];
  }
  out.retained = live;
  out.retained_bytes = liveBytes;
  out.grown = live - before;
  out.grown_bytes = liveBytes - beforeBytes;
  out.peak = peakAt < 0 ? before : peak;
  out.peak_bytes = peakAt < 0 ? beforeBytes : peakBytes;
  if (units === 1) return;
  for (const name of ["allocs", "frees", "temporary", "born", "retained", "grown", "peak"]) out[name] /= units;
}

// Of the whole recording, as the report has them.
function siteFigures(model, site, out) {
  for (const name of SITE_FIGURES) out[name] = model.sites[name][site] / (name.endsWith("_bytes") ? 1 : model.units);
  out.grown = out.retained;
  out.grown_bytes = out.retained_bytes;
  out.born = out.born_bytes = 0;
  const slot = model.slotOfSite[site];
  if (slot < 0) { out.born = out.retained; out.born_bytes = out.retained_bytes; return; }
  for (let i = model.begin[slot]; i < model.begin[slot + 1]; i++) {
    out.born += model.cells.born[i] / model.units;
    out.born_bytes += model.cells.born_bytes[i];
  }
}

const ROW_FIGURES = SITE_FIGURES.concat(["grown", "grown_bytes", "born", "born_bytes"]);

// One row for each call site of an account, as columns; range null: of all of the recording. In a range, sites without a
// series of their own are one row, whose site is -1.
function rowsOf(model, number, range) {
  const account = model.accounts[number], sites = [];
  if (account.members) return summedRows(model, account, range);
  for (let site = 0; site < model.count; site++)
    if (model.accountOf[site] === number && (!range || model.slotOfSite[site] >= 0)) sites.push(site);
  if (range && account.other_sites) sites.push(-1);
  const rows = { site: Int32Array.from(sites), count: sites.length };
  for (const name of ROW_FIGURES) rows[name] = new Float64Array(sites.length);
  const figures = {}, peakAt = range ? peakBucket(account, range) : -1;
  sites.forEach((site, row) => {
    if (range) slotFigures(model, site < 0 ? account.other_slot : model.slotOfSite[site], range, peakAt, figures);
    else siteFigures(model, site, figures);
    for (const name of ROW_FIGURES) rows[name][row] = figures[name];
  });
  return rows;
}

// Live bytes of a slot at the end of each bucket.
function liveSeries(model, slot) {
  const series = new Float64Array(model.buckets);
  let at = 0, live = 0;
  for (let i = model.begin[slot]; i < model.begin[slot + 1]; i++) {
    for (; at < model.bucket[i]; at++) series[at] = live;
    live += model.cells.alloc_bytes[i] - model.cells.freed_bytes[i] + model.cells.moved_bytes[i];
  }
  for (; at < model.buckets; at++) series[at] = live;
  return series;
}

// Of several slots together.
function liveOf(model, slots) {
  const sum = new Float64Array(model.buckets);
  for (const slot of slots) liveSeries(model, slot).forEach((bytes, b) => { sum[b] += bytes; });
  return sum;
}

function slotsOf(model, number) {
  const slots = [], { members } = model.accounts[number];
  if (members) return members.flatMap(member => slotsOf(model, member));
  model.slotSite.forEach((site, slot) => { if (model.accountOf[site] === number) slots.push(slot); });
  if (model.accounts[number].other_sites) slots.push(model.accounts[number].other_slot);
  return slots;
}

function joinLayer(joined, site, live) {
  const known = joined.get(site);
  if (!known) joined.set(site, live.slice());
  else for (let b = 0; b < live.length; b++) known[b] += live[b];
}

// What the timeline draws: the largest sites, the others as one, and what was born in each bucket and what became of it.
function timelineOf(model, number, most) {
  const total = new Float64Array(model.buckets), allocated = new Float64Array(model.buckets), born = new Float64Array(model.buckets);
  let layers = [];
  const joined = new Map(), isSum = Boolean(model.accounts[number].members);
  for (const slot of slotsOf(model, number)) {
    const live = liveSeries(model, slot);
    let peak = 0;
    for (let b = 0; b < model.buckets; b++) {
      total[b] += live[b];
      if (live[b] > peak) peak = live[b];
    }
    if (isSum && slot < model.slotSite.length) joinLayer(joined, model.leadOf[model.slotSite[slot]], live);
    for (let i = model.begin[slot]; i < model.begin[slot + 1]; i++) {
      allocated[model.bucket[i]] += model.cells.alloc_bytes[i];
      born[model.bucket[i]] += model.cells.born_bytes[i];
    }
    if (slot >= model.slotSite.length || isSum) continue;
    layers.push({ site: model.slotSite[slot], live, peak });
    if (layers.length > 2 * most) layers = layers.sort((a, b) => b.peak - a.peak).slice(0, most);
  }
  if (isSum) layers = Array.from(joined, ([site, live]) => ({ site, live, peak: live.reduce((most, bytes) => Math.max(most, bytes), 0) }));
  layers = layers.filter(layer => layer.peak > 0).sort((a, b) => b.peak - a.peak).slice(0, most);
  const others = total.slice();
  for (const layer of layers) for (let b = 0; b < model.buckets; b++) others[b] -= layer.live[b];
  return { layers, others, total, allocated, born };
}
