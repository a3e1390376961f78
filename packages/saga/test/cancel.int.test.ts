import { randomUUID } from 'node:crypto'
import { saga } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { database, payment, runnerOf, stepOf } from './paying-sagas.ts'

/** When the lease of the run's owner ends. Milliseconds. */
const dueOf = async (id: string) => {
  const text = 'select due_at as due from oncekey.saga_work where run_id = $1'
  return Number((await database.query<{ due: Date }>(text, [id]))[0]?.due)
}

describe('a run cancelled while its step is under way', () => {
  test.each(['here', 'elsewhere'])(
    'by a runner %s aborts the step, and undoes it with its result once it has ended',
    async (where) => {
      const { flow, story, letGo } = payment()
      const owner = runnerOf([flow], { leaseMs: 1_500 })
      const other = runnerOf([flow])
      const id = randomUUID()
      const undone = expect(owner.execute(flow, { id, input: null })).rejects.toMatchObject({
        code: 'saga-compensated',
      })
      await waitFor(() => story.includes('charging'), { what: 'the charge to begin' })
      const by = where === 'here' ? owner : other
      expect(await by.compensate(id, { note: 'the customer called' })).toBe('compensating')
      await waitFor(() => story.includes('asked to stop'), { what: 'the signal' })
      // No process begins to undo it meanwhile, however long the step takes.
      const first = await dueOf(id)
      await waitFor(async () => (await dueOf(id)) > first + 3_000, { what: 'two leases to pass' })
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

  test('does not make the operator wait for the transaction of its step', async () => {
    const { flow, story, letGo } = payment('in its transaction')
    const owner = runnerOf([flow], { leaseMs: 1_500 })
    const id = randomUUID()
    const undone = expect(owner.execute(flow, { id, input: null })).rejects.toMatchObject({
      code: 'saga-compensated',
      message: `Saga "${flow.name}" was undone: undone by an operator`,
    })
    await waitFor(() => story.includes('charging'), { what: 'the charge to begin' })
    expect(await runnerOf([flow]).compensate(id)).toBe('compensating')
    await waitFor(() => story.includes('asked to stop'), { what: 'the signal' })
    letGo()
    await undone
    expect(story.at(-1)).toEqual(['refunded', { reference: 'ch_1' }])
    expect(story).not.toContain('shipped')
    // Its writes and its result are recorded together, so that its compensation can undo them.
    expect(await database.query('select from effects where run = $1', [id])).toHaveLength(1)
  })

  test('is undone only after the lease of its process, if that process is gone', async () => {
    const { flow, story } = payment()
    const gone = runnerOf([flow], { leaseMs: 60_000 })
    const id = randomUUID()
    await gone.submit(flow, { id, input: null })
    void gone.runOnce()
    await waitFor(() => story.includes('charging'), { what: 'the charge to begin' })
    // Changes the run as if its process had died: nobody polls or renews it.
    await database.query(`update oncekey.saga_work set owner = 'gone' where run_id = $1`, [id])
    const other = runnerOf([flow])
    await other.compensate(id)
    expect(await other.runOnce()).toBe(0)
    await database.query(`update oncekey.saga_work set due_at = now() where run_id = $1`, [id])
    expect(await other.runOnce()).toBe(1)
    expect(story.at(-1)).toEqual(['refunded', undefined])
    await gone.stop({ timeoutMs: 1 })
  })

  test('does not begin its pivot; once the pivot has begun, the cancellation is refused', async () => {
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

describe('a local pivot cancelled before its commit', () => {
  test.each(['writes in its transaction', 'only emits an event'])(
    'that %s leaves nothing, and the run is undone completely',
    async (does) => {
      let letGo = () => {}
      const held = new Promise<void>((resolve) => {
        letGo = resolve
      })
      const ran: string[] = []
      const flow = saga<null, PoolClient>(`local-pivot-${does.replaceAll(' ', '-')}`, {
        version: 1,
      })
        .step('reserve', {
          local: true,
          run: () => void ran.push('reserve'),
          compensate: () => void ran.push('undo reserve'),
        })
        .step('confirm', {
          local: true,
          kind: 'pivot',
          async run({ runId, transaction, emit }) {
            if (does === 'only emits an event') emit({ type: 'order.ready', subject: runId })
            else {
              const tx = await transaction()
              await tx.query('insert into effects values ($1, $2)', [runId, 'confirmed'])
            }
            ran.push('confirming')
            await held
          },
        })
        .step('send', { kind: 'retriable', run: () => void ran.push('send') })
      const sagas = runnerOf([flow])
      const id = randomUUID()
      const undone = expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
        code: 'saga-compensated',
      })
      await waitFor(() => ran.includes('confirming'), { what: 'the pivot to be under way' })
      expect(await sagas.compensate(id)).toBe('compensating')
      letGo()
      await undone
      expect(ran).toEqual(['reserve', 'confirming', 'undo reserve'])
      expect(await database.query('select from effects where run = $1', [id])).toEqual([])
      expect(await database.query('select from oncekey.outbox where subject = $1', [id])).toEqual(
        [],
      )
      expect(await stepOf(sagas, id, 'confirm')).toBeUndefined()
    },
  )

  test('leaves nothing, nor does a local step after it, when an operator states that the pivot did not happen', async () => {
    let letGo = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const ran: string[] = []
    const flow = saga<null, PoolClient>('past-local-pivot', { version: 1 })
      .step('reserve', { run: () => {}, compensate: () => void ran.push('undo reserve') })
      .step('pay', { kind: 'pivot', run: () => {} })
      .step('book', {
        local: true,
        kind: 'retriable',
        async run({ runId, transaction }) {
          const tx = await transaction()
          await tx.query('insert into effects values ($1, $2)', [runId, 'booked'])
          ran.push('booking')
          await held
        },
      })
    const sagas = runnerOf([flow])
    const id = randomUUID()
    const undone = expect(sagas.execute(flow, { id, input: null })).rejects.toMatchObject({
      code: 'saga-compensated',
    })
    await waitFor(() => ran.includes('booking'), { what: 'the booking to be under way' })
    await sagas.compensate(id, { pastPivot: true })
    letGo()
    await undone
    expect(ran).toEqual(['booking', 'undo reserve'])
    expect(await database.query('select from effects where run = $1', [id])).toEqual([])
  })
})

test('a quick run cancelled at any moment is either completed or undone', async () => {
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
