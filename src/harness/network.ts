/** Networks that a machine's cards can be connected to. Replay opens none. */

/** What a card is connected to. Frames have neither preamble nor checksum. */
export interface NetworkBackend {
  /** A frame from the guest; not kept beyond the call. */
  send(frame: Uint8Array): void;
  /** Set by whoever connects a card: called with each frame for the guest. */
  onFrame: (frame: Uint8Array) => void;
  /** Asked between slices, with the guest's time in nanoseconds, by networks that keep to it. */
  poll?(ns: number): void;
  close(): void;
}

/** A port of the host that leads to one of the guest's. */
export interface HostForward {
  readonly protocol: 'tcp' | 'udp';
  /** All of the host's addresses unless given. */
  readonly hostAddress?: string;
  readonly hostPort: number;
  /** 10.0.2.15 unless given. */
  readonly guestAddress?: string;
  readonly guestPort: number;
}

/** Address translation without privileges: 10.0.2.0/24, the host at 10.0.2.2, DNS at 10.0.2.3, DHCP from 10.0.2.15. */
export interface UserNetworkOptions {
  readonly kind: 'user';
  readonly hostForwards?: readonly HostForward[];
  /** Nothing leaves; forwarded ports and what the network itself answers remain. */
  readonly restrict?: boolean;
  readonly hostName?: string;
}

/** QEMU's stream: frames with their length (32 bits, big-endian) over a socket. */
export interface StreamNetworkOptions {
  readonly kind: 'stream';
  /** `path` of a UNIX socket, or `host` and `port`. */
  readonly path?: string;
  readonly host?: string;
  readonly port?: number;
  /** Waits for the other end instead of calling it. */
  readonly server?: boolean;
}

/** The frames of a capture, with its timing. What the guest sends goes nowhere. */
export interface PcapNetworkOptions {
  readonly kind: 'pcap';
  readonly file: string;
}

export type NetworkBackendOptions =
  { readonly kind: 'none' } | UserNetworkOptions | StreamNetworkOptions | PcapNetworkOptions;

/** A network card and what it is connected to. */
export interface NetworkOptions {
  /** `e1000` (the default) or `ne2k_pci`. */
  readonly model?: string;
  /** `52:54:00:12:34:56` and up unless given. */
  readonly mac?: string;
  /** Address translation unless given. */
  readonly backend?: NetworkBackendOptions;
}
