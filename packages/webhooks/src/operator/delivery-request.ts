import { requestHeaders } from '../delivery/sign-and-send.ts'
import { endpointOf } from '../endpoints/endpoint.ts'
import type { ResolvedOptions } from '../options/options.ts'
import { type DeliveryJson, findDelivery } from '../statements/deliveries.ts'
import { findEndpoint } from '../statements/endpoints.ts'
import { firstRow, runStatement } from '../statements/run-statement.ts'
import { listSecrets, readAt, type SecretJson } from '../statements/secrets.ts'

/**
 * A delivery as the request that would be sent at this moment, so that a receiver can be tried by
 * hand.
 */
export interface WebhookRequest {
  readonly method: 'POST'
  readonly url: string
  /**
   * The headers, signed at this moment with every secret in force. The values of the endpoint's own
   * headers are not shown.
   */
  readonly headers: Readonly<Record<string, string>>
  /** The body that is sent, byte for byte. */
  readonly body: string
}

/** Resolves with `undefined` if there is no such delivery, or if its endpoint was deleted. */
export async function deliveryRequest(
  options: ResolvedOptions,
  id: string,
): Promise<WebhookRequest | undefined> {
  const { schema } = options
  const row = await firstRow(options, findDelivery(schema, id))
  if (row === undefined) return undefined
  const { endpointId, eventId, attempts }: DeliveryJson = JSON.parse(row.delivery)
  const found = await firstRow(options, findEndpoint(schema, endpointId))
  const endpoint = found && endpointOf(found)
  if (endpoint === undefined || endpoint.status === 'deleted') return undefined
  const secrets = await runStatement(options, listSecrets(schema, endpointId))
  const inForce = secrets.map(({ secret }) => JSON.parse(secret) as SecretJson)
  const signed = {
    endpointId,
    messageId: eventId,
    body: Buffer.from(row.body),
    attempt: attempts + 1,
    secrets: inForce,
    at: readAt(inForce),
  }
  const own = Object.fromEntries(endpoint.headers.map((name) => [name, '(not shown)']))
  return {
    method: 'POST',
    url: endpoint.url,
    headers: requestHeaders(signed, own, options),
    body: row.body,
  }
}
