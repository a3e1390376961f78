import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { database, runnerOf } from './failing-steps.ts'
import { type Context, payment } from './payment.ts'

// A bug: an `isPermanent` that names the errors worth a retry said of the time limit that another
// attempt could not succeed, and that was taken for the word of the pivot that it had had no
// effect. The money was taken, and what came before it was undone.
describe('of an error that the runner itself made', () => {
  const asked: unknown[] = []
  const isPermanent = (error: unknown) => asked.push(error) > 0

  test('the time limit of an attempt, isPermanent is not asked, and the pivot is stuck', async () => {
    const never = () => new Promise<void>(() => {})
    const { flow, story } = payment('slow-pivot', never, { isPermanent, timeoutMs: 20 })
    const { sagas, alerts } = runnerOf([flow])
    await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
      code: 'saga-stuck',
    })
    expect(story).toEqual(['reserved', 'capturing', 'capturing', 'capturing'])
    expect(alerts).toMatchObject([{ kind: 'stuck', reason: 'exhausted' }])
    expect(asked).toEqual([])
  })

  test.each([
    ['as it is', (error: unknown) => error],
    ['wrapped', (cause: unknown) => new Error('the capture is not on record', { cause })],
  ])('a transaction without a connection, it is not asked either (%s)', async (how, thrown) => {
    const pool = database.pool({ max: 3 })
    const capture = async ({ transaction }: Context) => {
      // The runner keeps the third for its leases.
      const taken = await Promise.all([pool.connect(), pool.connect()])
      await transaction()
        .catch((error) => Promise.reject(thrown(error)))
        .finally(() => taken.forEach((client) => void client.release()))
    }
    const { flow, story } = payment(`no-connection-${how.length}`, capture, { isPermanent })
    const { sagas, alerts } = runnerOf([flow], { client: pool, acquireTimeoutMs: 500 })
    await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
      code: 'saga-stuck',
    })
    expect(story).not.toContain('freed')
    expect(alerts).toMatchObject([{ kind: 'stuck', reason: 'exhausted' }])
    expect(asked).toEqual([])
  })

  test('emit() that refuses an event, it is not asked either', async () => {
    const capture = ({ emit }: Context) => emit({ type: '' })
    const { flow, story } = payment('no-event', capture, { isPermanent })
    const { sagas } = runnerOf([flow])
    await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
      code: 'saga-stuck',
    })
    expect(story).not.toContain('freed')
    expect(asked).toEqual([])
  })
})
