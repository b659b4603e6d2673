/** A kernel image as small as the boot protocol allows, for tests. */
export interface TestKernel {
  readonly version?: number;
  readonly loadflags?: number;
  readonly setupSects?: number;
  readonly kernelBytes?: number;
  readonly initrdAddrMax?: number;
  readonly cmdlineSize?: number;
  readonly prefAddress?: number;
  readonly initSize?: number;
}

export function testKernel(options: TestKernel = {}): Uint8Array<ArrayBuffer> {
  const setupBytes = ((options.setupSects ?? 4) + 1) * 512;
  const kernel = options.kernelBytes ?? 5000;
  const bytes = new Uint8Array(setupBytes + kernel);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < kernel; i++) bytes[setupBytes + i] = i & 0xff;
  view.setUint8(0x1f1, options.setupSects ?? 4);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint16(0x200, 0x66eb, true); // jmp +66h: the header ends at 268h
  view.setUint32(0x202, 0x5372_6448, true);
  view.setUint16(0x206, options.version ?? 0x20f, true);
  view.setUint16(0x20e, 0x0200, true);
  bytes.set(new TextEncoder().encode('1.2.3 test\0'), 0x400);
  view.setUint8(0x211, options.loadflags ?? 0x01);
  view.setUint32(0x214, 0x10_0000, true);
  view.setUint32(0x22c, options.initrdAddrMax ?? 0x7fff_ffff, true);
  view.setUint32(0x238, options.cmdlineSize ?? 2047, true);
  view.setBigUint64(0x258, BigInt(options.prefAddress ?? 0x100_0000), true);
  view.setUint32(0x260, options.initSize ?? 0x20_0000, true);
  return bytes;
}
