import { HACK } from './x87hack.js';
import * as table from '../src/isa/table.js';
if (!table.INSTRUCTIONS.some((i) => i.mnemonic === 'FSIN')) (table.INSTRUCTIONS as any).push(...HACK);
import { Recording } from '../src/index.js';
const file = process.argv[2]; const s1 = +process.argv[3], s2 = +process.argv[4], from = +(process.argv[5] ?? 0); let stepN = +(process.argv[6] ?? 1e6);
const r = await Recording.open(file);
const A: any = (await r.replay() as any), B: any = (await r.replay() as any);
const parts = (x: any) => { for (const k of Object.getOwnPropertySymbols(x)) {} return x; };
import { createPc } from '../src/machine/pc.js'; import { ReplaySession } from '../src/replay/replay-session.js'; import { hostServices } from '../src/host/services.js'; import { parseMachineConfig } from '../src/machine/config.js';
const sv = await hostServices();
const mk = (slice: number) => { const pc = createPc({ config: parseMachineConfig(r.meta.machine as any, 'x'), code: sv.cpuCode(), hashing: sv.hashing }); const s = new ReplaySession(pc.machine, r.reader); s.sliceTicks = slice; return { pc, s }; };
const a = mk(s1), b = mk(s2);
const hash = (x: any) => { const sec = x.pc.machine.save().sections; return sec.map((q: any) => [q.name, Buffer.from(q.bytes).toString('hex')]); };
const go = (x: any, t: number) => { for (;;) { const st = x.s.run(t); if (st.kind !== 'tick' && st.kind !== 'mark') return st; if (x.pc.machine.tick >= t) return null; } };
let t = r.meta.startTick;
if (from) { go(a, from); go(b, from); t = from; }
for (let n = 0; n < 5000; n++) { t += stepN; const x = go(a, t), y = go(b, t); const ha = hash(a), hb = hash(b); const diff = ha.filter(([k, v]: any, i: number) => v !== hb[i][1]).map(([k]: any) => k);
  if (diff.length || x || y) { console.log('tick', t, 'differs', diff, JSON.stringify(x)?.slice(0,200), JSON.stringify(y)?.slice(0,200)); for (const m of [a, b]) { const st = m.pc.machine.cpu.state; console.log('eip', st.eip.toString(16), 'halted', st.halted, 'now', m.pc.machine.tick, 'timers', m.pc.machine.timers.next, 'fl', st.eflags.toString(16), [0,1,2,3,4,5,6,7].map((i) => st.gpr(i).toString(16)).join(' ')); }
    for (const k of diff) { const i = ha.findIndex((q: any) => q[0] === k); let p = 0; while (ha[i][1][p] === hb[i][1][p]) p++; console.log(k, 'at byte', p >> 1, ha[i][1].slice(p & ~1, (p & ~1) + 32), hb[i][1].slice(p & ~1, (p & ~1) + 32)); }
    console.log('prev', t - stepN); break; } }
process.exit(0);
