import { randomUUID } from 'node:crypto'
import { createSagaRunner, saga, sagaOperator } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { database, runnerOf } from './paying-sagas.ts'

const LEVELS = ['repeatable read', 'serializable']
const poolAt = (level: string, max = 10) =>
  database.pool({ max, options: `-c default_transaction_isolation=${level.replace(' ', '\\ ')}` })

const pivoting = (story: string[], answered: () => Promise<unknown>) =>
  saga<null, PoolClient>('pivoting', { version: 1 })
    .step('reserve', {
      run: () => void story.push('reserved'),
      compensate: () => void story.push('released'),
    })
    .step('charge', { kind: 'pivot', run: () => void story.push('charged') })
    .step('send', {
      kind: 'retriable',
      // The act may have to be sent again, and is to find the run under way.
      async run() {
        await answered()
        story.push('sent')
      },
    })

describe.each(LEVELS)('where sessions are set to %s', (level) => {
  // A bug: the act waited for the move that began the pivot, and then looked at the steps in a
  // snapshot from before. The pivot charged, and what came before it was compensated.
  test('a run whose pivot is committed while the act waits is not undone', async () => {
    const story: string[] = []
    let act: Promise<unknown> | undefined
    const flow = pivoting(story, async () => await act)
    // The move that begins the pivot waits here, with its writes, for the test.
    await database.query(`create or replace function wait_for_gate() returns trigger
      language plpgsql as $$ begin perform pg_advisory_xact_lock(90217); return new; end $$`)
    await database.query(`create trigger gate after insert on oncekey.saga_steps for each row
      when (new.name = 'charge') execute function wait_for_gate()`)
    const gate = await database.pool().connect()
    try {
      await gate.query('select pg_advisory_lock(90217)')
      const runner = runnerOf([flow])
      const id = randomUUID()
      const done = runner.execute(flow, { id, input: null })
      await waits('%saga_record%')
      act = sagaOperator({ client: poolAt(level) })
        .compensate(id)
        .catch((error) => error.code)
      await waits('%saga_act%')
      await gate.query('select pg_advisory_unlock(90217)')
      expect(await act).toBe('saga-past-pivot')
      await done
      expect(story).toEqual(['reserved', 'charged', 'sent'])
    } finally {
      gate.release(true)
      await database.query('drop trigger gate on oncekey.saga_steps')
    }
  })

  test('acts say what they did, and what they found', async () => {
    const flow = saga<null, PoolClient>('parked', { version: 1 }).step('pay', {
      kind: 'pivot',
      retry: { maxAttempts: 1 },
      run: () => Promise.reject(new Error('no answer')),
    })
    const runner = runnerOf([flow], { onAlert: () => {} })
    const parked = async () => {
      const id = randomUUID()
      await runner.execute(flow, { id, input: null }).catch(() => {})
      return id
    }
    const operator = sagaOperator({ client: poolAt(level) })
    const [first, second, third] = [await parked(), await parked(), await parked()]
    await expect(operator.compensate(first)).rejects.toMatchObject({ code: 'saga-past-pivot' })
    expect(await operator.compensate(first, { pastPivot: true })).toBe('compensating')
    expect(await operator.resume(second)).toBe('running')
    expect(await operator.settle(second, 'by hand')).toBe('settled')
    expect(await operator.resume(second)).toBe('settled')
    const by = { actor: 'maria@shop.example', note: 'by hand' }
    expect(await operator.deadLetters.discard([third], 'by hand', by)).toEqual([
      { id: third, outcome: 'discarded' },
    ])
  })

  // Two claims at once, or a claim and a renewal, refuse each other at these levels.
  test('four processes drive eighty runs, each step once', async () => {
    const ran: string[] = []
    const flow = saga<null, PoolClient>('busy', { version: 1 })
      .step('outside', { run: ({ runId }) => void ran.push(`${runId} outside`) })
      .step('inside', {
        local: true,
        async run({ runId, transaction }) {
          const tx = await transaction()
          await tx.query('insert into effects values ($1, $2)', [runId, 'inside'])
          ran.push(`${runId} inside`)
        },
      })
    const runners = Array.from({ length: 4 }, () =>
      createSagaRunner<PoolClient>({
        client: poolAt(level, 5),
        sagas: [flow],
        pollMs: 5,
        leaseMs: 3_000,
      }),
    )
    const ids = Array.from({ length: 80 }, () => randomUUID())
    await Promise.all(ids.map((id, n) => runners[n % 4]?.submit(flow, { id, input: null })))
    for (const runner of runners) runner.start()
    const open = async () =>
      await database.query(
        'select from oncekey.saga_runs where id = any($1) and ended_at is null',
        [ids],
      )
    await waitFor(async () => (await open()).length === 0, { what: 'all runs to end' })
    await Promise.all(runners.map((runner) => runner.stop()))
    const failed = 'select from oncekey.saga_failures where run_id = any($1)'
    expect(await database.query(failed, [ids])).toEqual([])
    expect(ran.sort()).toEqual(ids.flatMap((id) => [`${id} inside`, `${id} outside`]).sort())
  })
})

function waits(query: string): Promise<unknown> {
  const isWaiting = async () =>
    (
      await database.query(
        `select from pg_stat_activity where datname = current_database()
          and wait_event_type = 'Lock' and query like $1`,
        [query],
      )
    ).length > 0
  return waitFor(isWaiting, { what: `${query} to wait` })
}
