// SPDX-License-Identifier: Apache-2.0
// The figures of call sites in two recordings. Two periods of one process are compared by what they retain and allocate per
// minute: each counts only what it saw being allocated.

const SIDES = ["before", "after"], SIDE_FIGURES = ["retained_bytes", "retained", "alloc_bytes", "allocs", "freed_bytes", "frees", "peak_bytes", "peak", "retained_error"];

const DIFFERENCES = {
  change: { title: "Change", bytes: "change_retained_bytes", blocks: "change_retained", about: "retained after, less retained before", signed: true },
  before: { title: "Before", bytes: "before_retained_bytes", blocks: "before_retained", about: "retained when the first recording ended" },
  after: { title: "After", bytes: "after_retained_bytes", blocks: "after_retained", about: "retained when the second recording ended" },
  allocated: { title: "Allocated", bytes: "change_alloc_bytes", blocks: "change_allocs", about: "allocated in the second recording, less what was allocated in the first", signed: true },
  peak: { title: "Peak", bytes: "change_peak_bytes", blocks: "change_peak", about: "part of the peak in the second recording, less that in the first", signed: true },
};
const DIFFERENCE_COLUMNS = [
  { key: "change_retained_bytes", title: "change", unit: "bytes", signed: true, rank: 3 },
  { key: "change_retained", title: "blocks", unit: "blocks", signed: true, rank: 2 },
  { key: "before_retained_bytes", title: "before", unit: "bytes", rank: 2 },
  { key: "after_retained_bytes", title: "after", unit: "bytes", rank: 2 },
  { key: "change_alloc_bytes", title: "allocated", unit: "bytes", signed: true, rank: 1 },
  { key: "change_peak_bytes", title: "peak", unit: "bytes", signed: true, rank: 1 },
];
const DIFFERENCE_STATE = { views: DIFFERENCES, sorts: ["view"].concat(DIFFERENCE_COLUMNS.map(column => column.key)), view: "change" };

function readDifference(data, column) {
  const { memory, difference } = data, model = readStacks(memory, column), byRate = difference.relation === "one process";
  model.edges = [];
  model.buckets = 0;
  model.kindOf = column("site_kind");
  model.isIn = { before: column("site_in_before"), after: column("site_in_after") };
  model.byRate = byRate;
  model.changed = memory.changed;
  for (const side of SIDES) {
    const minutes = byRate ? difference[side].duration_ns / 60e9 : 1;
    model[side] = {};
    for (const name of SIDE_FIGURES) {
      const scale = (/bytes|error/.test(name) ? 1 : memory.block_units) * (/peak/.test(name) ? 1 : minutes || 1);
      model[side][name] = column(side + "_" + name).map(number => number / scale);
    }
  }
  model.accounts = memory.kinds.map(kind => ({ kind, other_sites: 0, other_slot: -1 }));
  model.accountOf = Int32Array.from(model.kindOf, kind => memory.kinds.indexOf(KINDS[kind]));
  return model;
}

// Whether a call site is in the report: what it retains has changed.
function hasChanged(model, site) { return site < model.changed; }

// One row for each call site of a kind.
function differenceRows(model, account) {
  const sites = [];
  for (let site = 0; site < model.count; site++) if (model.accountOf[site] === account) sites.push(site);
  const rows = { site: Int32Array.from(sites), count: sites.length };
  for (const name of SIDE_FIGURES) {
    for (const side of SIDES) rows[side + "_" + name] = Float64Array.from(sites, site => model[side][name][site]);
    rows["change_" + name] = rows["after_" + name].map((number, row) => number - rows["before_" + name][row]);
  }
  rows.retained_bytes = rows.after_retained_bytes;
  rows.alloc_bytes = rows.after_alloc_bytes;
  return rows;
}

// What RSS of all processes of a side consisted of when its recording ended; null: not known of one of them.
function accountOfSide(balances) {
  const parts = {};
  let resident = 0;
  for (const balance of balances) {
    if (balance.ended) continue;
    if (!balance.at_end) return null;
    resident += balance.at_end.resident_bytes;
    for (const name in balance.at_end.parts) parts[name] = (parts[name] || 0) + balance.at_end.parts[name];
  }
  return resident ? { resident, parts } : null;
}

// Parts of RSS before and after, the largest change first; [] where one of both is not known.
function accountChanges(difference) {
  const [before, after] = SIDES.map(side => accountOfSide(difference[side + "_process_memory"]));
  if (!before || !after) return [];
  const names = Array.from(new Set(Object.keys(before.parts).concat(Object.keys(after.parts))));
  const rows = names.map(name => ({ name: name.replace(/_/g, " "), before: before.parts[name] || 0, after: after.parts[name] || 0 })).filter(row => row.before || row.after);
  rows.sort((one, other) => Math.abs(other.after - other.before) - Math.abs(one.after - one.before) || other.after - one.after);
  return rows.concat({ name: "RSS", before: before.resident, after: after.resident });
}

function differenceCommand(files, kind, state) {
  const words = ["dwell", "diff", ...files, "--kind", kind];
  if (state.filter) words.push("--site", state.filter);
  return words.map(shellQuoted).join(" ");
}
