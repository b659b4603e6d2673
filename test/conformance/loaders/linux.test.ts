import { expect, test } from 'vitest';
import { CodedError } from '../../../src/base/errors.js';
import { loadLinux, type LinuxOptions } from '../../../src/machine/loaders/linux.js';
import { parseLinuxImage } from '../../../src/machine/loaders/linux-header.js';
import type { LoadPlan } from '../../../src/machine/loaders/load-plan.js';
import { testKernel } from './linux-image.js';

const MIB = 1 << 20;

function at(plan: LoadPlan, address: number): DataView {
  const found = plan.writes.find((w) => w.address === address);
  if (found === undefined) throw new Error(`nothing is written at ${address.toString(16)}`);
  return new DataView(found.bytes.buffer, found.bytes.byteOffset, found.bytes.byteLength);
}

function textAt(plan: LoadPlan, address: number): string {
  const view = at(plan, address);
  let text = '';
  for (let i = 0; view.getUint8(i) !== 0; i++) text += String.fromCharCode(view.getUint8(i));
  return text;
}

function refusal(options: LinuxOptions): CodedError {
  try {
    loadLinux(options);
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

test('a bzImage starts at its 32-bit entry with flat segments and ESI at boot_params', () => {
  const kernel = testKernel();
  const plan = loadLinux({ kernel, append: 'console=ttyS0', ramSizeBytes: 64 * MIB });
  if (plan.cpu.mode !== 'protected') throw new Error(plan.cpu.mode);
  const { eip, esi, gdtBase, gdtLimit, codeSelector, dataSelector } = plan.cpu;
  expect(eip).toBe(0x10_0000);
  expect([codeSelector, dataSelector]).toEqual([0x10, 0x18]);
  const gdt = at(plan, gdtBase);
  expect(gdt.byteLength).toBe(gdtLimit + 1);
  expect(gdt.getBigUint64(0x10, true)).toBe(0x00cf_9b00_0000_ffffn);
  expect(gdt.getBigUint64(0x18, true)).toBe(0x00cf_9300_0000_ffffn);
  expect(at(plan, 0x10_0000).byteLength).toBe(5000);

  const params = at(plan, esi);
  expect(params.byteLength).toBe(4096);
  expect(params.getUint32(0x202, true)).toBe(0x5372_6448);
  expect(params.getUint8(0x210)).toBe(0xff);
  expect(textAt(plan, params.getUint32(0x228, true))).toBe('console=ttyS0');
  expect(params.getUint32(0x218, true)).toBe(0);
  // screen_info: text mode 3
  expect([params.getUint8(0x06), params.getUint8(0x07), params.getUint8(0x0e), params.getUint8(0x0f)]).toEqual([
    3, 80, 25, 1,
  ]);
  // 63 MiB above 1 MiB
  expect(params.getUint32(0x1e0, true)).toBe(63 * 1024);
  const count = params.getUint8(0x1e8);
  const ranges = Array.from({ length: count }, (_, i) => {
    const entry = 0x2d0 + 20 * i;
    return [params.getBigUint64(entry, true), params.getBigUint64(entry + 8, true), params.getUint32(entry + 16, true)];
  });
  expect(ranges).toContainEqual([0n, 0x9_fc00n, 1]);
  expect(ranges).toContainEqual([0x10_0000n, BigInt(63 * MIB), 1]);
});

test('only the header is copied into boot_params, not the code around it', () => {
  const kernel = testKernel();
  kernel.fill(0xcc, 0, 0x1f1);
  kernel.fill(0xcc, 0x268, 0x400);
  const plan = loadLinux({ kernel, ramSizeBytes: 64 * MIB });
  const params = at(plan, 0x1_0000);
  expect(params.getUint8(0x1f0)).toBe(0);
  expect(params.getUint32(0x260, true)).toBe(0x20_0000);
  expect(params.getUint8(0x268)).toBe(0);
});

test('the initrd lies as high as the kernel allows, at a page', () => {
  const initrd = new Uint8Array(5001).fill(7);
  const place = (initrdAddrMax: number, ramMib: number): number => {
    const plan = loadLinux({ kernel: testKernel({ initrdAddrMax }), initrd, ramSizeBytes: ramMib * MIB });
    const params = at(plan, 0x1_0000);
    expect(params.getUint32(0x21c, true)).toBe(5001);
    const address = params.getUint32(0x218, true);
    expect(at(plan, address).byteLength).toBe(5001);
    return address;
  };
  expect(place(0x7fff_ffff, 64)).toBe(64 * MIB - 2 * 4096);
  expect(place(0x37ff_ffff, 2048)).toBe(0x3800_0000 - 2 * 4096);
});

test('an initrd that would overlap the memory the kernel unpacks into is refused', () => {
  const kernel = testKernel({ initSize: 0x100_0000 });
  const error = refusal({ kernel, initrd: new Uint8Array(MIB), ramSizeBytes: 32 * MIB });
  expect(error.code).toBe('USAGE');
  expect(error.where).toBe('initrd');
  expect(error.hint).toContain('memory');
});

test('a kernel that needs more memory than there is says how much', () => {
  const error = refusal({ kernel: testKernel(), ramSizeBytes: 16 * MIB });
  expect(error.describe()).toContain('18 MiB');
});

test('the 16-bit entry starts the setup code at 9020h:0 with heap and command line', () => {
  const plan = loadLinux({ kernel: testKernel(), append: 'quiet', ramSizeBytes: 64 * MIB, entry: '16-bit' });
  expect(plan.cpu).toEqual({ mode: 'real', cs: 0x9020, ip: 0, ss: 0x9000, sp: 0xe000, ds: 0x9000 });
  const setup = at(plan, 0x9_0000);
  expect(setup.byteLength).toBe(5 * 512);
  expect(setup.getUint16(0x224, true)).toBe(0xde00);
  expect(setup.getUint8(0x211)).toBe(0x81);
  expect(setup.getUint8(0x210)).toBe(0xff);
  expect(textAt(plan, setup.getUint32(0x228, true))).toBe('quiet');
  expect(at(plan, 0x10_0000).byteLength).toBe(5000);
});

test('a zImage of protocol 2.01 takes the 16-bit entry, low memory and the old command line', () => {
  const kernel = testKernel({ version: 0x201, loadflags: 0 });
  const plan = loadLinux({ kernel, append: 'root=/dev/fd0', ramSizeBytes: 8 * MIB });
  expect(plan.cpu).toMatchObject({ mode: 'real', cs: 0x9020, sp: 0x9800 });
  const setup = at(plan, 0x9_0000);
  expect(setup.getUint16(0x20, true)).toBe(0xa33f);
  expect(textAt(plan, 0x9_0000 + setup.getUint16(0x22, true))).toBe('root=/dev/fd0');
  expect(setup.getUint32(0x228, true)).toBe(0);
  expect(at(plan, 0x1_0000).byteLength).toBe(5000);
  expect(refusal({ kernel, ramSizeBytes: 8 * MIB, entry: '32-bit' }).code).toBe('USAGE');
});

test('setup_sects 0 means 4', () => {
  const kernel = testKernel();
  kernel[0x1f1] = 0;
  expect(parseLinuxImage(kernel).setup.length).toBe(5 * 512);
});

test('version text and limits come from the header', () => {
  const image = parseLinuxImage(testKernel({ cmdlineSize: 100 }));
  expect(image.kernelVersion).toBe('1.2.3 test');
  expect(
    refusal({ kernel: testKernel({ cmdlineSize: 100 }), append: 'x'.repeat(101), ramSizeBytes: 64 * MIB }).message,
  ).toContain('101');
});

test.each([
  ['an ELF file', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46), 'bzImage'],
  ['a gzip file', Uint8Array.of(0x1f, 0x8b), 'unpack'],
  ['an empty file', new Uint8Array(0), 'bzImage'],
  ['zeros', new Uint8Array(4096), 'bzImage'],
])('%s is refused with advice', (_name, kernel, hint) => {
  const error = refusal({ kernel, ramSizeBytes: 64 * MIB });
  expect(error.code).toBe('USAGE');
  expect(error.where).toBe('kernel');
  expect(error.hint).toContain(hint);
});

test('a boot sector is no kernel', () => {
  const sector = new Uint8Array(1024);
  sector[510] = 0x55;
  sector[511] = 0xaa;
  expect(refusal({ kernel: sector, ramSizeBytes: 64 * MIB }).hint).toContain('disk image');
});

test('a kernel cut anywhere is refused or loaded, never anything else', () => {
  const kernel = testKernel();
  for (let length = 0; length < kernel.length; length += 97) {
    try {
      loadLinux({ kernel: kernel.subarray(0, length), ramSizeBytes: 64 * MIB });
    } catch (error) {
      expect(error).toBeInstanceOf(CodedError);
    }
  }
});
