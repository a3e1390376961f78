import { v7 } from 'uuid'
import { endpointOf } from './endpoint.ts'
import { judge } from './judge.ts'
import type { ResolvedOptions } from './options.ts'
import { webhookBody } from './payload.ts'
import { firstRow, runStatement } from './run-statement.ts'
import { signAndSend } from './sign-and-send.ts'
import { isUuid } from './statements/dead-letter-predicate.ts'
import { findEndpoint } from './statements/find-endpoint.ts'
import { findWays, type WaysJson } from './statements/find-ways.ts'
import { listSecrets, type SecretJson } from './statements/list-secrets.ts'

/** What a test of an endpoint came to. */
export interface PingResult {
  readonly isDelivered: boolean
  readonly status: number | undefined
  /** What went wrong, in a word: `timeout`, `status 500`, `address-forbidden`. */
  readonly error: string | undefined
  readonly message: string | undefined
  readonly durationMs: number
  /** The beginning of the answer. */
  readonly body: string
}

/** One signed attempt to deliver `webhook.test`, on no record and without a second. */
export async function pingEndpoint(
  id: string,
  options: ResolvedOptions,
): Promise<PingResult | undefined> {
  const row = isUuid(id) ? await firstRow(options, findEndpoint(options.schema, id)) : undefined
  const endpoint = row && endpointOf(row)
  if (endpoint === undefined || endpoint.status === 'deleted') return undefined
  const secrets = await runStatement(options, listSecrets(options.schema, id))
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
      secrets: secrets.map(({ secret }) => JSON.parse(secret) as SecretJson),
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
