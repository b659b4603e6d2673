import type { Hashing } from '../base/hash.js';
import { MmioBus, PortBus } from '../core/bus.js';
import type { Device } from '../core/device.js';
import { SharedIrqLine, UNCONNECTED, type IrqLine } from '../core/irq.js';
import { InputGate } from '../core/input-gate.js';
import { TimerQueue } from '../core/timers.js';
import type { CpuCode } from '../cpu/code.js';
import { Cpu } from '../cpu/cpu.js';
import type { Tier } from '../cpu/cpu-options.js';
import { Backdoor } from '../devices/backdoor/backdoor.js';
import { MAGIC, PORT } from '../devices/backdoor/protocol.js';
import { IO_APIC_BASE, IO_APIC_BYTES } from '../devices/apic/io-apic.js';
import { BOOT_DISK_PORT_COUNT, BootDisk } from '../devices/bootdisk.js';
import { BaseImages } from '../devices/disk/base-images.js';
import { Disk } from '../devices/disk/disk.js';
import { decodeMediaChange } from '../devices/disk/medium.js';
import { Cmos } from '../devices/cmos.js';
import { Debugcon } from '../devices/debugcon.js';
import { Dma } from '../devices/dma.js';
import { FDC_PORT_COUNT, Fdc } from '../devices/fdc.js';
import { rateOf, type FloppyDrive } from '../devices/floppy-drives.js';
import { FW_CFG_PORT_COUNT, FwCfg } from '../devices/fw-cfg.js';
import { I8042 } from '../devices/i8042.js';
import { Ns16550 } from '../devices/ns16550.js';
import { PARALLEL_PORT_COUNT, Parallel } from '../devices/parallel.js';
import { COMMAND_PORTS, CONTROL_PORTS } from '../devices/ide/ide-channel.js';
import { Piix3Ide } from '../devices/ide/piix3-ide.js';
import { I440Fx } from '../devices/pci/i440fx.js';
import { PCI_PORT_COUNT, PciBus } from '../devices/pci/pci-bus.js';
import { Piix3 } from '../devices/pci/piix3.js';
import { Piix4Pm } from '../devices/pci/piix4-pm.js';
import { Pic } from '../devices/pic.js';
import { Pit } from '../devices/pit.js';
import { decodeMouseInput } from '../devices/ps2-mouse.js';
import { Port92 } from '../devices/port92.js';
import { POWER_PORT_COUNT, Power } from '../devices/power.js';
import { DISPI_PORT_COUNT, VGA_PORT_COUNT, Vga } from '../devices/vga/vga.js';
import { VMPORT, VMPORT_MAGIC, Vmport } from '../devices/vmport.js';
import { cpuidOf, type MachineConfig } from './config.js';
import { createApics, isaPin } from './apics.js';
import { bootUnits, driveType, romUnits, type DriveId } from './drives.js';
import { Machine } from './machine.js';
import { DEVICE_MEMORY, MemoryMap, NETWORK_ROM_BYTES, VIDEO_RAM_BYTES, VIDEO_ROM_BYTES } from './memory-map.js';
import { PIRQ_ELCR } from './firmware/pci-setup.js';
import { FIRST_NETWORK_SLOT, NETWORK_CARD_MODELS, parseMac } from './network-cards.js';
import { PortCaller } from './port-caller.js';

/** ACPI fixed hardware: base port and interrupt. */
export const PM_BASE = 0x600;
export const SCI_IRQ = 9;
/** The second interrupt controller hangs here. */
const CASCADE_IRQ = 2;
export const SERIAL_PORTS = [
  { base: 0x3f8, irq: 4 },
  { base: 0x2f8, irq: 3 },
  { base: 0x3e8, irq: 4 },
  { base: 0x2e8, irq: 3 },
] as const;
export const PARALLEL_PORTS = [{ base: 0x378, irq: 7 }] as const;
const BOOT_DISK_BASE = 0x5260;
/** Command and control blocks of the ATA channels. */
const ATA_PORTS = [
  { command: 0x1f0, control: 0x3f6 },
  { command: 0x170, control: 0x376 },
] as const;

export interface PcOptions {
  readonly config: MachineConfig;
  readonly code: CpuCode;
  readonly hashing: Hashing;
  /** Engines to use; invisible to the guest and in no recording. */
  readonly tier?: Tier;
}

