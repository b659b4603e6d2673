import { Machine } from '../src/index.js';
const m = await Machine.create({ bootImage: process.argv[2], memory: '16M', outDir: '/tmp/rec' });
for (const e of ['recording','mark','phase','verdict','denied','log'] as const) m.on(e, (x) => console.log(e, x));
console.log(await m.run({ until: { ticks: +(process.argv[3] ?? 5e8) } }), m.tick);
console.log(m.serialText); console.log(m.screenText().split('\n').filter(Boolean).join('\n')); console.log(m.registers());
await m.close();
