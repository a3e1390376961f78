import { v7 } from 'uuid'
import { judge } from '../delivery/judge.ts'
import { signAndSend } from '../delivery/sign-and-send.ts'
import { webhookBody } from '../delivery/webhook-body.ts'
import type { ResolvedOptions } from '../options/options.ts'
import { findEndpoint, findWays, type WaysJson } from '../statements/endpoints.ts'
import { isUuid } from '../statements/ids.ts'
import { firstRow, runStatement } from '../statements/run-statement.ts'
import { listSecrets, readAt, type SecretJson } from '../statements/secrets.ts'
import { endpointOf } from './endpoint.ts'

/** The result of a test delivery. */
export interface PingResult {
  readonly isDelivered: boolean
  readonly status: number | undefined
  /** A word for the kind of failure: `timeout`, `status 500`, `address-forbidden`. */
  readonly error: string | undefined
  readonly message: string | undefined
  readonly durationMs: number
  /** The beginning of the answer's body. */
  readonly body: string
}

/** Sends a signed `webhook.test` once. It is neither recorded nor retried. */
export async function pingEndpoint(
  id: string,
  options: ResolvedOptions,
): Promise<PingResult | undefined> {
  const row = isUuid(id) ? await firstRow(options, findEndpoint(options.schema, id)) : undefined
  const endpoint = row && endpointOf(row)
  if (endpoint === undefined || endpoint.status === 'deleted') return undefined
  const secrets = await runStatement(options, listSecrets(options.schema, id))
  const inForce = secrets.map(({ secret }) => JSON.parse(secret) as SecretJson)
  const ways = await firstRow(options, findWays(options.schema, id))
  if (ways === undefined) return undefined
  const exchange = await signAndSend(
    {
      endpointId: id,
      url: endpoint.url,
      messageId: v7(),
      body: Buffer.from(
        webhookBody({
          type: 'webhook.test',
          occurredAt: new Date(),
          json: JSON.stringify({ endpointId: id }),
        }),
      ),
      attempt: 1,
      secrets: inForce,
      at: readAt(inForce),
      ...(JSON.parse(ways.ways) as WaysJson),
    },
    options,
  )
  const { state, error, message } = judge(exchange, 0, options)
  return {
    isDelivered: state === 'delivered',
    status: exchange.status,
    error: error ?? undefined,
    message: message ?? undefined,
    durationMs: exchange.durationMs,
    body: new TextDecoder().decode(exchange.body),
  }
}
