import { randomUUID } from 'node:crypto'
import {
  type AnySaga,
  type SagaRunner,
  type SagaRunnerOptions,
  saga,
  sagaRunner,
} from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()
const runnerOf = (
  sagas: AnySaga<PoolClient>[],
  options: Partial<SagaRunnerOptions<PoolClient>> = {},
): SagaRunner<PoolClient> => sagaRunner<PoolClient>({ client: database.pool(), sagas, ...options })
const stepOf = async (sagas: SagaRunner<PoolClient>, id: string, name: string) =>
  (await sagas.get(id))?.steps.find((step) => step.name === name)
/** Until when the run's owner has it. Milliseconds. */
const dueOf = async (id: string) => {
  const text = 'select due_at as due from oncekey.saga_work where run_id = $1'
  return Number((await database.query<{ due: Date }>(text, [id]))[0]?.due)
}

/** A payment whose charge takes until it is let go, and tells what happens in which order. */
function payment(kind: 'outside' | 'in its transaction' = 'outside') {
  const story: unknown[] = []
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const flow = saga<null, PoolClient>(`payment-${kind.replaceAll(' ', '-')}`, { version: 1 })
    .step('charge', {
      async run({ signal, transaction, runId }) {
        const tx = kind === 'outside' ? undefined : await transaction()
        await tx?.query('insert into effects values ($1, $2)', [runId, 'charge'])
        story.push('charging')
        signal.addEventListener('abort', () => story.push('asked to stop'))
        await held
        story.push('charged')
        return { reference: 'ch_1' }
      },
      compensate: ({ result }) => {
        story.push(['refunded', result])
      },
    })
    .step('ship', { run: () => void story.push('shipped') })
  return { flow, story, letGo }
}

describe('a run that is cancelled while its step is under way', () => {
  test.each(['here', 'elsewhere'])(
    'by a runner %s: the step is asked to stop, and undone only once it has ended, with its result',
    async (where) => {
      const { flow, story, letGo } = payment()
      const owner = runnerOf([flow], { leaseMs: 300 })
      const other = runnerOf([flow])
      const id = randomUUID()
      const undone = expect(owner.execute(flow, { id, input: null })).rejects.toMatchObject({
        code: 'saga-compensated',
      })
      await waitFor(() => story.includes('charging'), { what: 'the charge to begin' })
      const by = where === 'here' ? owner : other
      expect(await by.compensate(id, { note: 'the customer called' })).toBe('compensating')
      await waitFor(() => story.includes('asked to stop'), { what: 'the signal' })
      // Nobody begins to undo it meanwhile, here or elsewhere, however long it takes.
      const first = await dueOf(id)
      await waitFor(async () => (await dueOf(id)) > first + 600, { what: 'two leases to pass' })
      expect(await other.runOnce()).toBe(0)
      expect(story).toEqual(['charging', 'asked to stop'])
      letGo()
      await undone
      expect(story).toEqual([
        'charging',
        'asked to stop',
        'charged',
        ['refunded', { reference: 'ch_1' }],
      ])
    },
  )

  test('in the middle of its transaction: the operator does not wait for it', async () => {
    const { flow, story, letGo } = payment('in its transaction')
    const owner = runnerOf([flow], { leaseMs: 300 })
    const id = randomUUID()
    const undone = expect(owner.execute(flow, { id, input: null })).rejects.toMatchObject({
      code: 'saga-compensated',
    })
    await waitFor(() => story.includes('charging'), { what: 'the charge to begin' })
    expect(await runnerOf([flow]).compensate(id)).toBe('compensating')
    await waitFor(() => story.includes('asked to stop'), { what: 'the signal' })
    letGo()
    await undone
    expect(story.at(-1)).toEqual(['refunded', { reference: 'ch_1' }])
    expect(story).not.toContain('shipped')
    // What it wrote and its result are on record together, for its compensation to undo.
    expect(await database.query('select from effects where run = $1', [id])).toHaveLength(1)
  })

  test('of a process that is gone: undone when its lease is over, and not before', async () => {
    const { flow, story } = payment()
    const gone = runnerOf([flow], { leaseMs: 60_000 })
    const id = randomUUID()
    await gone.submit(flow, { id, input: null })
    void gone.runOnce()
    await waitFor(() => story.includes('charging'), { what: 'the charge to begin' })
    // As if its process had ended: nothing of it looks or renews any more.
    await database.query(`update oncekey.saga_work set owner = 'gone' where run_id = $1`, [id])
    const other = runnerOf([flow])
    await other.compensate(id)
    expect(await other.runOnce()).toBe(0)
    await database.query(`update oncekey.saga_work set due_at = now() where run_id = $1`, [id])
    expect(await other.runOnce()).toBe(1)
    expect(story.at(-1)).toEqual(['refunded', undefined])
    await gone.stop({ timeoutMs: 1 })
  })

  test('does not begin its pivot, and one that began it is not cancelled', async () => {
    let letGo = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const ran: string[] = []
    const flow = saga<null, PoolClient>('pivoting', { version: 1 })
      .step('prepare', {
        run: async () => {
          ran.push('prepare')
          await held
        },
        compensate: () => void ran.push('undo prepare'),
      })
      .step('pay', { kind: 'pivot', run: () => void ran.push('pay') })
      .step('send', { kind: 'retriable', run: () => void ran.push('send') })
    const sagas = runnerOf([flow])
    const id = randomUUID()
    const undone = expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
      code: 'saga-compensated',
    })
    await waitFor(() => ran.length, { what: 'it to begin' })
    await sagas.compensate(id)
    letGo()
    await undone
    expect(ran).toEqual(['prepare', 'undo prepare'])
  })
})

