import * as fs from 'node:fs';
import { createPc } from '../src/machine/pc.js'; import { planBoot, applyBoot } from '../src/machine/boot.js';
import { hostServices } from '../src/host/services.js';
const sv = await hostServices(); const disk = new Uint8Array(fs.readFileSync(process.argv[2]));
const plan = planBoot({ kernel: null, initrd: null, append: '', disk, ramSizeBytes: 16 << 20 });
const pc = createPc({ config: { memoryBytes: 16 << 20, nsPerTick: 4, epochSeconds: 1700000000, serialPorts: 2, romSha256: '', bootDisk: plan.bootDisk }, code: sv.cpuCode(), hashing: sv.hashing });
applyBoot(pc, plan, sv.bootRom(), disk);
const { machine } = pc, st = machine.cpu.state; const ring: string[] = [];
const sys: any = machine.cpu.system; const od = sys.deliver.bind(sys); sys.deliver = (e: any) => { ring.push('   deliver ' + JSON.stringify(e)); return od(e); };
let n = 0; const max = +(process.argv[3] ?? 3e6);
machine.gate.tap((k, c, b) => process.stdout.write(`[${k}]` + Buffer.from(b).toString('latin1')));
while (machine.tick < max) {
  const cs = st.segSelector(1), eip = st.eip, lin = (st.segBase(1) + eip) >>> 0; const h = machine.cpu.physical.host(lin);
  ring.push(`${machine.tick} ${cs.toString(16)}:${eip.toString(16)} [${h ? Buffer.from(machine.cpu.physical.u8.subarray(h, h + 8)).toString('hex') : ''}] ax ${st.gpr(0).toString(16)} cx ${st.gpr(1).toString(16)} dx ${st.gpr(2).toString(16)} bx ${st.gpr(3).toString(16)} sp ${st.segSelector(2).toString(16)}:${st.gpr(4).toString(16)} bp ${st.gpr(5).toString(16)} si ${st.gpr(6).toString(16)} di ${st.gpr(7).toString(16)} ds ${st.segSelector(3).toString(16)} es ${st.segSelector(0).toString(16)} fl ${st.eflags.toString(16)}`);
  if (ring.length > 60) ring.shift();
  if (cs !== 0xf000 && !(cs === 0 && eip >= 0x7c00)) break;
  const stop = machine.run(machine.tick + 1); if (stop) { console.log(stop); break; }
}
console.log(ring.slice(-(+(process.argv[4] ?? 25))).join('\n'));
