import { type PostgresServer, startPostgres } from '@oncekey/test-servers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../database/claims.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'

// A server with room for some hundred locks; a default server has room for 6,400.
let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres({
    settings: { max_locks_per_transaction: '10', max_connections: '30' },
  })
}, 300_000)
afterAll(() => server.stop())

const database = testDatabase(() => server.url)

test('waiting for 300 keys at once holds few locks, and notices each end', async () => {
  const theirs = storeOn(database.pool({ max: 5 }), { mode: 'lease', acquireTimeoutMs: 60_000 })
  const ours = storeOn(database.pool({ max: 5 }), { mode: 'lease', acquireTimeoutMs: 60_000 })
  const claims = Array.from({ length: 300 }, () => claimOf())
  const running = await Promise.all(
    claims.map(async (claim) => attemptOf(await theirs.begin(claim))),
  )
  const waiting = claims.map((claim) => ours.begin(again(claim, { waitMs: 120_000 })))
  // The leases of these attempts have ended, and no transaction is open. To see that, the lock of
  // each attempt has to be tried.
  await Promise.all(running.map((attempt) => attempt.abandon()))
  const errors: unknown[] = []
  const beside = (async () => {
    for (let n = 0; n < 50; n++) {
      try {
        const attempt = attemptOf(await theirs.begin(claimOf()))
        await attempt.complete(kept('beside'))
      } catch (error) {
        errors.push(error)
      }
    }
  })()
  const answers = await Promise.all(waiting)
  await beside
  expect(errors).toEqual([])
  expect(new Set(answers.map(said))).toEqual(new Set(['run']))
  await Promise.all(answers.map((answer) => attemptOf(answer).release()))
})

test('the function takes no more locks than its answer has rows', async () => {
  const attempts = Array.from({ length: 1_000 }, (_, n) => ({
    id: String(n),
    lock: String(n),
    namespace: 'http',
    scope: 'nobody',
    key: String(n),
    number: 0,
  }))
  const values = [JSON.stringify(attempts)]
  // With the function that earlier releases call, the server runs out of shared memory, and claims
  // at the same time fail as well.
  await expect(
    database.query(
      'select oncekey.ended_attempts(q::json) from (select json_agg(json_build_object' +
        "('id', n::text, 'lock', n, 'number', 0)) q from generate_series(1, 20000) n) q",
    ),
  ).rejects.toMatchObject({ code: '53200' })
  const client = await database.pool({ max: 1 }).connect()
  await client.query('begin')
  const { rows } = await client.query('select oncekey.ended_attempts_2($1, 64) as ended', values)
  const held = await client.query(
    `select count(*)::integer as count from pg_locks
       where locktype = 'advisory' and pid = pg_backend_pid()`,
  )
  await client.query('rollback')
  client.release()
  expect(JSON.parse(rows[0].ended)).toHaveLength(64)
  expect(held.rows[0].count).toBe(64)
})
