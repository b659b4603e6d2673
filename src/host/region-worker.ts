/** Thread that compiles regions: takes RegionRequests, answers with RegionAnswers in the same order. */
import { workerData } from 'node:worker_threads';
import { compileRegion } from '../cpu/region/region-compiler.js';
import type { RegionAnswer, RegionRequest, RegionWorkerData } from './background-compiler.js';
import { generateCpuCode } from './cpu-model.js';

const { port, answered } = workerData as RegionWorkerData;
const { regionCode } = generateCpuCode();

port.on('message', ({ id, job }: RegionRequest) => {
  let answer: RegionAnswer;
  try {
    answer = { id, region: compileRegion(job, regionCode) };
  } catch (error) {
    answer = { id, problem: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  port.postMessage(answer);
  Atomics.add(answered, 0, 1);
});
