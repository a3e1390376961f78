import { randomUUID } from 'node:crypto'
import { saga } from '@oncekey/saga'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { retry, runnerOf } from './failing-steps.ts'

describe('a result', () => {
  test.each([
    ['too large', () => 'x'.repeat(300_000), /300002 bytes .*over maxResultBytes/],
    ['a Date', () => ({ at: new Date() }), /at is a Date.*toISOString/],
    ['a Map', () => new Map(), /it is a Map/],
    ['a bigint', () => ({ cents: [10n] }), /cents\.0 is a bigint/],
    ['NaN', () => Number.NaN, /it is NaN/],
  ])('that is %s fails the step with an error that says so', async (name, result, message) => {
    const undone: unknown[] = []
    const flow = saga<null, PoolClient>(`result-${name.replaceAll(' ', '-')}`, { version: 1 }).step(
      'make',
      { run: () => result() as unknown, compensate: ({ result }) => void undone.push(result) },
    )
    const { sagas } = runnerOf([flow])
    await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
      code: 'saga-compensated',
      cause: { code: 'saga-result-invalid', message: expect.stringMatching(message) },
    })
    expect(undone).toEqual([undefined])
  })

  test('of a pivot that cannot be stored leaves the run stuck, because the pivot happened', async () => {
    const flow = saga<null, PoolClient>('result-of-pivot', { version: 1 }).step('capture', {
      kind: 'pivot',
      run: () => ({ at: new Date() }),
    })
    const { sagas, alerts } = runnerOf([flow])
    await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
      code: 'saga-stuck',
    })
    expect(alerts).toEqual([expect.objectContaining({ kind: 'stuck', reason: 'permanent' })])
  })

  test('is read back unchanged, with every character', async () => {
    const odd = { text: 'a\u0000b \ud800 \u2028 \\ \' "', list: [1.5, null, true], nothing: null }
    const flow = saga<typeof odd, PoolClient>('characters', { version: 1 })
      .step('make', { run: ({ input }) => input })
      .step('fail-once', {
        retry,
        run({ attempt, state }) {
          if (attempt === 1) throw new Error('a\u0000b \ud800')
          return state.make
        },
      })
    const { sagas } = runnerOf([flow])
    const id = randomUUID()
    expect(await sagas.execute(flow, { id, input: odd })).toEqual({ make: odd, 'fail-once': odd })
    expect(await sagas.get(id)).toMatchObject({
      input: odd,
      steps: [{ result: odd }, { result: odd }],
    })
  })

  test('of undefined is null, in the process that produced it and in every other', async () => {
    const seen: unknown[] = []
    const flow = saga<null, PoolClient>('nothing', { version: 1 })
      .step('make', { run: () => {} })
      .step('look', { run: ({ state }) => void seen.push(state.make) })
    const { sagas } = runnerOf([flow])
    const result = await sagas.execute(flow, { id: randomUUID(), input: null })
    expect(result).toEqual({ make: null, look: null })
    expect(seen).toEqual([null])
  })
})
