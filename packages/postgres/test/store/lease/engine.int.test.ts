import { createEngine, once } from '@oncekey/core'
import { waitFor } from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../../database/claims.ts'
import { storeOn, testDatabase } from '../../database/test-database.ts'

const database = testDatabase()
const leased = () => storeOn(database.pool(), { mode: 'lease' })
const options = { namespace: 'jobs', leaseMs: 1_500 }
const ours = (key: string) => claimOf({ namespace: 'jobs', scope: 'tenant', key })

/** A function that runs until the test ends it. */
function working() {
  let finish = (): void => {}
  const done = new Promise<void>((resolve) => {
    finish = resolve
  })
  return { done, finish: () => finish() }
}

describe('a handler in lease mode', () => {
  test('keeps its key for as long as it runs, over many leases', async () => {
    const { done, finish } = working()
    const call = { scope: 'tenant', key: 'long' }
    const running = once({ store: leased(), ...options }).run(call, () => done)
    const renewals = () =>
      database.query<{ xmin: string }>(
        'select l.xmin from oncekey.leases l join oncekey.attempts a using (token) where a.key = $1',
        ['long'],
      )
    const seen = new Set<string>()
    await waitFor(
      async () => {
        for (const { xmin } of await renewals()) seen.add(xmin)
        return seen.size >= 6
      },
      { what: 'six renewals, two leases' },
    )
    expect(said(await leased().begin({ ...ours('long'), fingerprints: ['x'] }))).toBe('mismatch')
    finish()
    expect(await running).toEqual({ value: undefined, replayed: false })
    await waitFor(async () => (await renewals()).length === 0, {
      what: 'its lease to be forgotten',
    })
  })

  test('learns from its signal that another attempt has the key, and cannot commit', async () => {
    const { done, finish } = working()
    let reason: unknown
    const run = once({ store: leased(), ...options }).run(
      { scope: 'tenant', key: 'lost' },
      async ({ signal }) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason
        })
        await done
        return 'late'
      },
    )
    // Takes the key over as another process would if this one had been stopped for longer than its
    // lease.
    await waitFor(
      async () =>
        (
          await database.query(
            "update oncekey.attempts set token = 'another', number = 2 where key = 'lost' returning 1",
          )
        ).length === 1,
      { what: 'the claim' },
    )
    await waitFor(() => reason, { what: 'the signal' })
    expect(reason).toMatchObject({ code: 'attempt-over', message: expect.stringContaining('lost') })
    finish()
    await expect(run).rejects.toMatchObject({ code: 'in-progress' })
    await database.query("delete from oncekey.attempts where key = 'lost'")
  })

  test('that is still running after the process has drained is left to its lease', async () => {
    const { done, finish } = working()
    const engine = once({ store: leased(), ...options })
    const running = engine.run({ scope: 'tenant', key: 'drained' }, () => done)
    await waitFor(
      async () =>
        (await database.query("select from oncekey.attempts where key = 'drained'")).length === 1,
      { what: 'the claim' },
    )
    expect(await engine.drain({ deadlineMs: 50 })).toBe(1)
    const claimed = await database.query(
      "select token is null as abandoned from oncekey.attempts where key = 'drained'",
    )
    expect(claimed).toEqual([{ abandoned: false }])
    finish()
    expect((await running).replayed).toBe(false)
  })
})

describe('an unknown outcome', () => {
  test('is retaken by default, with the same derived keys', async () => {
    const derived: string[] = []
    const jobs = once({ store: leased(), ...options })
    const call = { scope: 'tenant', key: 'retake' }
    await expect(
      jobs.run(call, ({ deriveKey }) => {
        derived.push(deriveKey('charge'))
        throw new Error('crashed')
      }),
    ).rejects.toThrow('crashed')
    const outcome = await jobs.run(call, ({ deriveKey, attempt }) => {
      derived.push(deriveKey('charge'))
      return attempt
    })
    expect(outcome).toEqual({ value: 2, replayed: false })
    expect(derived[0]).toBe(derived[1])
  })

  test('is held for an operator, who frees the key in SQL', async () => {
    const jobs = once({ store: leased(), ...options, whenUnknown: 'hold' })
    const call = { scope: 'tenant', key: 'hold' }
    await expect(jobs.run(call, () => Promise.reject(new Error('crashed')))).rejects.toThrow()
    await expect(jobs.run(call, () => 1)).rejects.toMatchObject({ code: 'outcome-unknown' })
    await database.query("delete from oncekey.attempts where key = 'hold'")
    expect(await jobs.run(call, () => 1)).toEqual({ value: 1, replayed: false })
  })

  test('is passed to the whenUnknown function', async () => {
    const asked: string[] = []
    const jobs = createEngine({
      store: leased(),
      ...options,
      whenUnknown: ({ key, since }) => {
        asked.push(`${key} ${since instanceof Date}`)
        return { status: 201, body: 'it went through' }
      },
    })
    const claim = ours('found')
    await attemptOf(await leased().begin(claim)).abandon()
    const question = {
      facts: { namespace: 'jobs', scope: 'tenant', key: 'found', route: 'jobs' },
      fingerprints: claim.fingerprints,
      traceparent: undefined,
      signal: undefined,
    }
    expect((await jobs.ask(question)).kind).toBe('replay')
    expect(said(await leased().begin(again(claim)))).toBe('replay 201 it went through')
    expect(asked).toEqual(['found true'])
  })
})

describe('a store in lease mode', () => {
  test('runs many attempts without a transaction on a small pool', async () => {
    const store = storeOn(database.pool({ max: 3 }), { mode: 'lease' })
    const claims = Array.from({ length: 100 }, () => claimOf())
    const attempts = await Promise.all(
      claims.map(async (claim) => attemptOf(await store.begin(claim))),
    )
    for (const claim of claims.slice(0, 5)) {
      expect(said(await store.begin(again(claim)))).toBe('in-progress')
    }
    const outcomes = await Promise.all(attempts.map((attempt) => attempt.complete(kept('done'))))
    expect(new Set(outcomes)).toEqual(new Set(['stored']))
  })

  test('lets any number of claims wait for attempts of other processes on a small pool', async () => {
    const theirs = leased()
    const pool = database.pool({ max: 3 })
    const store = storeOn(pool, { mode: 'lease' })
    const claims = Array.from({ length: 40 }, () => claimOf())
    const attempts = await Promise.all(
      claims.map(async (claim) => attemptOf(await theirs.begin(claim))),
    )
    const waiters = claims.flatMap((claim) =>
      Array.from({ length: 3 }, () => store.begin(again(claim, { waitMs: 60_000 }))),
    )
    // Other requests are served meanwhile.
    const beside = attemptOf(await store.begin(claimOf()))
    await (await beside.transaction()).query('select 1')
    expect(await beside.complete(kept('done'))).toBe('stored')
    for (const attempt of attempts) expect(await attempt.complete(kept('done'))).toBe('stored')
    const answers = await Promise.all(waiters)
    expect(new Set(answers.map(said))).toEqual(new Set(['replay 201 done']))
    await waitFor(() => pool.idleCount === pool.totalCount, { what: 'all to be given back' })
  })
})
