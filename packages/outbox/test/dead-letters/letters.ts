import type { EventLog } from '@oncekey/core'
import { consumer, createRelay, PermanentError } from '@oncekey/outbox'
import type { PoolClient } from 'pg'
import { type LogDatabase, quick } from '../databases/log-database.ts'

/** Makes one dead letter for each subject, of a consumer of this name, and stops its relay. */
export async function withDeadLetters(
  database: LogDatabase,
  log: EventLog<PoolClient>,
  name: string,
  subjects: readonly string[],
): Promise<readonly string[]> {
  const failing = consumer<PoolClient>({
    name,
    startAt: 'now',
    handle() {
      throw new PermanentError('no such address')
    },
  })
  const relay = createRelay<PoolClient>({ ...quick, log, consumers: [failing] })
  await relay.runOnce()
  await database.emit(...subjects)
  while ((await relay.runOnce()) > 0);
  await relay.stop()
  const { items } = await log.deadLetters.list({ origin: name }, { limit: 1_000 })
  return items.map(({ id }) => id)
}
