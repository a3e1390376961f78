import type { EventLog } from '@oncekey/core'
import { consumer, createRelay, PermanentError } from '@oncekey/outbox'

/** Runs a consumer "email" that refuses every order, until its events are dead letters. */
export async function refuseAll(log: EventLog<never>): Promise<void> {
  const email = consumer({
    name: 'email',
    types: ['order.*'],
    async handle() {
      throw new PermanentError('no such customer')
    },
  })
  const relay = createRelay({ log, consumers: [email as never] })
  while ((await relay.runOnce()) > 0);
  await relay.stop()
}
