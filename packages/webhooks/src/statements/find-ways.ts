import type { Statement } from '@oncekey/postgres/client'
import type { StoredSecret } from './claim-deliveries.ts'

/** An endpoint's own headers and certificates, as they are kept. */
export function findWays(schema: string, endpointId: string): Statement<{ ways: string }> {
  return {
    name: 'find_ways',
    text: `
      select json_build_object('headers', headers, 'tls', tls)::text as ways
        from ${schema}.webhook_endpoints where id = $1::uuid`,
    values: [endpointId],
  }
}

/** What `ways` is, in JSON. */
export interface WaysJson {
  readonly headers: StoredSecret | null
  readonly tls: StoredSecret | null
}
