// SPDX-License-Identifier: Apache-2.0
// A just-in-time compiler at work: exceptions, deep recursion, a worker.
const { Worker } = require('worker_threads');
let caught = 0;
const deep = (n) => deep(n + 1) + 1;
for (let i = 0; i < 6; i++) {
  try {
    if (i % 2) deep(0);
    throw new Error('x'.repeat(1000 + i));
  } catch (error) {
    caught++;
  }
}
for (let i = 0, sum = 0; i < 2e5; i++) sum += JSON.stringify({ i }).length;
const worker = new Worker('require("worker_threads").parentPort.postMessage(1)', { eval: true });
worker.on('message', (count) => console.log(`${caught} caught, ${count} worker`));
