// SPDX-License-Identifier: Apache-2.0
// The wait graph of a look at threads: who waits for which lock, who holds it, and what that thread waits for itself. Those who wait
// for each other in a circle come first.

// One row for each lock that a thread waits for. A holder is a thread of the look, or words about one that is not.
function lockRows(look) {
  const locks = look.locks || [], threads = look.threads || [], byTid = new Map(threads.map(thread => [thread.tid, thread]));
  const likely = lock => (lock.likely_holders || []).map(one => byTid.get(one.thread)).find(thread => thread);
  const rows = locks.map((lock, i) => ({ lock, index: i, holder: byTid.get(lock.owner) || likely(lock) || null, waiters: threads.filter(thread => thread.lock === i), inCircle: false }));
  for (const row of rows) row.inCircle = leadsBack(rows, row);
  return rows.filter(row => row.waiters.length).sort((one, other) => other.inCircle - one.inCircle || other.waiters.length - one.waiters.length || one.index - other.index);
}

// Whether the holder of this lock waits, over others or not, for this lock.
function leadsBack(rows, from) {
  const seen = new Set();
  for (let row = from; row && row.holder && row.holder.lock !== null && row.holder.lock !== undefined; row = rows[row.holder.lock]) {
    if (row.holder.lock === from.index) return true;
    if (seen.has(row.index)) return false;
    seen.add(row.index);
  }
  return false;
}

const FEW_WAITERS = 6;
function waitGraph(look) {
  const rows = lockRows(look);
  if (!rows.length) return null;
  const thread = (one, row) => el("span", { class: "node" + (row.inCircle && one.lock !== null && leadsTo(one, row, rows) ? " circle" : ""), title: one.waits_for || one.state || "" }, one.name + " (" + one.tid + ")");
  const holderOf = row => row.holder ? [thread(row.holder, row), row.holder.lock === null || row.holder.lock === undefined ? el("span", { class: "dim" }, row.holder.waits_for ? "waits for " + row.holder.waits_for : row.holder.state) : el("span", { class: "dim" }, "waits itself")]
    : el("span", { class: "node dim" }, row.lock.owner_words || "not known");
  return el("div", { id: "wait-graph", role: "list", "aria-label": "Who waits for whom" }, el("h3", null, "Who waits for whom"), rows.map(row => el("div", { class: "waits", role: "listitem" },
    el("span", { class: "nodes" }, row.waiters.slice(0, FEW_WAITERS).map(one => thread(one, row)), row.waiters.length > FEW_WAITERS ? el("span", { class: "node dim" }, grouped(row.waiters.length - FEW_WAITERS) + " more") : null),
    el("span", { class: "dim" }, row.waiters.length > 1 ? "wait for →" : "waits for →"), el("span", { class: "lock" }, row.lock.words), el("span", { class: "dim" }, "held by →"), holderOf(row))));
}

// Of those who wait for a lock in a circle, whether this one is in it: it holds a lock of it too.
function leadsTo(thread, row, rows) { return rows.some(other => other.inCircle && other.holder === thread); }
