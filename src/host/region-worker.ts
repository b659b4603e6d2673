/** Thread that compiles regions: RegionJob to CompiledRegion. */
import type { CompiledRegion } from '../cpu/region/region-compiler.js';
import { compileRegion } from '../cpu/region/region-compiler.js';
import type { RegionJob } from '../cpu/region/region-job.js';
import { createCpuCode } from './cpu-model.js';
import { storedInterpreter } from './interpreter-file.js';
import { lowerThisThread } from './thread-priority.js';
import { serveRequests } from './worker-channel.js';

lowerThisThread();
const { regionCode } = createCpuCode({ storedInterpreter: storedInterpreter() });
serveRequests<RegionJob, CompiledRegion>((job) => compileRegion(job, regionCode));
