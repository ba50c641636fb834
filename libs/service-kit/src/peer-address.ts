import { BlockList, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** The host of "host:port", "[ipv6]:port" or a gRPC target such as "dns:///host:port". */
export function hostOf(address: string): string {
  const authority = address.slice(address.lastIndexOf('/') + 1);
  const host = authority.replace(/:\d+$/, '');
  return host.replace(/^\[(.*)\]$/, '$1');
}

/** Whether what is sent to `address` cannot leave this machine. Names but "localhost" may point anywhere. */
export function isLoopback(address: string): boolean {
  const host = hostOf(address);
  const family = isIP(host);
  if (family === 0) return host === 'localhost';
  return LOOPBACK.check(host, family === 4 ? 'ipv4' : 'ipv6');
}
