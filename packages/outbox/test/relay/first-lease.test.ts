import { consumer, createRelay } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { logOf, quick } from './quick-relay.ts'

// Otherwise it would ask again when its lease is to be renewed, which is after 20 seconds.
test('a relay that could not load what is on file of its slots asks for them again at once', async () => {
  const { emit, log } = logOf()
  let failures = 0
  const failing: typeof log = {
    ...log,
    async held(request) {
      if (request.orderingKeys === undefined && failures === 0) {
        failures += 1
        throw new Error('The connection was lost.')
      }
      return await log.held(request)
    },
  }
  const seen: (string | null)[] = []
  const ordered = consumer({
    name: 'a',
    ordered: true,
    handle: ({ event }) => void seen.push(event.subject),
  })
  const running = createRelay({ ...quick, leaseMs: 60_000, log: failing, consumers: [ordered] })
  await emit('one')
  running.start()
  await waitFor(() => seen.length > 0, { what: 'the event' })
  await running.stop()
  expect({ seen, failures }).toEqual({ seen: ['one'], failures: 1 })
})
