import ipaddr from 'ipaddr.js';

/**
 * True only for an address that is routed on the public internet and means nothing but itself. Everything the registries set apart is refused: private,
 * loopback, link-local (cloud metadata), carrier-grade NAT, multicast, reserved, documentation; and for IPv6 every form that carries an IPv4 address
 * inside it (mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP), because a router on the way may unpack it to a private one.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address) || address.includes('%')) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  if (parsed instanceof ipaddr.IPv4) return ipaddr.IPv4.isValidFourPartDecimal(address);
  const parts = (parsed as ipaddr.IPv6).parts;
  // Global unicast is 2000::/3; what lies outside and is called unicast by the library is unassigned or ::/96, the old compatible form.
  return (parts[0]! & 0xe000) === 0x2000 && !isIsatap(parts);
}

/** RFC 5214: the interface identifier is 0000:5efe or 0200:5efe, then an IPv4 address. */
function isIsatap(parts: readonly number[]): boolean {
  return parts[5] === 0x5efe && (parts[4]! & 0xfdff) === 0;
}
