import { PGlite, type Transaction } from '@electric-sql/pglite'
import { migrate } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { createSagaRunner, PermanentError, saga, sagaMigrations } from '@oncekey/saga'
import { afterAll, beforeAll, expect, test } from 'vitest'

let db: PGlite
beforeAll(async () => {
  db = new PGlite()
  await migrate(fromPglite(db), { also: [sagaMigrations] })
  await db.query('create table notes (run text, step text)')
})
afterAll(() => db.close())

const flow = saga<{ fail: boolean }, Transaction>('on-pglite', { version: 1 })
  .step('write', {
    local: true,
    async run({ runId, transaction }) {
      await (await transaction()).query('insert into notes values ($1, $2)', [runId, 'written'])
    },
    async compensate({ runId, transaction }) {
      await (await transaction()).query('delete from notes where run = $1', [runId])
    },
  })
  .step('call', { run: () => 'called' })
  .step('end', {
    local: true,
    run({ input, emit, runId }) {
      emit({ type: 'ended', subject: runId })
      if (input.fail) throw new PermanentError('no')
    },
  })

test('the same sagas run on PGlite, twenty at once', async () => {
  const sagas = createSagaRunner({ client: fromPglite(db), sagas: [flow] })
  const ids = Array.from({ length: 20 }, (_, n) => `run-${n}`)
  const ends = await Promise.allSettled(
    ids.map((id, n) => sagas.execute(flow, { id, input: { fail: n % 2 === 1 } })),
  )
  expect(ends.map(({ status }) => status)).toEqual(
    ids.map((_, n) => (n % 2 === 1 ? 'rejected' : 'fulfilled')),
  )
  const { rows } = await db.query<{ run: string }>('select run from notes')
  expect(rows.map(({ run }) => run).sort()).toEqual(ids.filter((_, n) => n % 2 === 0).sort())
  const { rows: events } = await db.query(`select from oncekey.outbox where type = 'ended'`)
  expect(events).toHaveLength(10)
})
