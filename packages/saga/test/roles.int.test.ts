import { randomUUID } from 'node:crypto'
import { createSagaRunner, saga, sagaOperator } from '@oncekey/saga'
import type { PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const suffix = randomUUID().slice(0, 8)
const app = `app_${suffix}`
const tenant = `tenant_${suffix}`
const database = sagaDatabase()

/** Grants this test's role what docs/grants.md gives a saga runner. */
async function grantRunner(): Promise<void> {
  const { readFile } = await import('node:fs/promises')
  const page = await readFile(new URL('../../../docs/grants.md', import.meta.url), 'utf8')
  const [, section = ''] = page.split(/^## Sagas\n/m)
  const [, sql = ''] = /```sql\n(.*?)```/s.exec(section) ?? []
  expect(sql).not.toBe('')
  await database.query(sql.replaceAll(/\bapp;/g, `${app};`))
}

beforeAll(async () => {
  await database.query(
    `create role ${app} login password 'secret'; create role ${tenant} login password 'secret'`,
  )
  await database.query(`
    grant ${tenant} to ${app};
    create table notes (role name default current_user, id text);
    grant insert on notes to ${tenant}`)
  await grantRunner()
})

// Runs before the database is dropped, because roles outlive it.
afterAll(async () => {
  await database.query(`drop owned by ${tenant}, ${app}; drop role ${tenant}, ${app}`)
})

function urlOf(role: string): string {
  const url = new URL(database.url())
  url.username = role
  url.password = 'secret'
  return url.href
}

test('a role with the grants for metrics in docs/grants.md counts the runs that need a person', async () => {
  const metrics = `metrics_${suffix}`
  const { readFile } = await import('node:fs/promises')
  const page = await readFile(new URL('../../../docs/grants.md', import.meta.url), 'utf8')
  const sql = /^grant select on oncekey\.saga_runs to metrics;$/m.exec(page)?.[0] ?? ''
  await database.query(`create role ${metrics} login password 'secret'`)
  await database.query(sql.replace('metrics;', `${metrics};`))
  const { deadLetters } = sagaOperator({
    client: database.pool({ connectionString: urlOf(metrics) }),
  })
  expect((await deadLetters.stats()).depth).toBe(0)
  await database.query(`drop owned by ${metrics}; drop role ${metrics}`)
})

describe('a runner with exactly the grants of docs/grants.md', () => {
  test('runs steps that switch to their tenant’s role, emit events, fail and are undone', async () => {
    const noting = saga<{ fails: boolean }, PoolClient>('noting', { version: 1 })
      .step('note', {
        async run({ transaction, emit, runId }) {
          const tx = await transaction()
          await tx.query(`set local role ${tenant}`)
          await tx.query('insert into notes (id) values ($1)', [runId])
          emit({ type: 'noted', subject: runId })
        },
        async compensate({ transaction, runId }) {
          const tx = await transaction()
          await tx.query(`set local role ${tenant}`)
          await tx.query('insert into notes (id) values ($1)', [`${runId} undone`])
        },
      })
      .step('second', {
        retry: { maxAttempts: 1 },
        run({ input }) {
          if (input.fails) throw new Error('no')
        },
      })
    const sagas = createSagaRunner({
      client: database.pool({ connectionString: urlOf(app) }),
      sagas: [noting],
    })
    const [good, bad] = [randomUUID(), randomUUID()]
    await sagas.execute(noting, { id: good, input: { fails: false } })
    await expect(sagas.execute(noting, { id: bad, input: { fails: true } })).rejects.toMatchObject({
      code: 'saga-compensated',
    })
    expect(await sagas.get(good)).toMatchObject({ state: 'completed' })
    const notes = await database.query('select role, id from notes order by id')
    expect(notes).toHaveLength(3)
    expect(notes).toContainEqual({ role: tenant, id: `${bad} undone` })
    const events = 'select from oncekey.outbox where subject = $1'
    expect(await database.query(events, [good])).toHaveLength(1)
    await sagas.runOnce()
    await sagas.list()
    await sagas.purge({ retentionMs: 0 })
  })

  test('writes moves that a login as the tenant cannot write', async () => {
    const pool = database.pool({ connectionString: urlOf(tenant) })
    const call = `select oncekey.saga_record_3('r', 1, 'm', 'n', 'running', 1000, false, false, 0,
      '{"next":{"kind":"hold"}}', null)`
    await expect(pool.query(call)).rejects.toMatchObject({ code: '42501' })
  })
})
