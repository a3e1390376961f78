import { OncekeyError, OptionsError } from '@oncekey/core'
import ipaddr from 'ipaddr.js'

/** Throws `address-forbidden` for an address that a customer's URL must not reach. */
export type AddressGuard = (address: string) => void

/**
 * Allows public unicast addresses and the listed ones: `'10.1.0.0/16'`, `'127.0.0.1'`. Addresses
 * with a special purpose in the IANA registries (RFC 6890) are refused, as are IPv6 addresses that
 * only carry an IPv4 address (6to4, Teredo, local NAT64), whatever that address is.
 *
 * A mapped IPv4 address counts as IPv4, and so does one in `64:ff9b::/96`: where a network has
 * DNS64, its own name servers make such an address of a public IPv4 address, and its NAT64 gateway
 * connects to the IPv4 address in it (RFC 6052).
 */
export function addressGuard(allowed: readonly string[] = []): AddressGuard {
  const ranges = allowed.map(parseRange)
  return (address) => {
    const parsed = ipaddr.isValid(address) ? reached(ipaddr.process(address)) : undefined
    if (parsed === undefined) throw forbidden(`"${address}" is not an IP address`)
    if (ranges.some(([base, bits]) => parsed.kind() === base.kind() && parsed.match(base, bits))) {
      return
    }
    if (!isPublic(parsed)) throw forbidden(`${address} is not a public address`)
    const service = CLOUD_SERVICES[parsed.toString()]
    if (service !== undefined) throw forbidden(`${address} is ${service}`)
  }
}

/** The address that is connected to in the end. */
function reached(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (address.kind() === 'ipv4' || !address.match(NAT64)) return address
  return new ipaddr.IPv4(address.toByteArray().slice(-4))
}

function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address.range() !== 'unicast') return false
  // IANA has allocated only 2000::/3, so no other address is public.
  return address.kind() === 'ipv4' || address.match(GLOBAL_UNICAST)
}

/** Internal services of clouds that have addresses in the public range. */
const CLOUD_SERVICES: Readonly<Record<string, string>> = {
  '168.63.129.16': "Azure's WireServer, which serves virtual machines",
}

const NAT64 = ipaddr.parseCIDR('64:ff9b::/96') as [ipaddr.IPv6, number]
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3') as [ipaddr.IPv6, number]

function parseRange(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  // Only plain notation is accepted: a shorthand such as '127.1' or '10/8' could allow more than
  // was meant.
  const isPlain = /^(?:\d+\.\d+\.\d+\.\d+|[\da-f:]*:[\da-f:]*)(?:\/\d+)?$/i.test(text)
  if (isPlain && ipaddr.isValidCIDR(text)) return notNat64(text, ipaddr.parseCIDR(text))
  if (isPlain && ipaddr.isValid(text)) {
    const address = ipaddr.process(text)
    return notNat64(text, [address, address.kind() === 'ipv4' ? 32 : 128])
  }
  throw new OptionsError(
    `allowAddresses takes addresses and ranges such as '127.0.0.1' or '10.1.0.0/16', not '${text}'.`,
  )
}

/** Refuses what lies in `64:ff9b::/96`: it counts as IPv4, so such an entry would allow nothing. */
function notNat64(
  text: string,
  [base, bits]: [ipaddr.IPv4 | ipaddr.IPv6, number],
): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  if (bits < 96 || reached(base).kind() === base.kind()) return [base, bits]
  throw new OptionsError(
    `allowAddresses: '${text}' stands for IPv4 addresses (NAT64). Public ones need not be listed; of others list the IPv4 addresses.`,
  )
}

function forbidden(why: string): OncekeyError {
  return new OncekeyError('address-forbidden', `This URL is not delivered to: ${why}.`)
}
