import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { append, eraseScope, inbox, migrate, postgresLog, purge } from '@oncekey/postgres'
import { type Database, freshDatabase } from '@oncekey/test-servers'
import { Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'
import { storeOn } from '../database/test-database.ts'
import { readAll } from '../log/read-all.ts'

const suffix = randomUUID().slice(0, 8)
const roles = [
  'oncekey_owner',
  'app',
  'successor',
  'purger',
  'relay',
  'operator',
  'eraser',
  'metrics',
  'taker',
] as const
const pools: Pool[] = []
let database: Database
let root: Pool

/** The SQL blocks under a heading of docs/grants.md, with the roles replaced by this test's. */
async function grantsOf(heading: string): Promise<string[]> {
  const page = await readFile(new URL('../../../../docs/grants.md', import.meta.url), 'utf8')
  const section = page.split(/^## /m).find((each) => each.startsWith(`${heading}\n`)) ?? ''
  const blocks = [...section.matchAll(/```sql\n(.*?)```/gs)].map(([, sql]) => sql ?? '')
  expect(blocks).not.toEqual([])
  const name = new URL(database.url).pathname.slice(1)
  return blocks.map((sql) =>
    roles
      .reduce(
        (text, role) => text.replaceAll(new RegExp(`\\b${role};`, 'g'), `${nameOf(role)};`),
        sql,
      )
      .replace('database shop', `database "${name}"`),
  )
}

function nameOf(role: string): string {
  return `${role}_${suffix}`
}

function poolOf(role: string): Pool {
  const url = new URL(database.url)
  url.username = nameOf(role)
  url.password = 'secret'
  const pool = new Pool({ connectionString: url.href })
  pools.push(pool)
  return pool
}

beforeAll(async () => {
  database = await freshDatabase(inject('postgresUrl'))
  root = new Pool({ connectionString: database.url })
  pools.push(root)
  for (const role of roles) await root.query(`create role ${nameOf(role)} login password 'secret'`)
  for (const sql of await grantsOf('migrate')) await root.query(sql)
  await migrate(poolOf('oncekey_owner'))
})

afterAll(async () => {
  for (const role of roles) await root.query(`drop owned by ${nameOf(role)} cascade`)
  for (const role of roles) await root.query(`drop role ${nameOf(role)}`)
  await Promise.all(pools.map((pool) => pool.end()))
  await database.drop()
})

test('migrate needs the documented grants and no more, even a second time', async () => {
  await migrate(poolOf('oncekey_owner'))
})

describe('a role with the documented grants for the request path', () => {
  const modes = ['transaction', 'lease'] as const

  test.each(modes)('can do everything that a store in %s mode does', async (mode) => {
    const [first = '', lease = ''] = await grantsOf('The request path')
    await root.query(mode === 'lease' ? lease : first)
    const pool = poolOf('app')
    const store = storeOn(pool, { mode })
    const [one, two, three] = [claimOf(), claimOf(), claimOf()]
    const attempt = attemptOf(await store.begin(one))
    expect(said(await store.begin(again(one)))).toBe('in-progress')
    await attempt.transaction()
    expect(await attempt.renew(60_000)).toBe('held')
    expect(await attempt.complete(kept('done', [eventOf()]))).toBe('stored')
    expect(said(await store.begin(again(one)))).toBe('replay 201 done')

    const refusing = attemptOf(await store.begin(two))
    await refusing.transaction()
    expect(await refusing.complete(refused('no'))).toBe('stored')
    await attemptOf(await store.begin(three)).release()
    await attemptOf(await store.begin(again(three))).abandon()
    expect(await attemptOf(await store.begin(again(three))).complete(kept('late'))).toBe('stored')

    const keyless = await store.open({ leaseMs: 1_000 })
    expect(await keyless.complete(kept('done', [eventOf()]))).toBe('stored')
    const client: PoolClient = await pool.connect()
    await client.query('begin')
    await append(client, { type: 'order.shipped' })
    await client.query('commit')
    client.release()
  })

  test('can do nothing beyond the documented grants', async () => {
    const pool = poolOf('app')
    for (const sql of ['update oncekey.records set status = 1', 'delete from oncekey.records']) {
      await expect(pool.query(sql)).rejects.toMatchObject({ code: '42501' })
    }
  })
})

// A bug: it failed with `permission denied` until the attempt was purged.
test.each([
  ['a response', kept],
  ['a refusal', refused],
] as const)(
  'a role with only the first grants for the request path takes over what lease mode has left, and stores %s',
  async (_, how) => {
    const [first = ''] = await grantsOf('The request path')
    await root.query(first.replaceAll(`${nameOf('app')};`, `${nameOf('successor')};`))
    const claim = claimOf()
    const leased = storeOn(poolOf('oncekey_owner'), { mode: 'lease' })
    await attemptOf(await leased.begin(claim)).abandon()
    const attempt = attemptOf(await storeOn(poolOf('successor')).begin(again(claim)))
    expect(attempt.number).toBe(2)
    expect(await attempt.complete(how('done'))).toBe('stored')
    expect(said(await leased.begin(again(claim)))).toContain('done')
  },
)

test('a role with the documented grants for purge can purge', async () => {
  for (const sql of await grantsOf('purge')) await root.query(sql)
  const purged = await purge(poolOf('purger'), {
    resultRetentionMs: 0,
    keyRetentionMs: 0,
    limit: 100,
  })
  expect(purged).toBeDefined()
})

// A bug: the role had no right on the sequence, so its relay left the check out, and the owner's
// lag found nothing where the numbering was the server's own. New events reached no consumer.
test.each([
  ['was set back', []],
  [
    'is a copy that an earlier release has repaired',
    [`update oncekey.numbering set system = 'another'`, 'select oncekey.rebase_2()'],
  ],
])(
  'a relay with the documented grants fails in a log whose sequence %s, and misses nothing once the owner has asked for a lag',
  async (what, statements) => {
    const consumer = what.replaceAll(' ', '-')
    for (const sql of await grantsOf('Relay')) await root.query(sql)
    const owner = poolOf('oncekey_owner')
    const log = postgresLog<PoolClient>({ client: poolOf('relay') })
    await log.append(Array.from({ length: 200 }, () => eventOf()))
    await readAll(log, consumer)
    // As retention does, once all have passed them.
    await owner.query('truncate oncekey.outbox')
    await owner.query('alter sequence oncekey.outbox_seq_seq restart')
    for (const statement of statements) await owner.query(statement)
    const event = eventOf()
    await log.append([event])
    const forbidden = { cause: { code: '42501' } }
    await expect(readAll(log, consumer)).rejects.toMatchObject(forbidden)
    await expect(log.lag(consumer)).rejects.toMatchObject(forbidden)
    await expect(owner.query('select * from oncekey.consumer_lag')).rejects.toMatchObject({
      code: 'OK003',
    })
    // What `npx oncekey consumers list` asks.
    expect((await postgresLog({ client: owner }).lag(consumer)).events).toBe(1)
    expect(await readAll(log, consumer)).toEqual([event.id])
  },
)

test('a role with the documented grants for operators can read keys, act on them and read the audit', async () => {
  const owner = storeOn(poolOf('oncekey_owner'), { mode: 'lease' })
  for (const sql of await grantsOf('Operators')) await root.query(sql)
  const pool = poolOf('operator')
  const { keys, operations } = storeOn(pool)
  const act = { actor: 'maria', note: 'to see what happens' }
  const claim = claimOf()
  const [fingerprint] = claim.fingerprints
  await attemptOf(await owner.begin(claim)).abandon()
  expect((await keys?.get(claim))?.state).toBe('unknown')
  expect(await keys?.release(claim, act)).toBe('done')
  await attemptOf(await owner.begin(again(claim))).abandon()
  expect(await keys?.answer(claim, kept('by hand').response, act)).toBe('done')
  expect((await keys?.list(claim, { limit: 10 }))?.items).toHaveLength(1)
  expect(await keys?.forget({ ...claim, fingerprint }, act)).toBe('done')
  expect((await operations?.list({}, { limit: 10 }))?.items).toHaveLength(3)
  for (const sql of ['update oncekey.records set status = 1', 'delete from oncekey.operations']) {
    await expect(pool.query(sql)).rejects.toMatchObject({ code: '42501' })
  }
})

test('a role with the documented grants for metrics can ask what the gauges ask', async () => {
  // The page of OncekeyScrapeFailed sent its reader to grants that the page did not have.
  const [own = ''] = await grantsOf('Metrics')
  await root.query(own)
  const pool = poolOf('metrics')
  const log = postgresLog({ client: pool })
  expect(await storeOn(pool).keys.list({ state: 'unknown' }, { limit: 1 })).toBeDefined()
  const owner = postgresLog({ client: poolOf('oncekey_owner') })
  await owner.subscribe({ consumer: 'mailer', startAt: 'beginning', types: null })
  expect(await log.lag('mailer')).toMatchObject({ known: true })
  expect((await log.deadLetters.stats()).depth).toBe(0)

  // A bug: it could not see that the numbers had begun again, and the lag was 0 for ever.
  await owner.append([eventOf()])
  await readAll(owner, 'mailer')
  await root.query('truncate oncekey.outbox restart identity')
  await expect(log.lag('mailer')).rejects.toMatchObject({
    message: expect.stringContaining('permission denied'),
  })
  expect(await owner.lag('mailer')).toMatchObject({ events: 0 })
  expect(await log.lag('mailer')).toMatchObject({ events: 0 })
})

test('a role with the documented grants for the inbox takes a message in once', async () => {
  for (const sql of await grantsOf('Inbox')) await root.query(sql)
  const billing = inbox({ client: poolOf('taker'), consumer: 'billing' })
  const take = () => billing.take('m-1', ({ emit }) => emit({ type: 'bill.sent' }))
  expect((await take()).kind).toBe('done')
  expect((await take()).kind).toBe('duplicate')
})

test('a role with the documented grants for erasing can erase a scope, and change no other entry', async () => {
  const owner = storeOn(poolOf('oncekey_owner'), { mode: 'lease' })
  for (const sql of await grantsOf('Erasing a customer')) await root.query(sql)
  const pool = poolOf('eraser')
  const act = { actor: 'maria', note: 'to see what happens' }
  const named = { namespace: 'http', scope: 'customer-7' }
  const { scope } = named
  const forgotten = claimOf(named)
  const [fingerprint] = forgotten.fingerprints
  for (const claim of [forgotten, claimOf(named)]) {
    await attemptOf(await owner.begin(claim)).complete(kept('done'))
  }
  expect(await owner.keys.forget({ ...forgotten, fingerprint }, act)).toBe('done')
  expect(await eraseScope(pool, { scope }, act)).toEqual({ responses: 1, entries: 1 })
  for (const [sql, code] of [
    ["update oncekey.operations set note = ''", '23001'],
    ['delete from oncekey.operations', '42501'],
    ['delete from oncekey.records', '42501'],
  ] as const) {
    await expect(pool.query(sql)).rejects.toMatchObject({ code })
  }
})
