import type { Form } from '../decode/form.js';
import { RECORD } from '../interpreter/record.js';
import { buildImportingModule } from '../wasm/module.js';
import type { FormSupport } from './form-support.js';
import { regionRoutine } from './region-emitter.js';
import type { RegionJob } from './region-job.js';
import { jobGraph } from './region-job.js';

/** What the interpreter's code says about its handlers; see InterpreterCode. */
export interface RegionCode {
  readonly formOfSlot: readonly (Form | null)[];
  readonly leavesOfSlot: readonly boolean[];
  readonly exported: ReadonlySet<string>;
  readonly support: FormSupport;
}

export interface CompiledRegion {
  /** Exports `region`. */
  readonly module: WebAssembly.Module;
  /** Of its WebAssembly code. */
  readonly bytes: number;
}

/** Compiles regions, at once or behind the guest's back. */
export interface RegionCompiler {
  /** It has enough to do: ask again later. */
  readonly isBusy: boolean;
  /**
   * `done` is called before this returns, or from a later `poll`; with null when nothing came of it. The job is handed
   * over: its arrays may be gone when this returns.
   */
  compile(job: RegionJob, done: (region: CompiledRegion | null) => void): void;
  /** Hands out what is done. */
  poll(): void;
}

/** The module of a region. */
export function compileRegion(job: RegionJob, code: RegionCode): CompiledRegion {
  const view = new DataView(job.records.buffer, job.records.byteOffset, job.records.byteLength);
  const blocks = jobGraph(job, ({ record, at, eip, target }) => {
    const form = code.formOfSlot[view.getUint16(at + RECORD.generic, true)];
    const isDirect = form !== null && form.encoding.operands.some((o) => o.source === 'relative');
    return { record, at, eip, length: view.getUint8(at + RECORD.length), form, target: isDirect ? target : null };
  });
  const { user, pages } = job;
  const entries = [...job.entries];
  const routine = regionRoutine({ name: 'region', blocks, entries, pages, user, records: view, support: code.support });
  const bytes = buildImportingModule(routine, code.exported);
  return { module: new WebAssembly.Module(bytes), bytes: bytes.length };
}

/** Compiles while the guest waits. */
export function immediateCompiler(code: () => RegionCode): RegionCompiler {
  return {
    isBusy: false,
    compile: (job, done) => done(compileRegion(job, code())),
    poll: () => {},
  };
}
