import { consumer } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { logOf } from './quick-relay.ts'

// A bug: a relay subscribed once in its life, so that the same one, started again after its
// consumer was retired, got nothing for ever.
test('a relay that is started again makes a retired consumer anew', async () => {
  const { log, emit, relay: relayOf } = logOf()
  const seen: string[] = []
  const relay = relayOf(
    consumer({
      name: 'email',
      startAt: 'now',
      handle: ({ event }) => seen.push(event.subject ?? ''),
    }),
  )
  relay.start()
  await waitFor(async () => (await log.lag('email')).known, { what: 'the subscription' })
  await emit('before')
  await waitFor(() => seen.length === 1, { what: 'the first event' })
  await log.retire('email')
  await relay.stop()
  relay.start()
  await waitFor(async () => (await log.lag('email')).known, { what: 'the new subscription' })
  await emit('after')
  await waitFor(() => seen.length === 2, { what: 'the next event' })
  expect(seen).toEqual(['before', 'after'])
  await relay.stop()
})