/** A wired machine with handles to the parts that the outside talks to. */
export interface Pc {
  readonly config: MachineConfig;
  readonly machine: Machine;
  readonly memoryMap: MemoryMap;
  readonly fwCfg: FwCfg;
  readonly pci: PciBus;
  readonly pic: Pic;
  readonly cmos: Cmos;
  readonly uarts: readonly Ns16550[];
  readonly keyboard: I8042;
  readonly vga: Vga;
  readonly power: Power;
  readonly backdoor: Backdoor;
  /** Media of the drives. */
  readonly disks: ReadonlyMap<DriveId, Disk>;
  /** Where base blocks come from; empty while a recording is followed. */
  readonly images: BaseImages;
}

/** Wires a PC/AT. The only place that knows which chip sits at which port and line. */
export function createPc({ config, code, hashing, tier }: PcOptions): Pc {
  const ports = new PortBus();
  const mmio = new MmioBus();
  const timers = new TimerQueue();
  const gate = new InputGate();
  const devices: Device[] = [];
  const add = <D extends Device>(device: D): D => {
    devices.push(device);
    return device;
  };

  const onPicIntr = (level: boolean): void => {
    if (apics === null) cpu.setInterrupt(level);
    else apics.local.lint0.set(level);
  };
  const pic = add(new Pic('pic', { onIntr: onPicIntr, resetElcr: (1 << SCI_IRQ) | PIRQ_ELCR }));
  const isaLines = Array.from({ length: 16 }, (_, irq) => {
    if (irq === CASCADE_IRQ) return new SharedIrqLine(UNCONNECTED);
    const input = pic.line(irq);
    if (!config.apic) return new SharedIrqLine(input);
    const pin = isaPin(irq);
    return new SharedIrqLine({
      set: (level) => {
        input.set(level);
        apics!.io.line(pin).set(level);
      },
    });
  });
  /** A source of its own on an ISA interrupt. */
  const isaLine = (irq: number): IrqLine => isaLines[irq].input();
  const ferr = isaLine(13);
  const cpu: Cpu = new Cpu({
    code,
    tier,
    ramBytes: config.memoryBytes,
    deviceBytes: DEVICE_MEMORY.end,
    mmio,
    io: {
      read: (port, width) => {
        // Ring 3 that the policy has nothing for finds the empty port, even where IOPL lets it read.
        const isCall = width === 4 && (caller.cpl < 3 || backdoor.state.ring3);
        if (!isCall || (port !== PORT && port !== VMPORT)) return ports.read(port, width);
        // Not through the bus, but an access all the same.
        ports.accesses++;
        return port === PORT ? backdoor.portIn32(caller) : vmport.portIn32(caller);
      },
      write: (port, value, width) => ports.write(port, value, width),
      steadyUntil: (port) => ports.steadyUntil(port),
      // Only the call itself: everything else at the port obeys the I/O privilege level.
      exempt: (port, width, isRead) => {
        const magic = port === PORT ? MAGIC : port === VMPORT ? VMPORT_MAGIC : null;
        return isRead && width === 4 && magic !== null && backdoor.state.ring3 && caller.get('eax') === magic;
      },
    },
    nsPerTick: config.nsPerTick,
    cpuid: cpuidOf(config),
    acknowledge: () => (apics === null ? pic.acknowledge() : apics.local.acknowledge()),
    onApicBase: () => apics?.local.baseWritten(),
    onFerr: (level) => ferr.set(level),
  });
  const apics = config.apic ? createApics({ cpu, timers, pic }) : null;
  if (apics !== null) {
    add(apics.local);
    add(apics.io);
    mmio.map('io-apic', IO_APIC_BASE, IO_APIC_BYTES, apics.io.registers);
  }
  ports.map('pic', 0x20, 2, pic.masterPorts);
  ports.map('pic', 0xa0, 2, pic.slavePorts);
  ports.map('pic', 0x4d0, 2, pic.elcrPorts);
  // PC/AT: a write to F0h clears the x87's error latch.
  ports.map('fpu', 0xf0, 1, { read: () => 0xff, write: () => cpu.clearFerr() });
  const clock = cpu;
  const onA20 = (level: boolean): void => {
    if (cpu.physical.a20 === level) return;
    cpu.physical.a20 = level;
    cpu.memory.tlb.flushAll();
  };
  const onReset = (): void => machine.requestReset();

  const isBuiltIn = config.firmware === 'builtin';
  const memoryMap = new MemoryMap(cpu, mmio);
  const pci = add(new PciBus('pci', { onReset, onAperture: memoryMap.onAperture }));
  ports.map('pci', 0xcf8, PCI_PORT_COUNT, pci.ports);
  ports.movable = (port) => pci.portAt(port);
  mmio.movable = (address) => apics?.local.mappingAt(address) ?? pci.memoryAt(address);
  pci.plug('i440fx', 0, 0, add(new I440Fx('i440fx', { hasTablesInRam: isBuiltIn, onShadow: memoryMap.onShadow })));
  const piix3 = pci.plug('piix3', 1, 0, add(new Piix3('piix3', { isaLine })));

  const pit = add(new Pit('pit', { clock, timers, irq0: isaLine(0) }));
  ports.map('pit', 0x40, 4, pit.ports);
  ports.map('pit', 0x61, 1, pit.controlPorts);
  const cmos = add(new Cmos('cmos', { clock, timers, irq8: isaLine(8), epochSeconds: config.epochSeconds }));
  ports.map('cmos', 0x70, 2, cmos.ports);
  const uarts = SERIAL_PORTS.slice(0, config.serialPorts).map(({ base, irq }, i) => {
    const onTransmit = (byte: number): void => gate.output('serial', i, Uint8Array.of(byte));
    const uart = add(new Ns16550(`uart${i}`, { clock, timers, irq: isaLine(irq), onTransmit }));
    ports.map(`uart${i}`, base, 8, uart.ports);
    return uart;
  });
  gate.receive('serial', (payload) => uarts[payload[0]]?.receive(payload.subarray(1)));
  for (const [i, { base, irq }] of PARALLEL_PORTS.slice(0, config.parallelPorts).entries()) {
    const onByte = (byte: number): void => gate.output('parallel', i, Uint8Array.of(byte));
    const parallel = add(new Parallel(`parallel${i}`, { clock, timers, irq: isaLine(irq), onByte }));
    ports.map(`parallel${i}`, base, PARALLEL_PORT_COUNT, parallel.ports);
  }
  const keyboard = add(new I8042('i8042', { clock, timers, irq1: isaLine(1), irq12: isaLine(12), onA20, onReset }));
  ports.map('i8042', 0x60, 1, keyboard.dataPorts);
  ports.map('i8042', 0x64, 1, keyboard.commandPorts);
  gate.receive('key', (payload) => keyboard.keyBytes(payload));
  gate.receive('mouse', (payload) => keyboard.mouseMove(decodeMouseInput(payload)));
  const port92 = add(new Port92('port92', { onA20, onReset }));
  ports.map('port92', 0x92, 1, port92.ports);
  const dma = add(new Dma('dma', cpu.physical.dma));
  ports.map('dma', 0x00, 16, dma.lowPorts);
  ports.map('dma', 0xc0, 32, dma.highPorts);
  ports.map('dma', 0x80, 16, dma.pagePorts);
  const vga = add(
    new Vga('vga', {
      clock,
      videoRam: cpu.physical.deviceMemory(DEVICE_MEMORY.videoRam, VIDEO_RAM_BYTES),
      videoRamOffset: DEVICE_MEMORY.videoRam,
      ...(config.hasVideoRom ? { rom: { sizeBytes: VIDEO_ROM_BYTES, deviceMemory: DEVICE_MEMORY.videoRom } } : {}),
      onWindow: memoryMap.onVideoWindow,
    }),
  );
  ports.map('vga', 0x3b0, VGA_PORT_COUNT, vga.ports);
  ports.map('vga', 0x1ce, DISPI_PORT_COUNT, vga.dispiPorts);
  mmio.map('vga', 0xa0000, 0x20000, vga.window);
  pci.plug('vga', 2, 0, vga);
  const power = add(
    new Power('power', {
      clock,
      timers,
      sci: isaLine(SCI_IRQ),
      onPowerOff: () => machine.end({ kind: 'powered-off' }),
    }),
  );
  const pmRegisters = { registers: power.ports, registerCount: POWER_PORT_COUNT };
  const pm = new Piix4Pm('piix4-pm', { ...pmRegisters, presetBase: isBuiltIn ? PM_BASE : 0 });
  ports.map('piix4-pm', 0xb2, 2, pci.plug('piix4-pm', 1, 3, add(pm)).apmPorts);
  gate.receive('power-button', () => power.pressPowerButton());
  const onOutput = (byte: number): void => gate.output('debugcon', 0, Uint8Array.of(byte));
  const debugcon = add(new Debugcon('debugcon', { onOutput }));
  ports.map('debugcon', 0xe9, 1, debugcon.ports);
  const onBiosOutput = (byte: number): void => gate.output('debugcon', 1, Uint8Array.of(byte));
  const biosConsole = add(new Debugcon('bios-console', { onOutput: onBiosOutput }));
  ports.map('bios-console', 0x402, 1, biosConsole.ports);
  const fwCfg = add(new FwCfg('fw-cfg'));
  ports.map('fw-cfg', 0x510, FW_CFG_PORT_COUNT, fwCfg.ports);

  const images = new BaseImages();
  const disks = new Map<DriveId, Disk>();
  for (const { id, kind, medium } of config.drives) disks.set(id, add(new Disk(id, { kind, gate, images, medium })));
  const ataDisk = (id: DriveId): Disk | null => disks.get(id) ?? null;
  const ide = new Piix3Ide('ide', {
    clock,
    timers,
    memory: cpu.physical.dma,
    irq14: isaLine(14),
    irq15: isaLine(15),
    disks: [ataDisk('hda'), ataDisk('hdb'), ataDisk('hdc'), ataDisk('hdd')],
    isPreset: isBuiltIn,
  });
  pci.plug('ide', 1, 1, add(ide));
  for (const [i, { command, control }] of ATA_PORTS.entries()) {
    ports.map(`ide${i}`, command, COMMAND_PORTS, ide.channels[i].commandPorts);
    ports.map(`ide${i}`, control, CONTROL_PORTS, ide.channels[i].controlPorts);
  }
  gate.receive('media', (payload) => {
    const { drive, medium } = decodeMediaChange(payload);
    const present = config.drives[drive];
    if (present !== undefined && present.kind !== 'disk') disks.get(present.id)!.insert(medium);
  });

  const diskette = (id: DriveId): FloppyDrive | null => {
    const drive = config.drives.find((d) => d.id === id);
    return drive === undefined ? null : { medium: disks.get(id)!, type: driveType(drive.medium) };
  };
  const fdc = add(
    new Fdc('fdc', {
      clock,
      timers,
      dma,
      irq: isaLine(6),
      drives: [diskette('fda'), diskette('fdb')],
      ...(isBuiltIn ? { presetRate: rateOf(config.drives.find((d) => d.id === 'fda')?.medium ?? null) } : {}),
    }),
  );
  ports.map('fdc', 0x3f0, FDC_PORT_COUNT, fdc.ports);
  ports.map('fdc', 0x3f7, 1, fdc.directionPorts);

  const caller = new PortCaller(cpu);
  const backdoor = add(
    new Backdoor('backdoor', { gate, hashing, onExit: (code) => machine.end({ kind: 'exit', code }) }),
  );
  ports.map('backdoor', PORT, 4, backdoor.ports);
  const vmport = new Vmport({ gate, service: () => backdoor.service });
  ports.map('vmport', VMPORT, 4, vmport.ports);
  const bootDisk = add(
    new BootDisk('bootdisk', {
      units: romUnits(config.drives, disks),
      bootOrder: bootUnits(config.drives, config.bootOrder),
      ...(config.bootEntry === null ? {} : { entry: config.bootEntry }),
    }),
  );
  ports.map('bootdisk', BOOT_DISK_BASE, BOOT_DISK_PORT_COUNT, bootDisk.ports);

  const networkCards = config.networkCards.map(({ model, mac, hasRom }, n) => {
    const slot = FIRST_NETWORK_SLOT + n;
    const rom = { sizeBytes: NETWORK_ROM_BYTES, deviceMemory: DEVICE_MEMORY.networkRom + n * NETWORK_ROM_BYTES };
    const card = NETWORK_CARD_MODELS[model](`net${n}`, {
      clock,
      timers,
      memory: cpu.physical.dma,
      irq: piix3.line(slot, 1),
      mac: parseMac(mac)!,
      transmit: (frame) => gate.output('frame', n, frame),
      ...(hasRom ? { rom } : {}),
    });
    return pci.plug(`net${n}`, slot, 0, add(card));
  });
  if (networkCards.length > 0) {
    gate.receive('frame', (payload) => networkCards[payload[0]]?.receive(payload.subarray(1)));
  }

  pci.remap();
  const machine = new Machine({ cpu, ports, timers, gate, devices, hashing });
  gate.receive('reset', onReset);
  return {
    config,
    machine,
    fwCfg,
    memoryMap,
    pci,
    pic,
    cmos,
    uarts,
    keyboard,
    vga,
    power,
    backdoor,
    disks,
    images,
  };
}
