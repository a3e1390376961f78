import type { Webhooks } from '@oncekey/webhooks'
import type { PoolClient } from 'pg'
import { usageError } from '../command/cli-error.ts'
import type { Call } from '../command/command.ts'
import { remoteWebhooks, type WebhooksToSee } from '../remote/webhooks.ts'
import { sealKeysIn } from './seal-keys.ts'

const OF_A_SENDER = ['allow-http', 'allow-address', 'proxy', 'seal-key-file'] as const

/** Access to webhooks, in the schema or through the dashboard that was named. */
export async function webhooksFor(call: Call): Promise<WebhooksToSee> {
  const api = call.dashboard()
  if (api === undefined) return await webhooksOf(call)
  const isGiven = (name: string) =>
    call.given.has(name) && (call.given.flag(name) || call.given.list(name).length > 0)
  const given = OF_A_SENDER.find(isGiven)
  if (given !== undefined) {
    throw usageError(
      `--${given} is for sending from here; through a dashboard it is the dashboard that sends.`,
    )
  }
  return remoteWebhooks(api, () => call.act().note)
}

/**
 * Access to webhooks in the schema, with the options of the command line for sealing and sending.
 */
export async function webhooksOf(call: Call): Promise<Webhooks<PoolClient>> {
  const { webhooks } = await import('@oncekey/webhooks')
  const { given } = call
  const addresses = given.has('allow-address') ? given.list('allow-address') : []
  const proxy = given.has('proxy') ? given.text('proxy') : undefined
  const path = given.has('seal-key-file') ? given.text('seal-key-file') : undefined
  return webhooks({
    client: call.postgres(),
    schema: call.schema,
    allowHttp: given.has('allow-http') && given.flag('allow-http'),
    allowAddresses: addresses,
    ...(proxy !== undefined && { proxy }),
    ...(path !== undefined && { seal: await sealKeysIn(path) }),
  })
}
