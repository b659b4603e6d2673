import type { NetworkBackend, NetworkBackendOptions } from '../../harness/network.js';
import { PcapNetwork } from './pcap-network.js';
import { StreamNetwork } from './stream-network.js';
import { UserNetwork } from './user-network.js';

/** A cable that ends nowhere. */
const NOWHERE: NetworkBackend = { send: () => {}, onFrame: () => {}, close: () => {} };

/** Opens what a network card is connected to. Throws HOST_IO or USAGE. */
export async function openNetwork(options: NetworkBackendOptions): Promise<NetworkBackend> {
  switch (options.kind) {
    case 'none':
      return { ...NOWHERE };
    case 'user':
      return UserNetwork.open(options);
    case 'stream':
      return StreamNetwork.open(options);
    case 'pcap':
      return new PcapNetwork(options);
  }
}
