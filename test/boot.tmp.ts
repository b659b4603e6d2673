import * as fs from 'node:fs';
import { createPc, PM_BASE } from '/work/main/src/machine/pc.js';
import { cpuCode } from '/work/main/src/host/cpu-code.js';
import { createHashing } from '/work/main/src/host/hashing.js';
import { buildAcpiTables } from '/work/main/src/devices/acpi-tables.js';
import { CpuCode } from '/work/main/src/cpu/code.js';
import { INSTRUCTIONS } from '/work/main/src/isa/table.js';
import { instruction } from '/work/main/src/isa/instruction.js';
import { i32 } from '/work/main/src/isa/ir/expr.js';
import { STATE } from '/work/main/src/isa/cpu-state.js';
import { DEFAULT_CPUID } from '/work/main/src/cpu/system/cpuid.js';
import v8 from 'node:v8';
const TEMP = INSTRUCTIONS.some((i) => i.mnemonic === 'FNINIT') ? [] : [
 instruction('FNINIT', 'DB E3', '', (c) => { c.store(STATE.fcw, 0x37f); c.store(STATE.fsw, 0); c.store(STATE.ftag, 0); }),
 instruction('FNCLEX', 'DB E2', '', (c) => { c.store(STATE.fsw, 0); }),
 instruction('FNSTSW', 'DD /7', 'Mw', (c, [m]) => c.write(m, i32.load(STATE.fsw))),
 instruction('FNSTCW', 'D9 /7', 'Mw', (c, [m]) => c.write(m, i32.load(STATE.fcw))),
 instruction('FXSAVE', 'NP 0F AE /0', 'M', (c, [m]) => { c.storeAt(m, 0, 16, i32.load(STATE.fcw)); c.storeAt(m, 2, 16, i32.load(STATE.fsw)); c.storeAt(m, 24, 32, i32.load(STATE.mxcsr)); c.storeAt(m, 28, 32, i32.const(0xffff)); }),
 instruction('FXRSTOR', 'NP 0F AE /1', 'M', (c, [m]) => { c.store(STATE.fcw, c.loadAt(m, 0, 16)); c.store(STATE.fsw, c.loadAt(m, 2, 16)); }),
 instruction('LDMXCSR', 'NP 0F AE /2', 'Md', (c, [m]) => { c.store(STATE.mxcsr, c.read(m)); }),
 instruction('STMXCSR', 'NP 0F AE /3', 'Md', (c, [m]) => { c.write(m, i32.load(STATE.mxcsr)); }),
 instruction('FENCE', 'NP 0F AE /5', 'Rd', () => {}), instruction('FENCE', 'NP 0F AE /6', 'Rd', () => {}), instruction('FENCE', 'NP 0F AE /7', 'Rd', () => {}),
];
const dir = process.argv[2], append = process.argv[3], maxTicks = +(process.argv[4] ?? 20e9), slice = +(process.argv[5] ?? 50e6);
const k = new Uint8Array(fs.readFileSync(dir + '/bzImage')), ini = new Uint8Array(fs.readFileSync(dir + '/initramfs.cpio.gz'));
const mem = 128 << 20;
const t0 = performance.now();
const pc = createPc({ config: { memoryBytes: mem, nsPerTick: 4, epochSeconds: 1700000000, serialPorts: 1, romSha256: null, bootDiskBytes: 0 }, code: (v8.setFlagsFromString('--no-liftoff'), v8.setFlagsFromString('--no-wasm-lazy-compilation'), new CpuCode([...INSTRUCTIONS, ...TEMP], new Set(DEFAULT_CPUID.features))), hashing: createHashing() });
console.error('created', performance.now() - t0);
const { machine } = pc; const phys = machine.cpu.physical;
const kv = new DataView(k.buffer);
const setup = (k[0x1f1] || 4), off = (setup + 1) * 512;
phys.write(0x100000, k.subarray(off));
const zp = new Uint8Array(4096); zp.set(k.subarray(0x1f1, 0x202 + k[0x201]), 0x1f1); const zv = new DataView(zp.buffer);
const ra = (mem - ini.length - 0x10000) & ~0xfff; phys.write(ra, ini);
zv.setUint32(0x218, ra, true); zv.setUint32(0x21c, ini.length, true); zp[0x210] = 0xff; zp[0x211] |= 0x81;
const cl = new TextEncoder().encode(append + '\0'); phys.write(0x20000, cl); zv.setUint32(0x228, 0x20000, true);
const acpi = buildAcpiTables({ address: 0xe0000, pmBase: PM_BASE, serialPorts: [{ base: 0x3f8, irq: 4 }] }); phys.write(acpi.address, acpi.bytes);
const e820: [number, number, number][] = [[0, 0x9fc00, 1], [0x9fc00, 0x400, 2], [0xe0000, 0x20000, 2], [0x100000, mem - 0x100000, 1]];
zp[0x1e8] = e820.length; e820.forEach(([a, n, t], i) => { zv.setUint32(0x2d0 + i * 20, a, true); zv.setUint32(0x2d8 + i * 20, n, true); zv.setUint32(0x2e0 + i * 20, t, true); });
zv.setUint32(0x70, acpi.rsdpAddress, true);
zp[6]=3; zp[7]=80; zp[14]=25; zp[15]=1; // screen_info
phys.write(0x10000, zp);
const st = machine.cpu.state; 
const gdt = new Uint8Array(32); const gv = new DataView(gdt.buffer); gv.setUint32(16, 0xffff, true); gv.setUint32(20, 0xcf9a00, true); gv.setUint32(24, 0xffff, true); gv.setUint32(28, 0xcf9200, true); phys.write(0x1000, gdt);
st.gdtrBase = 0x1000; st.gdtrLimit = 31; st.cr0 = 0x11; 
st.setSegment(1, 0x10, 0, 0xffffffff, 0xc09b); for (const s of [0, 2, 3, 4, 5]) st.setSegment(s, 0x18, 0, 0xffffffff, 0xc093);
st.setGpr(6, 0x10000); st.eip = 0x100000; st.cpl = 0; st.eflags = 2; machine.cpu.restored();
let line = '', last = performance.now(), lastTick = 0;
machine.gate.tap((kind, ch, bytes) => { if (kind !== 'serial') return; const s = Buffer.from(bytes).toString('latin1'); process.stdout.write(s); });
if (process.env.TRACE) { const sys: any = machine.cpu.system; const od = sys.deliver.bind(sys); let n = 0; sys.deliver = (e: any) => { if (n++ < +process.env.TRACE!) console.error('deliver', JSON.stringify(e), 'tick', machine.tick, 'eip', st.eip.toString(16), 'esp', st.gpr(4).toString(16), 'cr0', st.cr0.toString(16), 'cr2', st.cr2.toString(16), 'regs', [0,1,2,3,4,5,6,7].map(i => st.gpr(i).toString(16)).join(','), 'code', Buffer.from(phys.u8.subarray(phys.host(machine.cpu.memory.peek(st.eip, false) ?? 0), phys.host(machine.cpu.memory.peek(st.eip, false) ?? 0) + 12)).toString('hex')); return od(e); }; }
const t1 = performance.now();
while (machine.tick < maxTicks) {
  const stop = machine.run(Math.min(maxTicks, machine.tick + slice));
  const n = performance.now(); if (n - last > 2000) { console.error(`[tick ${(machine.tick / 1e6).toFixed(0)}M ${((machine.tick - lastTick) / (n - last) / 1e3).toFixed(0)} Mtick/s eip ${st.eip.toString(16)} cs ${st.segSelector(1).toString(16)}]`); last = n; lastTick = machine.tick; }
  if (stop) { console.error('stop', stop); break; }
}
console.error('ticks', machine.tick, 'sec', (performance.now() - t1) / 1000, 'eip', st.eip.toString(16), 'digest', [...machine.digest().sections].map(([n, h]) => n + ':' + Buffer.from(h).toString('hex').slice(0, 8)).join(' '));
