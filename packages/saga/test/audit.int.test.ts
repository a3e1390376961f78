import { randomUUID } from 'node:crypto'
import { actTarget } from '@oncekey/core'
import { postgresStore } from '@oncekey/postgres'
import { createSagaRunner, saga, sagaOperator } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()
const by = { actor: 'maria@shop.example', note: 'ticket 4711' }
const order = saga<number, PoolClient>('order', { version: 1 }).step('charge', {
  retry: { maxAttempts: 1 },
  kind: 'pivot',
  run() {
    throw new Error('the bank is down')
  },
})

async function stuckRun(): Promise<string> {
  const id = randomUUID()
  const client = database.pool()
  const runner = createSagaRunner<PoolClient>({ client, sagas: [order], onAlert: () => {} })
  await expect(runner.execute(order, { id, input: 1 })).rejects.toMatchObject({
    code: 'saga-stuck',
  })
  return id
}

async function trail(id: string) {
  const { operations } = postgresStore({ client: database.pool() })
  return (await operations?.list({ target: actTarget('saga-run', id) }, { limit: 50 }))?.items ?? []
}

test('resuming, compensating and settling a run are in the audit trail', async () => {
  const id = await stuckRun()
  const operator = sagaOperator({ client: database.pool() })
  await operator.resume(id, by)
  await operator.compensate(id, { note: 'they called', pastPivot: true, actor: by.actor })
  await operator.settle(id, 'refunded by hand', { actor: by.actor })
  const entries = await trail(id)
  expect(entries.map(({ act, actor, note, detail }) => ({ act, actor, note, detail }))).toEqual([
    {
      act: 'sagas.settle',
      actor: by.actor,
      note: 'refunded by hand',
      detail: { was: 'compensating', state: 'settled' },
    },
    {
      act: 'sagas.compensate',
      actor: by.actor,
      note: 'they called',
      detail: { was: 'running', state: 'compensating' },
    },
    { act: 'sagas.resume', ...by, detail: { was: 'stuck', state: 'running' } },
  ])
})

test('an act that finds nothing to do leaves no entry', async () => {
  const id = await stuckRun()
  const operator = sagaOperator({ client: database.pool() })
  await operator.settle(id, 'by hand')
  await operator.resume(id, by)
  await operator.settle(id, 'again', by)
  expect(await trail(id)).toHaveLength(1)
})

// A bug: two redrives at once both named the runs that one of them had resumed, in their answers
// and in the audit.
test('of two redrives of the same runs, only one has resumed them, and says so', async () => {
  const ids = [await stuckRun(), await stuckRun()].sort()
  const client = await database.pool().connect()
  await client.query('begin')
  await client.query('select from oncekey.saga_runs where id = any($1) for update', [ids])
  const redrives = [0, 1].map(() =>
    sagaOperator({ client: database.pool() }).deadLetters.redrive({ ids }, { limit: 10, ...by }),
  )
  await waitFor(
    async () => {
      const waiting = await database.query(
        `select from pg_stat_activity where wait_event_type = 'Lock'
          and datname = current_database() and query like '%saga_resume%'`,
      )
      return waiting.length === 2
    },
    { what: 'both to wait for the runs' },
  )
  await client.query('commit')
  client.release()
  const found = await Promise.all(redrives)
  expect(found.flatMap(({ redriven }) => redriven).sort()).toEqual(ids)
  const { operations } = postgresStore({ client: database.pool() })
  const target = actTarget('dead-letters', 'sagas')
  expect((await operations?.list({ target }, { limit: 10 }))?.items).toMatchObject([
    { act: 'dead-letters.redrive', detail: { ids } },
  ])
})

test('an act whose entry is refused is undone with it', async () => {
  const id = await stuckRun()
  const operator = sagaOperator({ client: database.pool() })
  await database.query(
    "alter table oncekey.operations add constraint only_known check (actor <> 'forged')",
  )
  const forged = { actor: 'forged' }
  await expect(operator.resume(id, forged)).rejects.toThrow()
  await expect(operator.settle(id, 'no', forged)).rejects.toThrow()
  await expect(
    operator.deadLetters.redrive({ ids: [id] }, { limit: 1, ...forged }),
  ).rejects.toThrow()
  expect((await operator.get(id))?.state).toBe('stuck')
  await database.query('alter table oncekey.operations drop constraint only_known')
})