test('cancelled at any moment of a quick saga, a run is whole or undone, and never both', async () => {
  let done: string[] = []
  const flow = saga<null, PoolClient>('quick', { version: 1 })
    .step('a', {
      local: true,
      run: () => void done.push('a'),
      compensate: () => void done.push('-a'),
    })
    .step('b', { run: () => void done.push('b'), compensate: () => void done.push('-b') })
    .step('pay', { kind: 'pivot', run: () => void done.push('pay') })
    .step('send', { kind: 'retriable', run: () => void done.push('send') })
  const sagas = runnerOf([flow])
  const operator = runnerOf([flow])
  const ends: Record<string, number> = {}
  for (let n = 0; n < 60; n++) {
    done = []
    const id = randomUUID()
    const end = sagas.execute(flow, { id, input: null }).then(
      () => 'completed',
      (error) => error.code,
    )
    for (let turn = 0; turn < n % 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    const said = await operator.compensate(id).catch((error) => error.code)
    const ended = await end
    ends[ended] = (ends[ended] ?? 0) + 1
    if (ended === 'completed') {
      expect(done).toEqual(['a', 'b', 'pay', 'send'])
      expect(['saga-past-pivot', 'completed', 'saga-unknown']).toContain(said)
    } else {
      expect(ended).toBe('saga-compensated')
      expect(done).not.toContain('pay')
      for (const step of ['a', 'b']) {
        if (done.includes(step)) expect(done).toContain(`-${step}`)
      }
    }
  }
  expect(ends['saga-compensated']).toBeGreaterThan(0)
})

test('resuming a run that a process drives leaves it to that process', async () => {
  const { flow, story, letGo } = payment()
  const owner = runnerOf([flow])
  const other = runnerOf([flow])
  const id = randomUUID()
  const running = owner.execute(flow, { id, input: null })
  await waitFor(() => story.includes('charging'), { what: 'the charge to begin' })
  expect(await other.resume(id)).toBe('running')
  expect(await other.runOnce()).toBe(0)
  letGo()
  await running
  expect(story).toEqual(['charging', 'charged', 'shipped'])
  expect(await stepOf(owner, id, 'charge')).toMatchObject({ attempts: 1 })
})
