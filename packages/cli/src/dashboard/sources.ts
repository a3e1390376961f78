import type { DashboardOptions } from '@oncekey/dashboard'
import type { Call } from '../command/command.ts'
import { logOf } from '../connection/log.ts'
import { sagasOf } from '../connection/sagas.ts'
import { storeOf } from '../connection/store.ts'
import { webhooksOf } from '../connection/webhooks.ts'

/** Everything on the server that was named that a dashboard can show. */
export async function sourcesOf(call: Call): Promise<Omit<DashboardOptions, 'authorize'>> {
  const [store, log] = await Promise.all([storeOf(call), logOf(call)])
  if (call.server() === 'redis') return { store, deadLetters: [log.deadLetters] }
  const { postgresConsumers, postgresEvents } = await import('@oncekey/postgres')
  const { migratedVersions } = await import('@oncekey/postgres/client')
  const of = { client: call.postgres(), schema: call.schema }
  const versions = await migratedVersions(of.client, { schema: of.schema })
  const webhooks = versions?.has('webhooks') ? await webhooksOf(call) : undefined
  const sagas = versions?.has('saga') ? await sagasOf(call) : undefined
  const consumers = postgresConsumers(of)
  const names = (await consumers.list()).map(({ name }) => name)
  return {
    store,
    deadLetters: [log, webhooks, sagas].flatMap((each) => each?.deadLetters ?? []),
    lag: { log, consumers: names },
    consumers,
    events: postgresEvents(of),
    ...(webhooks !== undefined && { webhooks }),
    ...(sagas !== undefined && { sagas }),
  }
}
