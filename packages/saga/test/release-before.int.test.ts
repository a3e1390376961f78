import { randomUUID } from 'node:crypto'
import { createSagaRunner, type SagaRunner, saga } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

// Runs the statements of the previous release, which call the functions of that release.
const database = sagaDatabase()
const before = {
  async claim(id: string, known: string): Promise<number> {
    const text = `select oncekey.saga_claim(json_build_array($1::text), 'before', 15000, 10)::text as runs`
    const [row] = await database.query<{ runs: string | null }>(text, [known])
    return JSON.parse(row?.runs ?? '[]').find((run: { id: string }) => run.id === id)?.epoch
  },
  record: (id: string, epoch: number, record: object) =>
    database.query(`select oncekey.saga_record($1, $2, 15000, false, $3, null)::text`, [
      id,
      epoch,
      JSON.stringify(record),
    ]),
}
const done = (name: string, position: number) => ({
  steps: [{ position, name, state: 'done', attempts: 1, compensation_attempts: 0, result: '1' }],
  failures: [],
  next: { kind: 'hold' },
})

function shop() {
  const calls: string[] = []
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const flow = (name: string, wait?: Promise<void>) =>
    saga<null, PoolClient>(name, { version: 1 })
      .step('first', {
        run: async () => {
          calls.push('first')
          await wait
          return 1
        },
        compensate: () => void calls.push('-first'),
      })
      .step('second', { run: () => void calls.push('second') })
  const runner = (name: string, wait?: Promise<void>): SagaRunner<PoolClient> =>
    createSagaRunner<PoolClient>({ client: database.pool(), sagas: [flow(name, wait)] })
  const known = async (id: string) =>
    String(
      (
        await database.query<{ definition: string }>(
          'select definition from oncekey.saga_runs where id = $1',
          [id],
        )
      )[0]?.definition,
    )
  return { calls, flow, runner, held, letGo: () => letGo(), known }
}

describe('beside a process of the previous release', () => {
  test('a run that it takes over is refused to the runner that had it here', async () => {
    const { calls, flow, runner, held, letGo, known } = shop()
    const here = runner('taken-over', held)
    const id = randomUUID()
    const waiting = here.execute(flow('taken-over'), { id, input: null, waitMs: 20_000 })
    await waitFor(() => calls.length, { what: 'the first step to begin' })
    await database.query('update oncekey.saga_work set due_at = now() where run_id = $1', [id])
    const epoch = await before.claim(id, await known(id))
    letGo()
    await before.record(id, epoch, done('first', 0))
    await before.record(id, epoch, {
      ...done('second', 1),
      run: { state: 'completed', ended: true },
      next: { kind: 'end' },
    })
    expect(await waiting).toMatchObject({ first: 1 })
    expect(calls).toEqual(['first'])
  })

  test('a run that it gave up continues here', async () => {
    const { calls, flow, runner, known } = shop()
    const here = runner('let-go')
    const { id } = await here.submit(flow('let-go'), { id: randomUUID(), input: null })
    const epoch = await before.claim(id, await known(id))
    await before.record(id, epoch, { ...done('first', 0), next: { kind: 'wait', ms: 0 } })
    expect(await here.runOnce()).toBe(1)
    expect((await here.get(id))?.state).toBe('completed')
    expect(calls).toEqual(['second'])
  })

  test('cancelling a run that it drives takes the run away, because it does not poll for cancellations', async () => {
    const { calls, flow, runner, known } = shop()
    const here = runner('cancelled')
    const { id } = await here.submit(flow('cancelled'), { id: randomUUID(), input: null })
    const epoch = await before.claim(id, await known(id))
    expect(await here.compensate(id)).toBe('compensating')
    await expect(before.record(id, epoch, done('first', 0))).rejects.toMatchObject({
      code: 'OK003',
    })
    expect(await here.runOnce()).toBe(1)
    expect((await here.get(id))?.state).toBe('compensated')
    expect(calls).toEqual(['-first'])
  })

  test('its leases are not mistaken for those of a clock that was set back', async () => {
    const { flow, runner, known } = shop()
    const here = runner('leased')
    const { id } = await here.submit(flow('leased'), { id: randomUUID(), input: null })
    await before.claim(id, await known(id))
    here.start()
    const other = await here.submit(flow('leased'), { id: randomUUID(), input: null })
    await waitFor(async () => (await here.get(other.id))?.state === 'completed', { what: 'a look' })
    expect(await here.get(id)).toMatchObject({ owner: 'before', state: 'running' })
    await here.stop()
  })
})
