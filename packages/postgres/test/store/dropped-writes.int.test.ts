import { randomUUID } from 'node:crypto'
import { postgresLog } from '@oncekey/postgres'
import { beforeAll, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'
import { unseen, withEscapes } from '../database/unseen.ts'

const database = testDatabase()
withEscapes(database)
const stored = { code: 'commit-failed', message: expect.stringContaining('was dropped') }
const asked = { code: 'store-unavailable', message: expect.stringContaining('was dropped') }

beforeAll(async () => {
  await database.query('create table drops (what text primary key)')
  await database.query(
    `create function drop_it() returns trigger language plpgsql as $$ begin
       if exists (select from public.drops d where d.what = tg_argv[0]) then return null; end if;
       return coalesce(new, old);
     end $$`,
  )
  for (const what of WRITES) {
    const [table, event] = what.split(' ')
    await database.query(
      `create trigger drops_${event} before ${event} on oncekey.${table}
         for each row execute function drop_it('${what}')`,
    )
  }
})

const WRITES = [
  'records insert',
  'outbox insert',
  'attempts insert',
  'attempts update',
  'attempts delete',
  'leases insert',
  'operations insert',
  'deliveries insert',
] as const

/** While `work` runs, a trigger drops writes to one of our tables without an error. */
async function dropping<T>(what: (typeof WRITES)[number], work: () => Promise<T>): Promise<T> {
  await database.query('insert into drops values ($1)', [what])
  try {
    return await work()
  } finally {
    await database.query('delete from drops')
  }
}

function storeIn(mode: 'transaction' | 'lease') {
  return storeOn(database.pool({ max: 4 }), { mode })
}

// A bug: a response, an event or a claim that a trigger had dropped was reported as stored.
describe.each(['transaction', 'lease'] as const)('what a trigger drops, in %s mode,', (mode) => {
  test.each([
    ['a response', 'records insert', kept('done')],
    ['a refusal', 'records insert', refused('no')],
    ['an event', 'outbox insert', kept('done', [eventOf()])],
  ] as const)('%s, is not reported as stored', async (_, what, completion) => {
    const store = storeIn(mode)
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    const [tx, id] = [await attempt.transaction(), randomUUID()]
    await tx.query('insert into orders values ($1)', [id])
    await dropping(what, () => expect(attempt.complete(completion)).rejects.toMatchObject(stored))
    expect(await database.hasOrder(id)).toBe(false)
    const next = await store.begin(again(claim))
    // Lease mode sends a refusal again, and the trigger is gone by now.
    expect(said(next)).toMatch(/^(?:run|in-progress|replay 422 .*)$/)
    if (next.kind === 'run') await next.attempt.release()
  })

  test('an event without a key, is not reported as stored', async () => {
    const attempt = await storeIn(mode).open({ leaseMs: 60_000 })
    await dropping('outbox insert', () =>
      expect(attempt.complete(kept('done', [eventOf()]))).rejects.toMatchObject(asked),
    )
  })

  test('an act of an operator, is not reported as done', async () => {
    const claim = claimOf()
    await attemptOf(await storeIn('lease').begin(claim)).abandon()
    const { keys } = storeIn(mode)
    const act = { actor: 'maria', note: 'checked' }
    for (const what of ['attempts delete', 'records insert', 'operations insert'] as const) {
      await dropping(what, () =>
        expect(keys.answer(claim, kept('answered').response, act)).rejects.toThrow('was dropped'),
      )
    }
    expect((await keys.get(claim))?.state).toBe('unknown')
  })
})

test('a key that a handler has spent, and that could not be written, is reported', async () => {
  const attempt = attemptOf(await storeIn('transaction').begin(claimOf()))
  await (await attempt.transaction()).query(unseen('commit'))
  await dropping('records insert', () => expect(attempt.release()).rejects.toMatchObject(asked))
})

describe('in lease mode, what a trigger drops', () => {
  const store = () => storeIn('lease')

  test('of a claim, runs no handler', async () => {
    await dropping('attempts insert', () =>
      expect(store().begin(claimOf())).rejects.toMatchObject(asked),
    )
  })

  test('of a takeover, runs no handler, in either mode', async () => {
    const claim = claimOf()
    await attemptOf(await store().begin(claim)).abandon()
    await dropping('attempts update', () =>
      expect(store().begin(again(claim))).rejects.toMatchObject(asked),
    )
    await dropping('attempts delete', () =>
      expect(storeIn('transaction').begin(again(claim))).rejects.toMatchObject(asked),
    )
    expect(said(await store().begin(again(claim, { whenUnknown: 'hold' })))).toBe('unknown')
  })

  test.each(['attempts delete', 'leases insert'] as const)(
    'of a release (%s), does not count as released',
    async (what) => {
      const attempt = attemptOf(await store().begin(claimOf()))
      await dropping(what, () => expect(attempt.release()).rejects.toMatchObject(asked))
    },
  )

  test('of an abandoned attempt, does not count as superseded', async () => {
    const attempt = attemptOf(await store().begin(claimOf()))
    await dropping('attempts update', () => expect(attempt.abandon()).rejects.toMatchObject(asked))
  })

  test('of a completion, does not count as superseded', async () => {
    const attempt = attemptOf(await store().begin(claimOf()))
    await dropping('attempts delete', () =>
      expect(attempt.complete(kept('done'))).rejects.toMatchObject(stored),
    )
  })

  test('of a renewal, does not count as held', async () => {
    const attempt = attemptOf(await store().begin(claimOf()))
    const renewed = await dropping('leases insert', () => attempt.renew(60_000))
    expect(renewed).toBe('stale')
    await attempt.release()
  })
})

test('a failed event that a trigger drops stays in the log: the cursor is not moved', async () => {
  const pool = database.pool()
  const log = postgresLog({ client: pool })
  const consumer = randomUUID()
  await log.subscribe({ consumer, types: null, startAt: 'now' })
  const { taken } = await log.lease({ consumer, relay: 'one', leaseMs: 60_000, holding: [] })
  await storeIn('transaction')
    .open({ leaseMs: 60_000 })
    .then((attempt) => attempt.complete(kept('done', [eventOf()])))
  const page = await log.read({ consumer, types: null, slots: taken, limit: 10 })
  const [event] = page.events
  if (event === undefined) throw new Error('no event')
  const slot = taken.find((each) => each.slot === event.slot)
  const failed = [{ event, attempt: null, verdict: { kind: 'dead', reason: 'exhausted' } }] as never
  const moved = {
    consumer,
    slots: [
      { slot: event.slot, epoch: slot?.epoch ?? '', position: event.position, calm: false, failed },
    ],
  }
  await dropping('deliveries insert', () =>
    expect(log.advance(moved)).rejects.toThrow('was dropped'),
  )
  const reread = await log.read({ consumer, types: null, slots: taken, limit: 10 })
  expect(reread.events.map(({ id }) => id)).toEqual([event.id])
  expect(await log.advance(moved)).toEqual({ lost: [] })
})
