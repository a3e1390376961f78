import { createSagaRunner, saga } from '@oncekey/saga'
import type { PoolClient } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()

const guarded = () =>
  Object.defineProperty(new Error('kept'), 'message', {
    get() {
      throw new Error('not for you')
    },
  })

const revoked = (): unknown => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

// The runner threw while it recorded the failure, so each attempt ended the lease of its process
// and was taken for a process that vanished: without backoff, and poison after five.
test.each([
  ['an object without a prototype', () => Object.create(null)],
  ['an error whose message throws', guarded],
  ['a revoked proxy', revoked],
])('a step that throws %s has failed, as with any other error', async (what, thrown) => {
  const order = saga<{ readonly item: string }, PoolClient>(`order-${what.length}`, {
    version: 1,
  }).step('charge', {
    kind: 'pivot',
    retry: { maxAttempts: 2, backoff: () => 10 },
    run() {
      throw thrown()
    },
  })
  const sagas = createSagaRunner({ client: database.pool(), sagas: [order], onAlert: () => {} })
  sagas.start()
  onTestFinished(() => sagas.stop())
  const id = `run ${what.length}`
  await expect(sagas.execute(order, { id, input: { item: 'kettle' } })).rejects.toMatchObject({
    code: 'saga-stuck',
  })
  expect(await sagas.deadLetters.get(id)).toMatchObject({
    reason: 'exhausted',
    error: { name: 'UnreadableError' },
    attempts: 2,
  })
})

test('an alert that rejects with what cannot be read does not end the process', async () => {
  const order = saga<{ readonly item: string }, PoolClient>('alerting', { version: 1 }).step(
    'charge',
    {
      kind: 'pivot',
      retry: { maxAttempts: 1 },
      run() {
        throw new Error('declined')
      },
    },
  )
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  const sagas = createSagaRunner({
    client: database.pool(),
    sagas: [order],
    onAlert: async () => {
      throw Object.create(null)
    },
  })
  onTestFinished(() => sagas.stop())
  await sagas
    .execute(order, { id: 'alerting', input: { item: 'kettle' } })
    .catch((error) => expect(error.code).toBe('saga-stuck'))
  // Node tells of unhandled rejections once the present turn is over.
  await database.query('select 1')
  expect(unhandled).toEqual([])
})
