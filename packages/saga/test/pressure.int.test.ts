import { randomUUID } from 'node:crypto'
import { backoff } from '@oncekey/outbox'
import { type AnySaga, createSagaRunner, saga } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { Pool, PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('more runs than connections', () => {
  test('keep their leases while their steps run in transactions for longer than a lease', async () => {
    const begun: string[] = []
    const flow = saga<null, PoolClient>('crowded', { version: 1 })
      .step('write', {
        local: true,
        async run({ runId, transaction }) {
          const tx = await transaction()
          begun.push(runId)
          await tx.query('insert into effects values ($1, $2)', [runId, 'write'])
          await sleep(2_000)
        },
      })
      .step('call', { run: () => 'called' })
    const sagas = createSagaRunner<PoolClient>({
      client: database.pool({ max: 8 }),
      sagas: [flow],
      leaseMs: 1_500,
      maxLost: 2,
    })
    const ids = Array.from({ length: 12 }, () => randomUUID())
    const ends = await Promise.all(ids.map((id) => sagas.execute(flow, { id, input: null })))
    expect(ends).toEqual(ids.map(() => ({ write: null, call: 'called' })))
    expect([...begun].sort()).toEqual([...ids].sort())
  })

  test('are recorded while this process has no capacity, and another process may take them', async () => {
    let letGo = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const flow = (wait: Promise<void> | undefined) =>
      saga<null, PoolClient>('queued', { version: 1 }).step('call', { run: () => wait })
    const busy = createSagaRunner<PoolClient>({
      client: database.pool(),
      sagas: [flow(held)],
      executeConcurrency: 1,
    })
    const first = busy.execute(flow(held), { id: randomUUID(), input: null })
    const id = randomUUID()
    const second = busy.execute(flow(held), { id, input: null })
    await expect(
      busy.execute(flow(held), { id: randomUUID(), input: null, waitMs: 30 }),
    ).rejects.toMatchObject({ code: 'saga-in-progress' })
    await waitFor(() => busy.get(id), { what: 'the second run to be on record' })
    const other = createSagaRunner<PoolClient>({
      client: database.pool(),
      sagas: [flow(undefined)],
    })
    expect(await other.runOnce()).toBe(2)
    expect(await second).toEqual({ call: null })
    letGo()
    await first
  })

  test('query a few times each, with three hundred callers on four connections', async () => {
    const flow = saga<number, PoolClient>('stormed', { version: 1 }).step('write', {
      local: true,
      async run({ runId, transaction }) {
        const tx = await transaction()
        await tx.query('insert into effects values ($1, $2)', [runId, 'write'])
      },
    })
    const pool = database.pool({ max: 4 })
    let asked = 0
    pool.on('acquire', () => {
      asked += 1
    })
    const sagas = createSagaRunner<PoolClient>({
      client: pool,
      sagas: [flow],
      acquireTimeoutMs: 50_000,
    })
    const ids = Array.from({ length: 300 }, () => randomUUID())
    const startedAt = performance.now()
    await Promise.all(ids.map((id, n) => sagas.execute(flow, { id, input: n })))
    // Those who wait share one rate of queries, so a slow machine may ask for longer.
    const seconds = (performance.now() - startedAt) / 1_000
    expect(asked).toBeLessThan(ids.length * 10 + seconds * 250)
  })

  test('pass free capacity to the next caller when one stops waiting', async () => {
    let letGo = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const flow = saga<boolean, PoolClient>('lined-up', { version: 1 }).step('call', {
      run: ({ input }) => (input ? held : undefined),
    })
    const sagas = createSagaRunner<PoolClient>({
      client: database.pool(),
      sagas: [flow],
      executeConcurrency: 1,
    })
    const execute = (input: boolean, more: object = {}) =>
      sagas.execute(flow, { id: randomUUID(), input, ...more })
    const first = execute(true)
    const gone = [
      execute(false, { waitMs: 50 }),
      execute(false, { signal: AbortSignal.timeout(50) }),
    ]
    expect(await Promise.allSettled(gone)).toMatchObject([
      { reason: { code: 'saga-in-progress' } },
      { reason: { name: 'TimeoutError' } },
    ])
    const others = [execute(false), execute(false)]
    letGo()
    expect(await Promise.all([first, ...others])).toHaveLength(3)
    expect(await execute(false)).toEqual({ call: null })
  })

  test('always have capacity for a saga that a step executes', async () => {
    const inner = saga<null, PoolClient>('inner', { version: 1 }).step('call', { run: () => 'in' })
    const outer: AnySaga<PoolClient> = saga<null, PoolClient>('outer', { version: 1 }).step(
      'call',
      {
        run: ({ idempotencyKey }) => sagas.execute(inner, { id: idempotencyKey, input: null }),
      },
    )
    const sagas = createSagaRunner<PoolClient>({
      client: database.pool(),
      sagas: [inner, outer],
      executeConcurrency: 1,
    })
    expect(await sagas.execute(outer, { id: randomUUID(), input: null })).toEqual({
      call: { call: 'in' },
    })
  })
})

describe('a callback that throws', () => {
  const connections = (pool: Pool) => pool.totalCount - pool.idleCount

  test.each([
    [
      'isPermanent throws',
      {
        isPermanent: () => {
          throw new Error('broken')
        },
      },
    ],
    ['isPermanent returns undefined', { isPermanent: () => undefined as unknown as boolean }],
    [
      'backoff throws',
      {
        backoff: () => {
          throw new Error('broken')
        },
      },
    ],
    ['backoff returns NaN', { backoff: () => Number.NaN }],
    ['backoff returns text', { backoff: () => 'soon' as unknown as number }],
    // A bug: these rejections were unhandled, so each process that took the run ended.
    ['isPermanent rejects', { isPermanent: () => Promise.reject(new Error('broken')) as never }],
    ['backoff rejects', { backoff: () => Promise.reject(new Error('broken')) as never }],
  ] as [string, { isPermanent?: () => boolean; backoff?: () => number }][])(
    'when %s, the failed attempt is retried and reported, and no connection stays open',
    async (_, { isPermanent, backoff: wait }) => {
      const told: unknown[] = []
      let calls = 0
      const undone: string[] = []
      const flow = saga<null, PoolClient>('broken-callback', { version: 1 })
        .step('first', { local: true, run: () => 1, compensate: () => void undone.push('first') })
        .step('write', {
          ...(isPermanent !== undefined && { isPermanent }),
          retry: { maxAttempts: 3, backoff: wait ?? backoff({ baseMs: 1 }) },
          async run({ transaction }) {
            await transaction()
            if (++calls < 3) throw new Error('declined')
            return 'done'
          },
        })
      const pool = database.pool({ max: 5 })
      const sagas = createSagaRunner<PoolClient>({ client: pool, sagas: [flow] })
      const id = randomUUID()
      const { subscribe, unsubscribe } = await import('node:diagnostics_channel')
      const listen = (message: unknown) => void told.push((message as { during: string }).during)
      subscribe('oncekey:saga-error', listen)
      const running = sagas.execute(flow, { id, input: null })
      // The default backoff takes seconds, so the test makes the run due.
      await waitFor(
        async () => {
          await database.query(
            'update oncekey.saga_work set due_at = now() where run_id = $1 and owner is null',
            [id],
          )
          return calls === 3
        },
        { what: 'three attempts' },
      )
      expect(await running).toEqual({ first: 1, write: 'done' })
      unsubscribe('oncekey:saga-error', listen)
      expect(undone).toEqual([])
      if (wait !== undefined) expect(told).toEqual(['backoff', 'backoff'])
      await waitFor(() => connections(pool) === 0, { what: 'every connection to be idle' })
    },
  )
})

test('a stuck run shows the reason in a list', async () => {
  const flow = saga<null, PoolClient>('stuck', { version: 1 }).step('pay', {
    kind: 'pivot',
    retry: { maxAttempts: 1 },
    run: () => Promise.reject(new Error('the bank does not answer')),
  })
  const sagas = createSagaRunner<PoolClient>({
    client: database.pool(),
    sagas: [flow],
    onAlert() {},
  })
  const id = randomUUID()
  await sagas.execute(flow, { id, input: null }).catch(() => {})
  const [listed] = await sagas.list({ saga: 'stuck' })
  expect(listed).toMatchObject({
    id,
    state: 'stuck',
    error: { message: 'the bank does not answer' },
  })
})
