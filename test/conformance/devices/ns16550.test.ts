import { beforeEach, describe, expect, it } from 'vitest';
import { Ns16550 } from '../../../src/devices/ns16550.js';
import { Bench } from './conformance.js';

const [RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 3, 4, 5, 6, 7];
/** 10 bits at 115200 baud. */
const CHARACTER_NS = 86_806;

describe('16550A', () => {
  let bench: Bench;
  let uart: Ns16550;
  let sent: number[];
  const irq = () => bench.levels['irq4'];
  const characters = (count: number) => bench.advanceNs(count * CHARACTER_NS);
  const send = (count: number, first = 1) => uart.receive(Uint8Array.from({ length: count }, (_, n) => first + n));

  beforeEach(() => {
    bench = new Bench();
    sent = [];
    uart = new Ns16550('uart0', {
      clock: bench.clock,
      timers: bench.timers,
      irq: bench.line('irq4'),
      onTransmit: (byte) => sent.push(byte),
    });
    bench.map(0, 8, uart.ports);
    bench.write(LCR, 0x83);
    bench.write(0, 1);
    bench.write(1, 0);
    bench.write(LCR, 0x03);
    bench.write(MCR, 0x0b);
  });
  const fifo = (trigger = 0) => bench.write(IIR, (trigger << 6) | 0x07);

  it('transmits at once and is empty at once', () => {
    bench.write(RBR, 0x41);
    expect(sent).toEqual([0x41]);
    expect(bench.read(LSR)).toBe(0x60);
  });

  it('keeps the divisor behind DLAB', () => {
    bench.write(LCR, 0x80);
    bench.write(0, 0x34);
    bench.write(1, 0x12);
    expect([bench.read(0), bench.read(1)]).toEqual([0x34, 0x12]);
    bench.write(LCR, 0x03);
    expect(bench.read(IER)).toBe(0);
    expect(sent).toEqual([]);
  });

  it('receives at the character rate without overrunning a guest that does not read', () => {
    bench.write(IER, 0x01);
    send(3);
    characters(0.9);
    expect(bench.read(LSR) & 1).toBe(0);
    characters(0.2);
    expect(bench.read(LSR) & 1).toBe(1);
    expect(irq()).toBe(true);
    characters(1000);
    expect(bench.read(LSR) & 3).toBe(1);
    expect(uart.waitingBytes).toBe(2);
    expect(bench.read(RBR)).toBe(1);
    expect(irq()).toBe(false);
    characters(1);
    expect(bench.read(RBR)).toBe(2);
  });

  it('interrupts at the FIFO trigger level', () => {
    fifo(2); // 8 bytes
    bench.write(IER, 0x01);
    send(16);
    characters(7.5);
    expect(irq()).toBe(false);
    characters(1);
    expect(irq()).toBe(true);
    expect(bench.read(IIR)).toBe(0xc4);
    bench.read(RBR);
    expect(bench.read(IIR)).toBe(0xc1);
  });

  it('reports a few characters after a time-out of four character times', () => {
    fifo(3);
    bench.write(IER, 0x01);
    send(2);
    characters(2.1);
    expect(irq()).toBe(false);
    characters(4);
    expect(bench.read(IIR)).toBe(0xcc);
    bench.read(RBR);
    expect(irq()).toBe(false);
    characters(4.1);
    expect(bench.read(IIR)).toBe(0xcc);
    bench.read(RBR);
    characters(10);
    expect(bench.read(IIR)).toBe(0xc1);
  });

  it('loses nothing of a long paste through the 16-byte FIFO', () => {
    fifo(1);
    bench.write(IER, 0x01);
    send(200, 0);
    const got: number[] = [];
    for (let n = 0; n < 1000 && got.length < 200; n++) {
      characters(30);
      while (bench.read(LSR) & 1) got.push(bench.read(RBR));
    }
    expect(got).toEqual(Array.from({ length: 200 }, (_, n) => n));
  });

  it('raises THRE when enabled, clears it by reading IIR, raises it again after the next byte', () => {
    bench.write(IER, 0x02);
    expect(irq()).toBe(true);
    expect(bench.read(IIR)).toBe(0x02);
    expect(irq()).toBe(false);
    expect(bench.read(IIR)).toBe(0x01);
    bench.write(RBR, 0x41);
    expect(irq()).toBe(true);
    bench.read(IIR);
    // Drivers test that enabling the interrupt anew raises it although it was acknowledged.
    bench.write(IER, 0x00);
    bench.write(IER, 0x02);
    expect(bench.read(IIR)).toBe(0x02);
  });

  it('orders causes: line status, data, THRE, modem status', () => {
    bench.write(IER, 0x0f);
    uart.setModemInputs(0);
    bench.write(MCR, 0x1b); // loopback: overrun the receiver buffer
    bench.write(RBR, 1);
    bench.write(RBR, 2);
    bench.write(MCR, 0x0b);
    expect(bench.read(IIR)).toBe(0x06);
    expect(bench.read(LSR)).toBe(0x63);
    expect(bench.read(LSR)).toBe(0x61);
    expect(bench.read(IIR)).toBe(0x04);
    expect(bench.read(RBR)).toBe(2);
    expect(bench.read(IIR)).toBe(0x02);
    expect(bench.read(IIR)).toBe(0x00);
    bench.read(MSR);
    expect(bench.read(IIR)).toBe(0x01);
    expect(irq()).toBe(false);
  });

  it('keeps the first bytes when a full FIFO is overrun in loopback', () => {
    fifo();
    bench.write(MCR, 0x10);
    for (let n = 0; n < 20; n++) bench.write(RBR, n);
    expect(bench.read(LSR) & 2).toBe(2);
    for (let n = 0; n < 16; n++) expect(bench.read(RBR)).toBe(n);
    expect(bench.read(LSR) & 1).toBe(0);
    expect(sent).toEqual([]);
  });

  it('loops modem outputs back to its inputs', () => {
    bench.write(MCR, 0x1a);
    expect(bench.read(MSR) & 0xf0).toBe(0x90);
    bench.write(MCR, 0x15);
    expect(bench.read(MSR) & 0xf0).toBe(0x60);
  });

  it('reports modem changes once; RI only when it ends', () => {
    expect(bench.read(MSR)).toBe(0xb0);
    uart.setModemInputs(0x70);
    expect(bench.read(MSR)).toBe(0x78);
    uart.setModemInputs(0x30);
    expect(bench.read(MSR)).toBe(0x34);
    expect(bench.read(MSR)).toBe(0x30);
  });

  it('passes interrupts to the bus only through OUT2', () => {
    bench.write(MCR, 0x03);
    bench.write(IER, 0x02);
    expect(irq()).toBe(false);
    bench.write(MCR, 0x0b);
    expect(irq()).toBe(true);
  });

  it('looks like a 16550A and nothing newer to a probing driver', () => {
    bench.write(SCR, 0xaa);
    expect(bench.read(SCR)).toBe(0xaa);
    bench.write(IER, 0xff);
    expect(bench.read(IER)).toBe(0x0f);
    bench.write(IIR, 0x21);
    expect(bench.read(IIR) & 0xe0).toBe(0xc0);
    bench.write(IIR, 0x00);
    expect(bench.read(IIR) & 0xc0).toBe(0x00);
  });

  it('empties the receiver FIFO on command', () => {
    fifo();
    send(3);
    characters(4);
    bench.write(IIR, 0x03);
    expect(bench.read(LSR) & 1).toBe(0);
  });

  it('keeps what the host sent over a reset of the machine', () => {
    send(2);
    uart.reset();
    expect(bench.read(IER)).toBe(0);
    bench.advanceNs(20 * CHARACTER_NS);
    expect(bench.read(RBR)).toBe(1);
  });
});
