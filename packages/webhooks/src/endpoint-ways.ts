import { OptionsError } from '@oncekey/core'
import { checkEndpointHeaders } from './endpoint-headers.ts'
import { checkEndpointTls, type EndpointTls } from './endpoint-tls.ts'
import type { ResolvedOptions } from './options.ts'
import { openSecret, sealSecret } from './sealed-secret.ts'
import type { StoredSecret } from './statements/claim-deliveries.ts'

/** How an endpoint wants to be reached. */
export interface EndpointWays {
  /**
   * Sent with every delivery, such as `authorization`; kept as signing secrets are. Not those that sign
   * or frame the request (`webhook-*`, `content-*`, `host`, hop-by-hop).
   */
  readonly headers?: Readonly<Record<string, string>>
  /** A CA or a client certificate of its own; kept as signing secrets are. */
  readonly tls?: EndpointTls
  /** Deliveries a second at most, over all workers, by the database's clock; 0.1 is one every ten seconds. */
  readonly rate?: number
}

/** What of it changes: `null` takes it away. */
export type ChangedWays = { readonly [Way in keyof EndpointWays]?: EndpointWays[Way] | null }

/** As it goes into statements. `undefined` is left as it is, `null` is none. */
export interface StoredWays {
  readonly headers: (StoredSecret & { readonly names: readonly string[] }) | null | undefined
  readonly tls: StoredSecret | null | undefined
  readonly rate: number | null | undefined
}

export function storedWays(
  { headers, tls, rate }: ChangedWays,
  endpointId: string,
  { seal }: Pick<ResolvedOptions, 'seal'>,
): StoredWays {
  return {
    headers: headers === undefined || headers === null ? headers : stored(headers),
    tls:
      tls === undefined || tls === null
        ? tls
        : sealSecret(JSON.stringify(checkEndpointTls(tls)), endpointId, seal, 'tls'),
    rate: rate === undefined || rate === null ? rate : checkRate(rate),
  }

  function stored(given: Readonly<Record<string, string>>): StoredWays['headers'] {
    const own = checkEndpointHeaders(given)
    const names = Object.keys(own)
    if (names.length === 0) return null
    return { ...sealSecret(JSON.stringify(own), endpointId, seal, 'headers'), names }
  }
}

/** Throws `seal-key-missing` or `seal-broken`, as signing secrets do. */
export function openWays(
  { headers, tls }: { readonly headers: StoredSecret | null; readonly tls: StoredSecret | null },
  endpointId: string,
  { seal }: Pick<ResolvedOptions, 'seal'>,
): { readonly headers: Record<string, string>; readonly tls: EndpointTls | undefined } {
  return {
    headers: headers === null ? {} : JSON.parse(openSecret(headers, endpointId, seal, 'headers')),
    tls: tls === null ? undefined : JSON.parse(openSecret(tls, endpointId, seal, 'tls')),
  }
}

function checkRate(rate: number): number {
  if (typeof rate === 'number' && rate >= LEAST_RATE && rate <= MOST_RATE) return rate
  throw new OptionsError(
    `rate: deliveries a second, from ${LEAST_RATE} to ${MOST_RATE}, or null; not ${String(rate)}.`,
  )
}

const LEAST_RATE = 0.001
const MOST_RATE = 10_000
