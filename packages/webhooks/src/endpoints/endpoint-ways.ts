import { OptionsError } from '@oncekey/core'
import { checkEndpointTls, type EndpointTls } from '../dialing/endpoint-tls.ts'
import type { ResolvedOptions } from '../options/options.ts'
import { sealSecret } from '../sealing/sealed-secret.ts'
import type { StoredWays } from '../statements/endpoints.ts'
import { checkEndpointHeaders } from './endpoint-headers.ts'

/** Settings of an endpoint's requests, besides the URL. */
export interface EndpointWays {
  /**
   * Headers sent with every delivery, such as `authorization`; stored like signing secrets. Headers
   * that sign or frame the request are refused (`webhook-*`, `content-*`, `host`, hop-by-hop).
   */
  readonly headers?: Readonly<Record<string, string>>
  /** A CA or a client certificate for this endpoint; stored like signing secrets. */
  readonly tls?: EndpointTls
  /**
   * The most deliveries per second, over all workers, by the database's clock. 0.1 means one every
   * ten seconds.
   */
  readonly rate?: number
}

/** A change of these settings: `null` removes a setting, and a missing one stays as it is. */
export type ChangedWays = { readonly [Way in keyof EndpointWays]?: EndpointWays[Way] | null }

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

function checkRate(rate: number): number {
  if (typeof rate === 'number' && rate >= LEAST_RATE && rate <= MOST_RATE) return rate
  throw new OptionsError(
    `rate must be a number of deliveries a second from ${LEAST_RATE} to ${MOST_RATE}, or null, not ${String(rate)}.`,
  )
}

const LEAST_RATE = 0.001
const MOST_RATE = 10_000
