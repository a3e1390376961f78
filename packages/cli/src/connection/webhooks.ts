import type { Webhooks } from '@oncekey/webhooks'
import type { PoolClient } from 'pg'
import type { Call } from '../command/command.ts'
import { sealKeysIn } from './seal-keys.ts'

/** Webhooks of the schema, with what the command line says of sealing and sending. */
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
